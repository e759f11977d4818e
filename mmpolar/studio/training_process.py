"""Trains what :class:`mmpolar.studio.training.Training` prepared, then exports it as a tracker.

Usage: python -m mmpolar.studio.training_process FOLDER
"""

import json
import subprocess
import sys
from pathlib import Path

from mmpolar.studio.training import train_words
from mmpolar.utils.atomic_write import atomic_write


def main(folder: Path) -> int:
    """Train and export; gives the exit status of the first that failed, which ``ended.json`` notes."""
    status = subprocess.call(train_words(folder))
    if status == 0:
        from mmpolar.utils.checkpoints.newest import newest_checkpoint

        checkpoint, _ = newest_checkpoint(folder / 'work')
        out = folder.parents[1] / 'models' / folder.name
        words = [str(folder / 'config.py'), str(checkpoint), '--out', str(out)]
        status = subprocess.call([sys.executable, '-m', 'mmpolar.cli', 'export', *words])
    atomic_write(folder / 'ended.json', json.dumps(status))
    return status


if __name__ == '__main__':
    sys.exit(main(Path(sys.argv[1])))
