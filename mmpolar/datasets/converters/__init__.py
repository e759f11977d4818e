"""Readers of what annotation tools export, and the writer of DAVIS's folders.

They are imported when they are asked for: the writer works without MMEngine and pycocotools.
"""

from mmpolar.utils.lazy_names import lazy_names

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
__getattr__ = lazy_names(__name__, MODULES)
