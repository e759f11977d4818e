"""Overlay videos and contact sheets while a tracker is tested or validated."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement

from mmpolar.evaluation.track_frame import TrackFrame
from mmpolar.registry import HOOKS
from mmpolar.utils.file_names import video_path_parts
from mmpolar.utils.image import read_image, write_image
from mmpolar.visualization import (
    GROUND_TRUTH_COLOR,
    VideoWriter,
    contact_sheet,
    draw_box,
    draw_mask_contour,
    draw_result,
    fit_to_size,
)

_SHEET_COLUMNS = 4
_SHEET_CELL_WIDTH = 320


@dataclass
class _Video:
    """Files of a video while its frames arrive; the sheet's images are kept small."""

    stem: Path
    writer: VideoWriter
    sheet_frames: frozenset[int]
    cell: tuple[int, int]
    images: list[np.ndarray] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)


@HOOKS.register_module()
class TrackVisualizationHook(Hook):
    """Writes an overlay video and a contact sheet of each video that is tested or validated.

    For a video ``name`` (a ``/`` in it makes sub-folders) it writes ``name.mp4`` and ``name.png``
    into the output folder, after a validation into its sub-folder ``iter_<n>``, n being the
    iteration of the training. Frames of another size than the first are scaled to fit it.

    Args:
        out_dir: Output folder; by default ``track_vis`` in the folder of the run's logs.
        interval: Draws every ``interval``-th frame of a video, counted from frame 0, at least 1.
        fps: Frames per second of the videos, above 0.
        sheet_frames: Images on a contact sheet, evenly spaced in the video, at least 1.
        draw_ground_truth: Whether to draw the true contour, or box where there is no mask, in green.

    Raises:
        ValueError: If a number is out of its range.
    """

    priority = 'LOW'

    def __init__(
        self,
        out_dir: str | None = None,
        interval: int = 1,
        fps: float = 25,
        sheet_frames: int = 12,
        draw_ground_truth: bool = True,
    ) -> None:
        if interval < 1 or sheet_frames < 1 or not fps > 0:
            raise ValueError(
                'TrackVisualizationHook needs interval and sheet_frames of at least 1 and fps above '
                f'0, got interval={interval}, sheet_frames={sheet_frames}, fps={fps}'
            )
        self.out_dir = out_dir
        self.interval = interval
        self.fps = fps
        self.sheet_frames = sheet_frames
        self.draw_ground_truth = draw_ground_truth
        self._videos: dict[Hashable, _Video] = {}

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[BaseDataElement] | None = None,
    ) -> None:
        """Draw the frames of a test batch; ``outputs`` have ``pred_track_instances``."""
        self._add_samples(outputs, self._root(runner))

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[BaseDataElement] | None = None,
    ) -> None:
        """Draw the frames of a validation batch, likewise."""
        self._add_samples(outputs, self._root(runner) / f'iter_{runner.iter}')

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Finish the videos whose last frame never came."""
        self._finish_all()

    after_val_epoch = after_test_epoch

    def _root(self, runner: Runner) -> Path:
        return Path(runner.log_dir) / 'track_vis' if self.out_dir is None else Path(self.out_dir)

    def _add_samples(self, samples: Sequence[BaseDataElement], root: Path) -> None:
        for sample in samples:
            frame = TrackFrame.from_sample(sample.to_dict())
            if frame.frame_id == 0 and frame.video_key in self._videos:
                self._finish(self._videos.pop(frame.video_key))
            sheet_frames = _evenly_spaced(frame.video_length, self.sheet_frames)
            if frame.frame_id % self.interval == 0 or frame.frame_id in sheet_frames:
                self._draw(frame, sheet_frames, root)
            if frame.is_last and frame.video_key in self._videos:
                self._finish(self._videos.pop(frame.video_key))

    def _draw(self, frame: TrackFrame, sheet_frames: frozenset[int], root: Path) -> None:
        image = _overlay(frame, self.draw_ground_truth)
        if frame.video_key not in self._videos:
            stem = root / video_path_parts(frame.video_name)
            self._videos[frame.video_key] = self._start(stem, image, sheet_frames)
        video = self._videos[frame.video_key]
        if frame.frame_id % self.interval == 0:
            video.writer.write(fit_to_size(image, video.writer.size))
        if frame.frame_id in video.sheet_frames:
            video.images.append(fit_to_size(image, video.cell))
            score = 'no target found' if frame.box is None else f'score {frame.score:.2f}'
            video.captions.append(f'frame {frame.frame_id}, {score}')

    def _start(self, stem: Path, image: np.ndarray, sheet_frames: frozenset[int]) -> _Video:
        height, width = image.shape[:2]
        cell = (_SHEET_CELL_WIDTH, max(1, round(height * _SHEET_CELL_WIDTH / width)))
        writer = VideoWriter(stem.with_name(f'{stem.name}.mp4'), self.fps, (width, height))
        return _Video(stem, writer, sheet_frames, cell)

    def _finish(self, video: _Video) -> None:
        video.writer.close()
        if video.images:
            sheet = contact_sheet(video.images, _SHEET_COLUMNS, video.captions)
            write_image(video.stem.with_name(f'{video.stem.name}.png'), sheet)

    def _finish_all(self) -> None:
        for video in self._videos.values():
            self._finish(video)
        self._videos.clear()


def _overlay(frame: TrackFrame, draw_ground_truth: bool) -> np.ndarray:
    if frame.img_path is None:
        raise KeyError(
            f'data sample of frame {frame.frame_id} of video {frame.video_name!r} lacks the '
            'metainfo img_path; list it in meta_keys of the pipeline step that packs the sample'
        )
    image = draw_result(
        read_image(frame.img_path),
        frame.box,
        frame.polygon,
        frame.mask,
        None if np.isnan(frame.score) else frame.score,
    )
    if not draw_ground_truth or frame.gt_box is None:
        return image
    if frame.gt_mask is not None:
        return draw_mask_contour(image, frame.gt_mask, GROUND_TRUTH_COLOR)
    return draw_box(image, frame.gt_box, GROUND_TRUTH_COLOR, thickness=1)


def _evenly_spaced(length: int, count: int) -> frozenset[int]:
    return frozenset(np.linspace(0, length - 1, min(count, length)).round().astype(int).tolist())
