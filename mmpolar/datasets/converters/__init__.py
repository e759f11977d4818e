"""Readers of what annotation tools export, and the writer of DAVIS's folders.

They are imported when they are asked for: the writer works without MMEngine and pycocotools.
"""

from importlib import import_module
from typing import Any

#: Module of each name.
MODULES = {
    'Clip': 'clip',
    'ClipFrame': 'clip',
    'Summary': 'clip',
    'read_coco': 'coco',
    'read_cvat': 'cvat',
    'read_labelme': 'labelme',
    'read_mask_folders': 'mask_folder',
    'write_clips': 'clip',
}
__all__ = list(MODULES)


def __getattr__(name: str) -> Any:
    """The readers and the writer."""
    if name not in MODULES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{MODULES[name]}'), name)
