"""Record of one track: one target in one video, as a dataset's annotations have it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from mmpolar.utils.deprecation import OldItemAccess

Boxes = Sequence[Sequence[float] | None] | np.ndarray


@dataclass(kw_only=True, eq=False)
class Track(OldItemAccess):
    """Annotations of one target in one video of T frames.

    Attributes:
        video_name: Name of the track, unique in its dataset.
        frames: Path of the image of each frame.
        mask_paths: Path of the mask of each frame, None where it is not annotated; None where the
            dataset has no mask files.
        object_id: Value of the target in the masks; None for every value but 0 (and 255, where
            other values occur too).
        boxes: Box ``x1, y1, x2, y2`` of each frame, (T, 4) float32, NaN where the target is absent
            or the frame is not annotated; pixel centres lie at integers. May be given as a list
            with None for NaN. None where only masks tell.
        segmentation: Polygons or run lengths in COCO's form, of a one-frame track.
        mask_size: Height and width of the mask that ``segmentation`` describes.
        category: Category of the target, if known.
        sequence: Name of the video, which several tracks may share; by default ``video_name``.
        annotated: Whether each frame is annotated, (T,) bool; None if all are. By default
            ``mask_paths`` tells.
        flags: What else the benchmark says about each frame, by name, arrays of shape (T,).
        extra: What else the dataset needs to read a target: values that JSON knows, and arrays.
        sample_idx: Index of the track in its dataset; None until the dataset has given it.
    """

    video_name: str
    frames: list[str]
    mask_paths: list[str | None] | None = None
    object_id: int | None = None
    boxes: Boxes | None = None
    segmentation: list | dict | None = None
    mask_size: tuple[int, int] | None = None
    category: int | str | None = None
    sequence: str = ''
    annotated: np.ndarray | None = None
    flags: dict[str, np.ndarray] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    sample_idx: int | None = None

    def __post_init__(self) -> None:
        self.sequence = self.sequence or self.video_name
        if self.boxes is not None and not isinstance(self.boxes, np.ndarray):
            self.boxes = [(np.nan,) * 4 if box is None else box for box in self.boxes]
        if self.boxes is not None:
            self.boxes = np.asarray(self.boxes, dtype=np.float32).reshape(-1, 4)
        if self.annotated is None and self.mask_paths is not None and None in self.mask_paths:
            self.annotated = np.array([path is not None for path in self.mask_paths])

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.frames)

    def is_annotated(self, frame: int) -> bool:
        """Whether it is known where the target is in a frame."""
        return self.annotated is None or bool(self.annotated[frame])

    def flags_at(self, frame: int) -> dict[str, Any]:
        """What else the benchmark says about a frame, plain numbers by name."""
        return {name: values[frame].item() for name, values in self.flags.items()}

    def frames_to_search(self) -> np.ndarray:
        """Indices of the frames that may show the target.

        Returns:
            Those with a box, or all annotated ones where only masks can tell.
        """
        if self.boxes is not None:
            return np.flatnonzero(~np.isnan(self.boxes[:, 0]))
        if self.annotated is not None:
            return np.flatnonzero(self.annotated)
        return np.arange(len(self.frames))

    def as_dict(self) -> dict[str, Any]:
        """The values by name, those of ``extra`` beside the others, as a pipeline gets them."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        extra, sample_idx = values.pop('extra'), values.pop('sample_idx')
        return values | extra | ({} if sample_idx is None else dict(sample_idx=sample_idx))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> 'Track':
        """The track of :meth:`as_dict`."""
        names = {field.name for field in fields(cls)} - {'extra'}
        extra = {name: value for name, value in values.items() if name not in names}
        return cls(**{name: values[name] for name in values if name in names}, extra=extra)


def make_track(video_name: str, frames: Sequence[str], **values: Any) -> Track:
    """A :class:`Track` of values by name; names that it does not know go into ``extra``."""
    return Track.from_dict(dict(video_name=video_name, frames=list(frames)) | values)


#: Old name of the method.
frames_to_search = Track.frames_to_search
