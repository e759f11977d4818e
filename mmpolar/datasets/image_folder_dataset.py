"""Images of folders, without annotations: a pool of negatives."""

import os
from collections.abc import Callable, Mapping, Sequence

from mmengine.dataset import BaseDataset
from mmengine.fileio import isdir, join_path, list_dir_or_file

from mmpolar.datasets.base_track_dataset import build_transforms
from mmpolar.registry import DATASETS
from mmpolar.utils.image import IMAGE_SUFFIXES


@DATASETS.register_module()
class ImageFolderDataset(BaseDataset):
    """Images of folders, without annotations: a pool of negatives.

    All images in the folders and the folders below them, in the order of their paths, an image
    once. An item has ``img_path``; ``img_id``, the path without ``data_root``; and ``instances``,
    an empty list, of which MMDetection's ``LoadAnnotations`` makes empty boxes.

    Args:
        data_root: Folder that relative paths start from.
        data_prefix: ``img``, the folder, or several of them; by default ``data_root`` itself.
        pipeline: Transforms, in order.
        backend_args: Arguments of MMEngine's file backend that lists the folders.
        **kwargs: Further arguments of :class:`mmengine.dataset.BaseDataset`; ``metainfo`` among
            them.

    Raises:
        FileNotFoundError: If a folder does not exist.
        ValueError: If there is no image in a folder and those below it.
    """

    def __init__(
        self,
        data_root: str = '',
        data_prefix: Mapping[str, str | Sequence[str]] | None = None,
        pipeline: Sequence[dict | Callable] = (),
        backend_args: dict | None = None,
        **kwargs,
    ) -> None:
        self.backend_args = backend_args
        super().__init__(
            data_root=str(data_root),
            data_prefix=dict(data_prefix or dict(img='')),
            pipeline=build_transforms(pipeline),
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """List the images of all folders."""
        folders = self.data_prefix['img']
        ids = [img_id for folder in folders for img_id in self._list_images(folder)]
        return [
            dict(img_path=self._full_path(img_id), img_id=img_id, instances=[])
            for img_id in dict.fromkeys(ids)
        ]

    def _join_prefix(self) -> None:
        # In place of MMEngine's method, which takes a single folder.
        folders = self.data_prefix['img']
        self.data_prefix['img'] = [folders] if isinstance(folders, str) else list(folders)

    def _list_images(self, folder: str) -> list[str]:
        """Paths of the images in and below a folder, which they start with."""
        full = self._full_path(folder)
        if not isdir(full, backend_args=self.backend_args):
            raise FileNotFoundError(
                f'image folder "{full}" does not exist; check data_root and data_prefix'
            )
        names = list_dir_or_file(
            full, list_dir=False, recursive=True, backend_args=self.backend_args
        )
        images = sorted(name for name in names if name.lower().endswith(IMAGE_SUFFIXES))
        if not images:
            raise ValueError(
                f'image folder "{full}" has no image ({", ".join(IMAGE_SUFFIXES)}), nor have the '
                'folders below it; check data_root and data_prefix'
            )
        return [os.path.join(folder, name) for name in images]

    def _full_path(self, path: str) -> str:
        if not self.data_root or not path:
            return path or self.data_root
        return join_path(self.data_root, path, backend_args=self.backend_args)
