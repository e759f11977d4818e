import os
from collections.abc import Callable, Mapping, Sequence

from mmengine.dataset import BaseDataset
from mmengine.fileio import isdir, join_path, list_dir_or_file

from mmpolar.datasets.base_track_dataset import build_transforms
from mmpolar.datasets.group_rule import GroupRule
from mmpolar.registry import DATASETS
from mmpolar.utils.image import IMAGE_SUFFIXES


@DATASETS.register_module()
class ImageFolderDataset(BaseDataset):
    """Images of folders, without annotations: a pool of negatives.

    All images in the folders and the folders below them, in the order of their paths, an image
    once. An item has ``img_path``; ``img_id``, the path without ``data_root``; ``group``, such as the
    camera that it comes from; and ``instances``, an empty list, of which MMDetection's
    ``LoadAnnotations`` makes empty boxes.

    Args:
        data_root: Folder that relative paths start from.
        data_prefix: ``img``, the folder, or several of them; by default ``data_root`` itself.
        pipeline: Transforms, in order.
        group: Options of :class:`mmpolar.datasets.group_rule.GroupRule`, ``pattern`` or ``table``; by
            default a group is a folder.
        backend_args: Arguments of MMEngine's file backend that lists the folders.
        **kwargs: Further arguments of :class:`mmengine.dataset.BaseDataset`; ``metainfo`` among
            them.

    Raises:
        FileNotFoundError: If a folder does not exist.
        ValueError: If there is no image in a folder and those below it.
    """

    #: What is listed, for messages, and the endings of such files.
    KIND = 'image'
    SUFFIXES = IMAGE_SUFFIXES

    def __init__(
        self,
        data_root: str = '',
        data_prefix: Mapping[str, str | Sequence[str]] | None = None,
        pipeline: Sequence[dict | Callable] = (),
        group: Mapping[str, str] | None = None,
        backend_args: dict | None = None,
        **kwargs,
    ) -> None:
        self.backend_args = backend_args
        self.group_rule = GroupRule(**(group or {}))
        super().__init__(
            data_root=str(data_root),
            data_prefix=dict(data_prefix or dict(img='')),
            pipeline=build_transforms(pipeline),
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """List the images of all folders."""
        return [
            dict(
                img_path=self._full_path(img_id),
                img_id=img_id,
                group=self.group_rule.group_of(img_id),
                instances=[],
            )
            for img_id in self._list_files()
        ]

    def _join_prefix(self) -> None:
        # In place of MMEngine's method, which takes a single folder.
        folders = self.data_prefix['img']
        self.data_prefix['img'] = [folders] if isinstance(folders, str) else list(folders)

    def _list_files(self) -> list[str]:
        """Paths of the files in all folders, without ``data_root``, each once."""
        folders = self.data_prefix['img']
        return list(dict.fromkeys(name for folder in folders for name in self._list_folder(folder)))

    def _list_folder(self, folder: str) -> list[str]:
        """Paths of the files in and below a folder, which they start with."""
        full = self._full_path(folder)
        if not isdir(full, backend_args=self.backend_args):
            raise FileNotFoundError(
                f'{self.KIND} folder "{full}" does not exist; check data_root and data_prefix'
            )
        names = list_dir_or_file(
            full, list_dir=False, recursive=True, backend_args=self.backend_args
        )
        found = sorted(name for name in names if name.lower().endswith(self.SUFFIXES))
        if not found:
            raise ValueError(
                f'{self.KIND} folder "{full}" has no {self.KIND} ({", ".join(self.SUFFIXES)}), nor '
                'have the folders below it; check data_root and data_prefix'
            )
        return [os.path.join(folder, name) for name in found]

    def _full_path(self, path: str) -> str:
        if not self.data_root or not path:
            return path or self.data_root
        return join_path(self.data_root, path, backend_args=self.backend_args)
