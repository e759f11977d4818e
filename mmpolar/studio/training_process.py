"""Trains what :class:`mmpolar.studio.training.Training` prepared, then exports it as a tracker.

Usage: python -m mmpolar.studio.training_process FOLDER
"""

import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from mmpolar.model_zoo import DEFAULT_MODEL
from mmpolar.studio.training import (
    MASKS,
    TRACKER_CONFIG,
    checkout_file,
    train_words,
    trained_part,
)
from mmpolar.utils.atomic_write import atomic_write


def main(folder: Path) -> int:
    """Train and export; gives the exit status of the first that failed, which ``ended.json`` notes."""
    status = subprocess.call(train_words(folder))
    if status == 0:
        for words in export_commands(folder):
            status = status or subprocess.call([sys.executable, *words])
    atomic_write(folder / 'ended.json', json.dumps(status))
    return status


def export_commands(folder: Path) -> Iterator[list[str]]:
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
    sys.exit(main(Path(sys.argv[1])))
