"""What one data sample says about one frame of a track, as plain arrays."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from mmpolar.datasets.track import Track
from mmpolar.structures.target import Target

_REQUIRED_META = ('frame_id', 'video_id', 'video_length')


@dataclass(frozen=True)
class TrackFrame:
    """Ground truth and prediction of one frame, read from a data sample.

    Attributes:
        video_id: Id of the video in its dataset.
        video_name: Name of the video; the id as text where the sample gives none.
        frame_id: Index of the frame in its video, from 0.
        video_length: Number of frames of the video.
        img_path: Image file of the frame, if known.
        image_size: (height, width) of the frame, if known.
        annotated: Whether the sample carries ground truth at all. If it does and ``gt_box`` is
            None, the target is absent from this frame.
        gt_box: True box (4,) float64 xyxy, or None.
        gt_mask: True mask (H, W) uint8 0/1, or None.
        box: Predicted box (4,) float64 xyxy, or None where the tracker found nothing; numbers that
            are not finite count as nothing found.
        score: Predicted score, NaN without a prediction.
        polygon: Predicted contour (V, 2) float64, or None.
        mask: Predicted mask (H, W) uint8 0/1, or None where the tracker draws none. A prediction
            of no target with masks of shape (0, H, W) is an empty mask.
        visible: Whether the tracker says that it sees the target; a tracker that does not say so sees
            what it gives a box for.
        seconds: Time that the tracker took, as measured; NaN where nobody measured it.
        flags: What else the benchmark says about the frame, by name.
        category: Category of the target, if known.
        sequence: Name of the video that several targets, each a video here, may share, if known.
        object_id: Value of the target in the masks of that video, if it has one.
    """

    video_id: Hashable
    video_name: str
    frame_id: int
    video_length: int
    img_path: str | None
    image_size: tuple[int, int] | None
    annotated: bool
    gt_box: np.ndarray | None
    gt_mask: np.ndarray | None
    box: np.ndarray | None
    score: float
    polygon: np.ndarray | None
    mask: np.ndarray | None
    visible: bool = True
    seconds: float = float('nan')
    flags: Mapping[str, Any] = field(default_factory=dict)
    category: Hashable | None = None
    sequence: str | None = None
    object_id: int | None = None

    @property
    def video_key(self) -> tuple[Hashable, str]:
        """What tells videos apart, also where joined datasets repeat an id."""
        return self.video_id, self.video_name

    @property
    def is_last(self) -> bool:
        """Whether this is the last frame of its video."""
        return self.frame_id == self.video_length - 1

    @classmethod
    def from_sample(cls, sample: Mapping[str, Any]) -> 'TrackFrame':
        """Read a data sample that a tracker has answered.

        Args:
            sample: ``DetDataSample.to_dict()`` with ``pred_track_instances``, optionally
                ``gt_instances``, and the metainfo ``frame_id``, ``video_id`` and ``video_length``.

        Returns:
            The frame; arrays are views of CPU tensors where possible.

        Raises:
            KeyError: If the sample lacks the prediction or one of these metainfo keys.
        """
        missing = [key for key in _REQUIRED_META if sample.get(key) is None]
        if missing:
            raise KeyError(
                f'data sample of {sample.get("img_path", "unknown image")} lacks the metainfo '
                f'{missing}; list them in meta_keys of the pipeline step that packs the sample'
            )
        pred = sample.get('pred_track_instances')
        if pred is None:
            raise KeyError(
                f'data sample of frame {sample["frame_id"]} of video {_video_name(sample)!r} has '
                'no pred_track_instances; only the answers of a tracker can be used here'
            )
        gt = sample.get('gt_instances')
        return cls(
            video_id=_plain(sample['video_id']),
            video_name=_video_name(sample),
            frame_id=int(sample['frame_id']),
            video_length=int(sample['video_length']),
            img_path=sample.get('img_path'),
            image_size=tuple(sample['ori_shape'][:2]) if sample.get('ori_shape') else None,
            annotated=gt is not None,
            gt_box=_first(gt, 'bboxes', np.float64),
            gt_mask=_first_mask(gt) if _first(gt, 'bboxes') is not None else None,
            box=_finite(_first(pred, 'bboxes', np.float64)),
            score=_score(pred),
            polygon=_finite(_first(pred, 'polygons', np.float64)),
            mask=_first_mask(pred),
            visible=_is_visible(pred),
            seconds=float(sample.get('track_seconds', 'nan')),
            flags=sample.get('flags') or {},
            category=sample.get('category'),
            sequence=sample.get('sequence'),
            object_id=sample.get('object_id'),
        )

    @classmethod
    def from_track(
        cls,
        track: Track,
        index: int,
        target: Target | None,
        *,
        box: np.ndarray | None,
        score: float,
        mask: np.ndarray | None,
        polygon: np.ndarray | None = None,
        visible: bool | None = None,
        image_size: tuple[int, int] | None = None,
        length: int | None = None,
    ) -> 'TrackFrame':
        """A frame of a track, with what a tracker answered there.

        Args:
            track: The track.
            index: Number of the frame.
            target: The ground truth; None where the target is absent or the frame is not annotated.
            box: The tracker's box, (4,) xyxy, or None where it found nothing.
            score: The tracker's score, NaN where it found nothing.
            mask: The tracker's mask, (H, W) uint8 0/1, or None.
            polygon: The tracker's contour, (V, 2), or None.
            visible: Whether the tracker sees the target; by default where it has a box.
            image_size: Height and width, where the ground truth has no mask that tells them.
            length: Number of frames that are scored; by default all of the track.
        """
        gt_mask = None if target is None else target.mask
        return cls(
            video_id=track.sample_idx,
            video_name=track.video_name,
            frame_id=index,
            video_length=len(track) if length is None else length,
            img_path=track.frames[index],
            image_size=image_size if gt_mask is None else gt_mask.shape,
            annotated=track.is_annotated(index),
            gt_box=None if target is None else np.asarray(target.box, np.float64),
            gt_mask=gt_mask,
            box=None if box is None else np.asarray(box, np.float64),
            score=score,
            polygon=polygon,
            mask=mask,
            visible=box is not None if visible is None else visible,
            flags=track.flags_at(index),
            category=track.category,
            sequence=track.sequence,
            object_id=track.object_id,
        )


def _is_visible(pred: Mapping[str, Any]) -> bool:
    visible = _first(pred, 'visible')
    return _first(pred, 'bboxes') is not None if visible is None else bool(visible)


def _plain(video_id: Any) -> Hashable:
    """A NumPy or torch number as a Python number."""
    return video_id.item() if hasattr(video_id, 'item') else video_id


def _video_name(sample: Mapping[str, Any]) -> str:
    return str(sample.get('video_name') or sample['video_id'])


def _first(
    instances: Mapping[str, Any] | None, key: str, dtype: type | None = None
) -> np.ndarray | None:
    """First row of a field as an array, None where the field or the row lacks."""
    values = None if instances is None else instances.get(key)
    if values is None or len(values) == 0:
        return None
    row = values[0]
    row = row.detach().cpu().numpy() if isinstance(row, torch.Tensor) else np.asarray(row)
    return row if dtype is None else row.astype(dtype)


def _finite(values: np.ndarray | None) -> np.ndarray | None:
    return values if values is not None and np.isfinite(values).all() else None


def _score(instances: Mapping[str, Any]) -> float:
    score = _first(instances, 'scores')
    return float('nan') if score is None else float(score)


def _first_mask(instances: Mapping[str, Any] | None) -> np.ndarray | None:
    """First mask, from a tensor or array (N, H, W) or one of MMDetection's mask structures."""
    masks = None if instances is None else instances.get('masks')
    if masks is None:
        return None
    if hasattr(masks, 'to_ndarray'):
        masks = masks.to_ndarray()
    if isinstance(masks, torch.Tensor):
        masks = masks.detach().cpu().numpy()
    if masks.ndim != 3:
        return None
    mask = masks[0] if len(masks) else np.zeros(masks.shape[1:], np.uint8)
    return np.ascontiguousarray(mask if mask.dtype == bool else mask != 0).view(np.uint8)
