"""One run of the ablation, in a process of its own."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

import mmpolar.registry  # noqa: F401  (lets checkpoints be resumed)
from benchmarks.ablations.plan import TRACKER, last_checkpoint_of
from benchmarks.ablations.report import RESULT_FILE, RunResult
from benchmarks.shared.runs import write_mark
from mmpolar.utils.checkpoints import read_checkpoint, read_release_checkpoint

#: Has the fingerprint of the settings that a run was begun with.
BEGUN_FILE = 'begun.json'
ADD_MASK_STAGE = Path(__file__).resolve().parents[2] / 'tools/model_converters/add_mask_stage.py'
TRAINING = ('train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler')
_PROGRESS = re.compile(r'~(train|test) (\d+) (\d+)\n?')


class TellProgress(Hook):
    """Prints how far a run has come, for :func:`read_progress`.

    Args:
        before: Updates of the stages before.
        total: Updates of all stages.
    """

    priority = 'VERY_LOW'

    def __init__(self, before: int, total: int) -> None:
        self.before = before
        self.total = total

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Tell the updates that are done."""
        print(f'~train {self.before + runner.iter + 1} {self.total}', flush=True)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence | None = None,
    ) -> None:
        """Tell the frames that are tracked."""
        print(f'~test {batch_idx + 1} {len(runner.test_dataloader)}', flush=True)


def read_progress(line: str) -> tuple[str, int, int] | None:
    """``'train'`` or ``'test'``, how much is done and of how much, of a line that tells it."""
    told = _PROGRESS.fullmatch(line)
    return None if told is None else (told[1], int(told[2]), int(told[3]))


def train_and_test(folder: Path, total: int) -> None:
    """Do the stages of a run that are not done, test, and write the result.

    Args:
        folder: Folder of the run, with the configs of its stages.
        total: Updates of all stages, for the progress.

    Raises:
        RuntimeError: If the updates were not as many.
    """
    start = time.perf_counter()
    configs = [Config.fromfile(path) for path in sorted(folder.glob('stage_*/config.py'))]
    resumed = [resume_if_begun(cfg) for cfg in configs]
    updates = 0
    for cfg in configs[:-1]:
        updates += train(cfg, updates, total).iter if not is_trained(cfg) else trained_updates(cfg)
    runner = train(configs[-1], updates, total)
    updates += runner.iter
    if updates != total:
        raise RuntimeError(f'{folder.name} made {updates} updates, not the {total} of its budget')
    tested = runner if configs[-1].get(TRACKER) is None else tracker_runner(configs[-1])
    metrics = {name.rpartition('/')[2]: float(value) for name, value in tested.test().items()}
    result = RunResult(
        updates=updates,
        pairs=updates * configs[-1].train_dataloader.batch_size,
        # Of an interrupted run nobody knows how long it took in all.
        seconds=None if any(resumed) else time.perf_counter() - start,
        metrics=metrics,
    )
    begun = json.loads((folder / BEGUN_FILE).read_text())
    write_mark(folder / RESULT_FILE, begun['fingerprint'], **result.to_dict())


def train(cfg: Config, before: int, total: int) -> Runner:
    """Train a stage to its end."""
    runner = Runner.from_cfg(cfg)
    runner.register_hook(TellProgress(before, total))
    runner.train()
    return runner


def tracker_runner(cfg: Config) -> Runner:
    """A runner that tests a trained mask stage in the released tracker that its config names."""
    checkpoint = last_checkpoint_of(cfg)
    released = checkpoint.with_name('tracker.pth')
    command = [sys.executable, ADD_MASK_STAGE, cfg[TRACKER], checkpoint, '--out', released]
    command += ['--data', 'an ablation', '--machine', 'that of the ablation']
    command += ['--training-time', 'not measured']
    subprocess.run(command, check=True)
    model = read_release_checkpoint(released).config.model
    # What is fitted to the released stage's scores would judge another stage by its own.
    model.test_cfg = dict(model.get('test_cfg') or {}, lost_score=0.0, second_peak_score=0.0)
    test = Config(cfg.to_dict())
    test.update(dict.fromkeys(TRAINING))
    test.model = model
    test.load_from, test.resume, test.custom_hooks = str(released), False, None
    test.experiment_name = f'{cfg.experiment_name}_tracker'
    runner = Runner.from_cfg(test)
    runner.register_hook(TellProgress(0, 0))
    return runner


def resume_if_begun(cfg: Config) -> bool:
    """Let a stage that has a checkpoint go on from it; gives whether it has one."""
    noted = Path(cfg.work_dir) / 'last_checkpoint'
    if not noted.is_file():
        return False
    cfg.resume = True
    # By its name alone: the folder may have been moved since.
    cfg.load_from = str(Path(cfg.work_dir) / Path(noted.read_text().strip()).name)
    return True


def is_trained(cfg: Config) -> bool:
    """Whether a stage came to its end before."""
    return cfg.get('resume', False) and Path(cfg.load_from) == last_checkpoint_of(cfg)


def trained_updates(cfg: Config) -> int:
    """Updates of a stage that came to its end before."""
    return read_checkpoint(last_checkpoint_of(cfg))['meta']['iter']
