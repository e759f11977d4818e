"""Readers of what annotation tools export, and the writer of DAVIS's folders."""

from mmpolar.datasets.converters.clip import Clip, ClipFrame, Summary, write_clips
from mmpolar.datasets.converters.coco import read_coco
from mmpolar.datasets.converters.cvat import read_cvat
from mmpolar.datasets.converters.labelme import read_labelme
from mmpolar.datasets.converters.mask_folder import read_mask_folders

__all__ = [
    'Clip',
    'ClipFrame',
    'Summary',
    'read_coco',
    'read_cvat',
    'read_labelme',
    'read_mask_folders',
    'write_clips',
]
