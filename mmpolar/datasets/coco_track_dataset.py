"""Still images with annotated instances, each taken as a video of one frame."""

import json
import math
import os
from collections.abc import Mapping

import numpy as np
from pycocotools import mask as coco_mask

from mmpolar.datasets.base_track_dataset import BaseTrackDataset
from mmpolar.datasets.track import Track
from mmpolar.registry import DATASETS
from mmpolar.structures.grid import HALF_PIXEL
from mmpolar.structures.polar import mask_to_box
from mmpolar.structures.target import Target


@DATASETS.register_module()
class CocoTrackDataset(BaseTrackDataset):
    """Still images with annotated instances in COCO's format, each taken as a one-frame video.

    Crowd annotations are skipped; instances whose box or polygons cover fewer than ``min_area``
    square pixels are left out, and their number is logged. An instance without polygons has a box
    only. The box of an instance with polygons is that of its mask.

    Args:
        data_root: Root folder.
        ann_file: JSON file in COCO's instances format, absolute or below ``data_root``.
        data_prefix: Folder ``img_path`` of the images.
        **kwargs: See :class:`BaseTrackDataset`.

    Raises:
        FileNotFoundError: If the JSON file does not exist.
        ValueError: If it is not in COCO's instances format.
    """

    def __init__(
        self,
        data_root: str = '',
        ann_file: str = 'annotations.json',
        data_prefix: Mapping[str, str] | None = None,
        **kwargs,
    ) -> None:
        super().__init__(
            data_root=data_root,
            ann_file=ann_file,
            data_prefix=dict(img_path='images') | dict(data_prefix or {}),
            **kwargs,
        )

    def load_data_list(self) -> list[Track]:
        """Index the instances; no image is opened and no mask decoded."""
        content = self._load_json()
        images = {image['id']: image for image in content['images']}
        instances = [a for a in content['annotations'] if not a.get('iscrowd')]
        kept = [t for a in instances for t in self.errors.attempt(self._make_tracks, a, images)]
        self._log_dropped(len(instances) - len(kept), f'instances below {self.min_area} px^2')
        return kept

    def read_target(self, track: Track, frame: int) -> Target | None:
        """Target of an instance; see :meth:`BaseTrackDataset.read_target`.

        Args:
            track: The instance.
            frame: 0.

        Returns:
            The target; without a mask where the instance has no polygons, or they cover no pixel.

        Raises:
            FileNotFoundError: If the image of the instance does not exist.
        """
        path = track.frames[frame]
        if not os.path.isfile(path):
            raise FileNotFoundError(
                f'dataset "{self.name}": image {path}, listed in {self.ann_file}, does not exist; '
                "add it or correct data_prefix['img_path']"
            )
        if track.segmentation is None:
            return super().read_target(track, frame)
        mask = decode_segmentation(track.segmentation, track.mask_size)
        box = mask_to_box(mask)
        return super().read_target(track, frame) if box is None else Target(box, mask)

    def _load_json(self) -> dict:
        if not os.path.isfile(self.ann_file):
            raise FileNotFoundError(
                f'dataset "{self.name}": annotation file {self.ann_file} does not exist; '
                'check data_root and ann_file'
            )
        try:
            with open(self.ann_file, encoding='utf-8') as file:
                content = json.load(file)
        except ValueError as error:
            raise ValueError(f'{self.ann_file} is not valid JSON: {error}') from error
        if not isinstance(content, dict) or not {'images', 'annotations'} <= content.keys():
            raise ValueError(
                f'{self.ann_file} is not in COCO\'s instances format: it needs the keys "images" '
                'and "annotations"'
            )
        return content

    def _make_tracks(self, annotation: dict, images: dict[int, dict]) -> list[Track]:
        """Index entry of an instance; none if the instance is too small."""
        image = self._image_of(annotation, images)
        x, y, width, height = self._box_of(annotation)
        segmentation = _usable_segmentation(annotation.get('segmentation'))
        area = width * height if min(width, height) > 0 else 0
        if segmentation is not None:
            area = min(area, _segmentation_area(segmentation))
        if not area >= self.min_area:
            return []
        # COCO counts coordinates from the corner of the first pixel.
        x1, y1 = x - HALF_PIXEL, y - HALF_PIXEL
        track = Track(
            video_name=f'{image["file_name"]}-{annotation["id"]}',
            frames=[os.path.join(self.data_prefix['img_path'], image['file_name'])],
            boxes=[[x1, y1, x1 + width, y1 + height]],
            segmentation=segmentation,
            mask_size=(image['height'], image['width']),
            category=annotation.get('category_id'),
        )
        return [track]

    def _image_of(self, annotation: dict, images: dict[int, dict]) -> dict:
        image = images.get(annotation.get('image_id'))
        if image is None:
            raise ValueError(
                f'{self.ann_file}: annotation {annotation.get("id")} belongs to image '
                f'{annotation.get("image_id")}, which the file does not list; add the image or '
                'take the annotation out'
            )
        missing = {'file_name', 'height', 'width'} - image.keys()
        if missing:
            raise ValueError(f'{self.ann_file}: image {image["id"]} lacks {sorted(missing)}')
        return image

    def _box_of(self, annotation: dict) -> tuple[float, float, float, float]:
        box = annotation.get('bbox', ())
        if len(box) != 4:
            raise ValueError(
                f'{self.ann_file}: annotation {annotation.get("id")} needs a "bbox" of four '
                f'numbers x, y, width, height, got {box}'
            )
        x, y, width, height = (float(value) for value in box)
        return x, y, width, height


def decode_segmentation(segmentation: list | dict, size: tuple[int, int]) -> np.ndarray:
    """Mask of polygons or run lengths in COCO's form.

    Args:
        segmentation: List of polygons ``[x1, y1, x2, y2, ...]``, pixel corners at integers; or
            run lengths, compressed or not.
        size: Height and width of the image.

    Returns:
        Mask of shape (H, W), uint8 with values 0 and 1; the union of the polygons.
    """
    if isinstance(segmentation, dict):
        runs = _compressed(segmentation)
    else:
        runs = coco_mask.merge(coco_mask.frPyObjects(segmentation, *size))
    return np.ascontiguousarray(coco_mask.decode(runs))


def _usable_segmentation(segmentation: list | dict | None) -> list | dict | None:
    """The segmentation without polygons of fewer than three corners; None if nothing is left."""
    if isinstance(segmentation, dict):
        return segmentation
    return [polygon for polygon in segmentation or [] if len(polygon) >= 6] or None


def _segmentation_area(segmentation: list | dict) -> float:
    """Area in square pixels; polygons that overlap count twice."""
    if isinstance(segmentation, dict):
        return float(coco_mask.area(_compressed(segmentation)))
    return math.fsum(_polygon_area(np.asarray(polygon, dtype=float)) for polygon in segmentation)


def _polygon_area(polygon: np.ndarray) -> float:
    """Area by the shoelace formula of a polygon of shape (2 V,)."""
    x, y = polygon[0::2], polygon[1::2]
    return 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))


def _compressed(runs: dict) -> dict:
    if isinstance(runs['counts'], list):
        return coco_mask.frPyObjects(runs, *runs['size'])
    return runs
