"""MMTracking's datasets of single-object tracking, as track datasets of mmpolar."""

from pathlib import PurePath
from typing import Any

import numpy as np

from mmpolar.datasets import BaseTrackDataset
from mmpolar.datasets.track import Track
from mmpolar.registry import DATASETS
from mmpolar.structures.grid import HALF_PIXEL

#: Folders of images below that of a video, not part of its name.
_IMAGE_FOLDERS = ('img', 'color')


@DATASETS.register_module()
class SOTTrackDataset(BaseTrackDataset):
    """One of MMTracking's datasets of single-object tracking, boxes only.

    MMTracking's dataset reads its own files, with its own arguments; this one takes its videos
    over once, so that they can be mixed with others in ``TrackPairDataset`` and scored by
    ``TrackSegMetric``. A frame in which MMTracking calls the target invisible, or whose box is
    smaller than ``min_area``, counts as one without target. So do the frames without a box in test
    sets that publish only the first.

    Args:
        dataset: Config of MMTracking's dataset, such as ``dict(type='GOT10kDataset', ...)``,
            without a pipeline.
        one_based: Whether the first pixel has the coordinate 1, as in OTB.
        **kwargs: See :class:`BaseTrackDataset`; ``test_mode`` is passed on to ``dataset``.

    Raises:
        ImportError: If MMTracking cannot be imported.
        ValueError: If boxes are not given as four numbers.
    """

    def __init__(
        self, dataset: dict, one_based: bool = False, test_mode: bool = False, **kwargs: Any
    ) -> None:
        _import_mmtrack()
        config = dict(dataset, _scope_='mmtrack', test_mode=test_mode, pipeline=[], lazy_init=True)
        self.source = DATASETS.build(config)
        self.one_based = one_based
        kwargs.setdefault('name', type(self.source).__name__)
        super().__init__(test_mode=test_mode, **kwargs)

    def load_data_list(self) -> list[Track]:
        """Take over MMTracking's videos."""
        self.source.full_init()
        tracks = [self._make_track(video) for video in range(self.source.num_videos)]
        kept = self._with_target(tracks, 'videos in which no frame has a target')
        names: dict[str, int] = {}
        for track in kept:
            track.video_name = _make_unique(track.video_name, names)
        return kept

    def _make_track(self, video: int) -> Track:
        images = self.source.get_img_infos_from_video(video)
        annotations = self.source.get_ann_infos_from_video(video)
        name = self._video_name(video, images['img_paths'])
        return Track(
            video_name=name,
            frames=images['img_paths'],
            boxes=self._present_boxes(name, annotations),
        )

    def _video_name(self, video: int, frames: list[str]) -> str:
        """Last folder of the video's path; a still image's path without ending."""
        path = self.source.get_data_info(video).get('video_path')
        parts = PurePath(path).parts if path else PurePath(frames[0]).with_suffix('').parts
        return next(part for part in reversed(parts) if part not in _IMAGE_FOLDERS)

    def _present_boxes(self, name: str, annotations: dict) -> list[list[float] | None]:
        """Boxes of all frames, pixel centres at integers; None where there is no target."""
        boxes = np.asarray(annotations['bboxes'], dtype=np.float64)
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError(
                f'dataset "{self.name}", video "{name}": boxes must be given as four numbers, got '
                f'an array of shape {boxes.shape}'
            )
        visible = np.asarray(annotations['visible'], dtype=bool)
        sides = boxes[:, 2:] - boxes[:, :2]
        present = visible[: len(boxes)] & np.isfinite(boxes).all(1) & (sides > 0).all(1)
        present &= sides.prod(1) >= self.min_area
        # MMTracking passes on what the files say; these count from the corner of the first pixel.
        boxes -= HALF_PIXEL + (1 if self.one_based else 0)
        found = [box if use else None for box, use in zip(boxes.tolist(), present, strict=True)]
        return found + [None] * (len(visible) - len(found))


def _import_mmtrack() -> None:
    """Register MMTracking's datasets."""
    try:
        import mmtrack.datasets  # noqa: F401
    except (ImportError, AssertionError) as error:
        raise ImportError(
            f'MMTracking cannot be imported ({error}); run the command as '
            '"python -m mmpolar.compat.mmtracking COMMAND ..."'
        ) from error


def _make_unique(name: str, used: dict[str, int]) -> str:
    """The name, with a number if it has been used."""
    used[name] = used.get(name, 0) + 1
    return name if used[name] == 1 else f'{name}-{used[name]}'
