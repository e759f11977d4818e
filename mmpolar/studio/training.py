"""Training on a project's labels as a process of its own, which outlives the page.

``python -m mmpolar.studio.training FOLDER`` trains what :meth:`Training.prepare` wrote to a folder, then
exports it as a tracker.
"""

import json
import os
import platform
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmpolar.model_zoo import DEFAULT_MODEL, PACKAGE_FOLDER
from mmpolar.studio.exports import export
from mmpolar.studio.jobs import BusyError, JobState
from mmpolar.studio.project import Project
from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.file_names import check_file_name
from mmpolar.utils.processes import process_is_gone

#: Config of the tracker that a training makes, and its parts that can be trained, each by its config.
TRACKER_CONFIG = 'configs/ocean_polar/ocean-polar_effnet-lite0_own-data.py'
MASKS, TRACKER = 'masks', 'tracker'
PARTS = {
    MASKS: 'configs/mask_stage/mask-stage_effnet-lite0_own-data.py',
    TRACKER: TRACKER_CONFIG,
}
_CONFIG = """\
# Trains on the labels of a project: written by mmpolar studio, and yours to change.
_base_ = {base!r}

train_dataloader = dict(
    batch_size={batch_size},
    dataset=dict(
        datasets=[
            dict(
                type='DavisDataset',
                data_root={data!r},
                ann_file='ImageSets/2017/train.txt',
                multi_object=True,
            )
        ],
        quotas=None,
        samples_per_epoch={samples},
    ),
)

max_epochs = {epochs}
train_cfg = dict(max_epochs=max_epochs)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up, dict(cosine, T_max=max_epochs, end=max_epochs)]
"""
#: What pairs need besides; the share of those that show another target, where there are several.
_PAIRS_CONFIG = """
train_dataloader['dataset']['negative_prob'] = {negative_prob}
val_dataloader = None
val_cfg = None
val_evaluator = None
"""
_NEGATIVES = 0.2
#: Characters of the log that the page shows.
_LOG_END = 4000


