"""Still images with annotated instances, each taken as a video of one frame."""

import os
from collections.abc import Mapping

from mmpolar.datasets.base_track_dataset import BaseTrackDataset
from mmpolar.datasets.coco_annotations import (
    CocoInstance,
    decode_segmentation,
    read_coco_file,
    segmentation_area,
)
from mmpolar.datasets.left_out import LeftOut
from mmpolar.datasets.touching_pairs import touching_pairs
from mmpolar.datasets.track import Track
from mmpolar.registry import DATASETS
from mmpolar.structures.grid import HALF_PIXEL
from mmpolar.structures.polar import mask_to_box
from mmpolar.structures.target import Target


@DATASETS.register_module()
class CocoTrackDataset(BaseTrackDataset):
    """Still images with annotated instances in COCO's format, each taken as a one-frame video.

    Crowd annotations are skipped, but for the brush masks that CVAT marks as crowds; instances
    whose box or polygons cover fewer than ``min_area`` square pixels and polygons of fewer than
    three corners are left out; their numbers are logged. An instance without polygons has a box
    only, around the turned one where CVAT gives a ``rotation``. The box of an instance with polygons
    is that of its mask.

    Args:
        data_root: Root folder.
        ann_file: JSON file in COCO's instances format, absolute or below ``data_root``.
        data_prefix: Folder ``img_path`` of the images.
        touching_pairs: Whether the targets are pairs of instances that touch, such as a rider with
            the horse, in place of the instances, see
            :func:`mmpolar.datasets.touching_pairs.touching_pairs`.
        **kwargs: See :class:`BaseTrackDataset`.

    Raises:
        FileNotFoundError: If the JSON file does not exist.
        ValueError: If it is not in COCO's instances format; the message names the entry.
    """

    def __init__(
        self,
        data_root: str = '',
        ann_file: str = 'annotations.json',
        data_prefix: Mapping[str, str] | None = None,
        touching_pairs: bool = False,
        **kwargs,
    ) -> None:
        self.touching_pairs = touching_pairs
        super().__init__(
            data_root=data_root,
            ann_file=ann_file,
            data_prefix=dict(img_path='images') | dict(data_prefix or {}),
            **kwargs,
        )

    def load_data_list(self) -> list[Track]:
        """Index the instances; no image is opened, and no mask decoded but for pairs."""
        if not os.path.isfile(self.ann_file):
            raise FileNotFoundError(
                f'dataset "{self.name}": annotation file {self.ann_file} does not exist; '
                'check data_root and ann_file'
            )
        left_out = LeftOut()
        kept, small = [], 0
        instances = read_coco_file(self.ann_file, self.errors, left_out)[1]
        for instance in touching_pairs(instances) if self.touching_pairs else instances:
            tracks = self._make_tracks(instance)
            small += not tracks
            kept += tracks
        self._log_dropped(small, f'instances below {self.min_area} px^2')
        if small:
            self.errors.note(
                f'{self.ann_file}: left out {small} instances below {self.min_area} px^2'
            )
        self._log_left_out(left_out)
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

    def _make_tracks(self, instance: CocoInstance) -> list[Track]:
        """Index entry of an instance; none if the instance is too small."""
        image, segmentation = instance.image, instance.segmentation
        area = instance.box_area
        if segmentation is not None:
            area = min(area, segmentation_area(segmentation, image.size))
        if area < self.min_area:
            return []
        # COCO counts coordinates from the corner of the first pixel.
        corners = instance.corners - HALF_PIXEL
        track = Track(
            video_name=f'{image.file_name}-{instance.id}',
            frames=[os.path.join(self.data_prefix['img_path'], image.file_name)],
            boxes=[[*corners.min(axis=0), *corners.max(axis=0)]],
            segmentation=segmentation,
            mask_size=image.size,
            category=instance.values.get('category_id'),
        )
        return [track]
