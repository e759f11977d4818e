"""A file of COCO's format, of images and the targets in them."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmpolar.structures.result_formats import to_coco
from mmpolar.structures.rle import decode_rle
from mmpolar.structures.track_result import TrackResult


class CocoFile:
    """Collects images and results, for :func:`json.dump`.

    Example:
        >>> import numpy as np
        >>> from mmpolar.structures.coco_file import CocoFile
        >>> from mmpolar.structures.track_result import TrackResult
        >>> file = CocoFile()
        >>> image_id = file.add_image('00000.jpg', (40, 60))
        >>> file.add_results([TrackResult(np.array([1, 2, 3, 4], np.float32), 0.5)], image_id)
        >>> file.content({1: 'target'})['annotations'][0]['area']
        4.0
    """

    def __init__(self) -> None:
        self._images: list[dict[str, Any]] = []
        self._entries: list[dict[str, Any]] = []

    def add_image(self, file_name: str, size: tuple[int, int]) -> int:
        """Add an image of a height and width; gives its number, from 0."""
        height, width = size
        number = len(self._images)
        self._images.append(dict(id=number, file_name=file_name, width=width, height=height))
        return number

    def add_results(
        self,
        results: Sequence[TrackResult],
        image_id: int,
        ids: Sequence[int] | None = None,
        category_id: int = 1,
    ) -> None:
        """Add the visible targets of an image; see :func:`to_coco`."""
        for entry in to_coco(results, image_id, ids, category_id):
            entry |= dict(id=len(self._entries) + 1, iscrowd=0)
            box_area = entry['bbox'][2] * entry['bbox'][3]
            mask = entry.get('segmentation')
            entry['area'] = box_area if mask is None else int(decode_rle(mask).sum())
            self._entries.append(entry)

    def content(self, categories: Mapping[int, str]) -> dict[str, Any]:
        """The content of the file.

        Args:
            categories: Name of each category by its number.
        """
        return dict(
            images=self._images,
            categories=[dict(id=number, name=name) for number, name in categories.items()],
            annotations=self._entries,
        )