class Training:
    """The trainings of a project, each in a folder ``training/<name>``.

    Args:
        project: The project.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self._started: dict[str, subprocess.Popen] = {}

    def names(self) -> list[str]:
        """Names of the trainings, the newest last."""
        found = self.project.own.glob('training/*/config.py')
        return [path.parent.name for path in sorted(found, key=lambda path: path.stat().st_mtime)]

    def prepare(
        self,
        name: str,
        clips: Sequence[str],
        epochs: int,
        samples: int,
        batch_size: int,
        part: str = TRACKER,
        state: JobState | None = None,
    ) -> str:
        """Export the labels and write a config; gives the command that trains.

        Args:
            name: Name of the training, and of the tracker that it makes.
            clips: Names of the clips to train on.
            epochs: How many, at least 1.
            samples: Samples of an epoch: pairs, or groups of views.
            batch_size: Samples of a step.
            part: What is trained, a key of :data:`PARTS`: the network that decides on pixels, or the
                tracker before it.
            state: Takes the progress of the export.

        Raises:
            BusyError: If a training runs.
            ValueError: If the name is taken by a tracker, nothing is labelled, or there is no such part.
        """
        folder = self._folder(name)
        if name in self.project.models():
            raise ValueError(f'there is a tracker {name} already: give another name')
        if min(epochs, samples, batch_size) < 1:
            raise ValueError('epochs, samples and batch size must be at least 1')
        if part not in PARTS:
            raise ValueError(f'trained can be {" or ".join(PARTS)}, not {part}')
        self._refuse_second()
        export(self.project, 'davis', folder / 'data', clips, state)
        known = [clip for clip in self.project.store.clips() if clip.name in clips]
        targets = sum(len(self.project.store.targets(clip.id)) for clip in known)
        text = _CONFIG.format(
            base=str(checkout_file(PARTS[part])),
            data=str(folder / 'data'),
            batch_size=batch_size,
            samples=samples,
            epochs=epochs,
        )
        if part == TRACKER:
            text += _PAIRS_CONFIG.format(negative_prob=_NEGATIVES if targets > 1 else 0)
        atomic_write(folder / 'config.py', text)
        atomic_write(folder / 'part.json', json.dumps(part))
        return subprocess.list2cmdline(train_words(folder))

    def start(self, name: str) -> None:
        """Train in a process of its own, from the newest checkpoint if there is one, then export.

        Raises:
            BusyError: If a training runs.
            KeyError: If nothing was prepared under the name.
        """
        folder = self._folder(name)
        if not (folder / 'config.py').is_file():
            raise KeyError(f'there is no training {name}')
        self._refuse_second()
        (folder / 'ended.json').unlink(missing_ok=True)
        words = [sys.executable, '-m', 'mmpolar.studio.training', str(folder)]
        with (folder / 'log.txt').open('ab') as log:
            process = subprocess.Popen(
                words, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                cwd=folder, start_new_session=True,
            )  # fmt: skip
        self._started[name] = process
        atomic_write(folder / 'process.json', json.dumps([socket.gethostname(), process.pid]))

    def stop(self, name: str) -> None:
        """End the process of a training; :meth:`start` goes on from its newest checkpoint."""
        folder = self._folder(name)
        if self.is_running(name):
            _, number = json.loads((folder / 'process.json').read_text())
            os.killpg(number, signal.SIGTERM)
            if name in self._started:
                self._started[name].wait()

    def is_running(self, name: str) -> bool:
        """Whether the process of a training is there, also one that an earlier page has started."""
        folder = self._folder(name)
        if name in self._started:
            return self._started[name].poll() is None
        try:
            owner = json.loads((folder / 'process.json').read_text())
        except FileNotFoundError:
            return False
        if (folder / 'ended.json').exists() or process_is_gone(owner):
            return False
        words = Path(f'/proc/{owner[1]}/cmdline')  # another process may have got the number
        return not words.exists() or str(folder).encode() in words.read_bytes()

    def shown(self) -> list[dict[str, Any]]:
        """What the page shows of each training, the newest last: state, command, end of the log, loss."""
        return [self._shown(name) for name in self.names()]

    def _shown(self, name: str) -> dict[str, Any]:
        folder = self._folder(name)
        log, ended = folder / 'log.txt', folder / 'ended.json'
        return dict(
            name=name,
            started=(folder / 'process.json').exists(),
            running=self.is_running(name),
            status=json.loads(ended.read_text()) if ended.exists() else None,
            command=subprocess.list2cmdline(train_words(folder)),
            log=log.read_text(errors='replace')[-_LOG_END:] if log.exists() else '',
            loss=_losses(folder / 'work'),
            tracker=(self.project.own / 'models' / name / 'model.json').exists(),
        )

    def _folder(self, name: str) -> Path:
        return self.project.own_path('training', check_file_name(name, 'a training'))

    def _refuse_second(self) -> None:
        for name in self.names():
            if self.is_running(name):
                raise BusyError(f'training {name} is running: wait for its end, or stop it')


def checkout_file(name: str) -> Path:
    """A config or tool that comes with the package, where it is installed or in a checkout.

    Raises:
        FileNotFoundError: If it is in neither.
    """
    package = PACKAGE_FOLDER.parent
    for folder in (package.parent, package / '.mim'):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f'{name} is not there: install mmpolar again')


def _losses(work: Path) -> list[tuple[int, float]]:
    """Iterations and total loss of all that was trained so far."""
    logs = sorted(work.glob('*/vis_data/scalars.json'))
    if not logs:
        return []
    from mmpolar.visualization import read_training_curves  # with matplotlib, as training is

    points = [point for log in logs for point in read_training_curves(log)[0].get('loss', [])]
    return sorted(dict(points).items())


def train_and_export(folder: Path) -> int:
    """Train and export; gives the exit status of the first that failed, which ``ended.json`` notes."""
    status = subprocess.call(train_words(folder))
    if status == 0:
        for words in _export_commands(folder):
            status = status or subprocess.call([sys.executable, *words])
    atomic_write(folder / 'ended.json', json.dumps(status))
    return status


def trained_part(folder: Path) -> str:
    """What is trained in a folder, a key of :data:`PARTS`."""
    file = folder / 'part.json'
    return json.loads(file.read_text()) if file.exists() else TRACKER


def train_words(folder: Path) -> list[str]:
    """The command that trains what was prepared in a folder."""
    script = str(checkout_file('tools/train.py'))
    work = ['--work-dir', str(folder / 'work'), '--resume']
    return [sys.executable, script, str(folder / 'config.py'), *work]


def _export_commands(folder: Path) -> Iterator[list[str]]:
    """What Python has to run to make a tracker of the newest checkpoint."""
    from mmpolar.utils.checkpoints.newest import newest_checkpoint

    config, (checkpoint, _) = folder / 'config.py', newest_checkpoint(folder / 'work')
    if trained_part(folder) == MASKS:
        stage, checkpoint = checkpoint, folder / 'tracker.pth'
        config = checkout_file(TRACKER_CONFIG)
        script = str(checkout_file('tools/model_converters/add_mask_stage.py'))
        facts = ['--data', 'labels of mmpolar studio', '--machine', platform.machine()]
        facts += ['--training-time', 'not noted']
        yield [script, DEFAULT_MODEL, str(stage), '--out', str(checkpoint), *facts]
    out = folder.parents[1] / 'models' / folder.name
    yield ['-m', 'mmpolar.cli', 'export', str(config), str(checkpoint), '--out', str(out)]


if __name__ == '__main__':
    sys.exit(train_and_export(Path(sys.argv[1])))
