"""A small data set with masks, results of three trackers on it, and a config that names it."""

from dataclasses import dataclass
from pathlib import Path

import benchmark_folders as folders
import numpy as np
from stored_results import shifted, store_results

from mmpolar.datasets import DavisDataset

CONFIG = """
default_scope = 'mmpolar'
test_dataloader = dict(dataset=dict(type='DavisDataset', data_root='{root}', test_mode=True))
"""


@dataclass(frozen=True)
class Tracked:
    """Paths as texts, as they stand on a command line."""

    config: str
    near: str
    far: str
    boxes: str


def make_tracked_davis(root: Path) -> Tracked:
    """Twelve frames of two moving rectangles, of which one is away in frame 5.

    ``near`` is 1 px off, ``far`` 4 px and lost in the last four frames, ``boxes`` draws no masks.
    """
    videos = {}
    for name, top in (('bear', 4), ('camel', 15)):
        videos[name] = [folders.filled(2 + i, top, 13 + i, top + 9) for i in range(12)]
    videos['camel'][5] = np.zeros((folders.HEIGHT, folders.WIDTH), np.uint8)
    data = folders.write_davis(root, videos)
    dataset = DavisDataset(str(data), test_mode=True)
    config = root / 'tiny.py'
    config.write_text(CONFIG.format(root=data))
    return Tracked(
        str(config),
        str(store_results(dataset, root / 'near', shifted(1))),
        str(store_results(dataset, root / 'far', shifted(4, lost_after=7))),
        str(store_results(dataset, root / 'boxes_only', shifted(2, masks=False))),
    )
