"""Tracking results as files: masks, boxes, scores and contours."""

import json
import logging
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmpolar.evaluation.metrics.gathered_metric import GatheredMetric
from mmpolar.evaluation.track_frame import TrackFrame
from mmpolar.registry import METRICS
from mmpolar.structures.boxes import to_corner_xywh
from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.file_names import video_path_parts
from mmpolar.utils.mask_file import encode_mask


@dataclass
class DumpedVideo:
    """Results of a video while its frames arrive; masks are kept as PNG files in memory."""

    name: str
    frame_names: list[str] = field(default_factory=list)
    masks: list[bytes | None] = field(default_factory=list)
    boxes: list[np.ndarray | None] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    polygons: list[np.ndarray | None] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def append(self, frame: TrackFrame) -> None:
        """Take in a frame."""
        name = Path(frame.img_path).stem if frame.img_path else f'{frame.frame_id:05d}'
        self.frame_names.append(name)
        self.masks.append(_encode_mask(frame))
        self.boxes.append(frame.box)
        self.scores.append(0.0 if np.isnan(frame.score) else frame.score)
        self.polygons.append(frame.polygon)
        self.seconds.append(frame.seconds)

    def describe(self) -> dict[str, Any]:
        """What the main process gets to know of the video, in plain values; ``name`` at least."""
        return dict(name=self.name)


@METRICS.register_module()
class DumpTrackResults(GatheredMetric):
    """Writes the answers of a tracker, each video as soon as it is finished.

    It computes nothing and works without ground truth. In ``out_dir`` it writes, for each video (a
    ``/`` in the name makes sub-folders):

    - ``masks/<video>/<frame>.png``: palette images in the colours of DAVIS, 1 the target, as its
      evaluation reads them; ``<frame>`` is the name of the image file, or the number of the frame
      with five digits where image names are unknown or repeat;
    - ``boxes/<video>.txt``: x, y, w, h a line, pixel corners at integers, as the box benchmarks
      write them; zeros where nothing was found;
    - ``boxes/<video>_scores.txt``: one score a line, 0 where nothing was found;
    - ``boxes/<video>_seconds.txt``: the time that the tracker took for each frame, as it measured
      it, nan where it did not; left out where it measured none;
    - ``polygons/<video>.json``: a list of ``{"frame", "polygon", "score"}`` in order, the polygon
      as [[x, y], ...] with pixel centres at integers, or null.

    Masks and polygons are left out where the tracker gives none. Several processes write their own
    videos into the same folder.

    Args:
        out_dir: Folder to write into; it is made.
        **kwargs: See :class:`GatheredMetric`. No name has the prefix.
    """

    default_prefix = 'dump'
    #: What is kept of a video.
    video_type = DumpedVideo

    def __init__(self, out_dir: str, **kwargs) -> None:
        super().__init__(**kwargs)
        self.out_dir = Path(out_dir)
        self._videos: dict[Hashable, DumpedVideo] = {}
        self._written: dict[str, Hashable] = {}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Take in the frames of one batch and write the videos that they finish.

        Args:
            data_batch: Not used.
            data_samples: Data samples as dicts, with ``pred_track_instances``.

        Raises:
            KeyError: If a sample lacks predictions or metainfo.
            ValueError: If two videos have one name.
        """
        for sample in data_samples:
            frame = TrackFrame.from_sample(sample)
            if frame.frame_id == 0 or frame.video_key not in self._videos:
                self._videos[frame.video_key] = self.video_type(frame.video_name)
            self._videos[frame.video_key].append(frame)
            if frame.is_last:
                video = self._videos.pop(frame.video_key)
                if self._written.setdefault(video.name, frame.video_key) != frame.video_key:
                    raise ValueError(
                        f'two videos are called {video.name!r}: the results of one would replace those '
                        f'of the other in {self.out_dir}; test their datasets one at a time'
                    )
                self._write(video)
                self.results.append(dict(video.describe(), complete=True))

    def evaluate(self, size: int) -> dict[str, float]:
        """Name the videos that were written and warn of those that never came to their end.

        Args:
            size: Number of frames of the dataset. Results are videos here, so it is not used.

        Returns:
            No metrics.
        """
        self.results.extend(
            dict(name=video.name, complete=False) for video in self._videos.values()
        )
        self._videos.clear()
        return super().evaluate(size)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Log where the results are; see :meth:`evaluate`."""
        complete = {video['name'] for video in results if video['complete']}
        print_log(f'results of {len(complete)} videos are in {self.out_dir}', logger='current')
        incomplete = sorted({video['name'] for video in results} - complete)
        if incomplete:
            print_log(
                f'results of {len(incomplete)} videos are not written, as their last frame never '
                f'came: {", ".join(incomplete)}; test whole videos with the sampler VideoSampler',
                logger='current',
                level=logging.WARNING,
            )
        return {}

    def _write(self, video: DumpedVideo) -> None:
        parts = video_path_parts(video.name)
        if any(mask is not None for mask in video.masks):
            _write_masks(self.out_dir / 'masks' / parts, video)
        _write_boxes(self.out_dir / 'boxes' / parts, video)
        if any(polygon is not None for polygon in video.polygons):
            _write_polygons(self.out_dir / 'polygons' / parts, video)


def _encode_mask(frame: TrackFrame) -> bytes | None:
    """The mask as a PNG file; an empty one where nothing was found and the frame's size is known."""
    mask = frame.mask
    if mask is None and frame.box is None and frame.image_size is not None:
        mask = np.zeros(frame.image_size, np.uint8)
    return None if mask is None else encode_mask(mask)


def _write_masks(folder: Path, video: DumpedVideo) -> None:
    names = video.frame_names
    if len(set(names)) < len(names):
        names = [f'{index:05d}' for index in range(len(names))]
    for name, mask in zip(names, video.masks, strict=True):
        if mask is not None:
            atomic_write(folder / f'{name}.png', mask, flush=False)


def _write_boxes(stem: Path, video: DumpedVideo) -> None:
    corners = [np.zeros(4) if box is None else to_corner_xywh(box) for box in video.boxes]
    boxes = [','.join(f'{value:.4f}' for value in box) for box in corners]
    _write_lines(stem.with_name(f'{stem.name}.txt'), boxes)
    scores = [f'{score:.6f}' for score in video.scores]
    _write_lines(stem.with_name(f'{stem.name}_scores.txt'), scores)
    seconds_file = stem.with_name(f'{stem.name}_seconds.txt')
    if np.isnan(video.seconds).all():
        # Times of an earlier test are not those of this one.
        seconds_file.unlink(missing_ok=True)
    else:
        _write_lines(seconds_file, [f'{value:.8f}' for value in video.seconds])


def _write_polygons(stem: Path, video: DumpedVideo) -> None:
    frames = [
        dict(
            frame=index,
            polygon=None if polygon is None else polygon.round(3).tolist(),
            score=video.scores[index],
        )
        for index, polygon in enumerate(video.polygons)
    ]
    atomic_write(stem.with_name(f'{stem.name}.json'), json.dumps(frames))


def _write_lines(file: Path, lines: list[str]) -> None:
    atomic_write(file, ''.join(f'{line}\n' for line in lines))
