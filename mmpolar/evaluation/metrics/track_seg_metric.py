"""Scores of a tracker that gives boxes and masks, one row a sequence."""

import csv
import io
import json
import logging
import math
import sys
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from rich import box as rich_box
from rich.console import Console
from rich.table import Table

from mmpolar.evaluation.functional import (
    boundary_f,
    box_iou,
    box_similarity,
    center_distance,
    normalized_center_distance,
    normalized_precision_auc,
    precision_at,
    region_similarity,
    success_auc,
)
from mmpolar.evaluation.track_frame import TrackFrame
from mmpolar.registry import METRICS
from mmpolar.structures.polar import polar_ceiling

# In the order of the table. Those of a mask are NaN in a sequence without masks.
_BOX_VALUES = ('success', 'precision', 'norm_precision', 'iou', 'static_iou')
_MASK_VALUES = ('J', 'F', 'J_and_F', 'J_box', 'ceiling', 'static_J_box')
_VALUES = _BOX_VALUES + _MASK_VALUES
_NO_BOX = np.full(4, np.nan)


@dataclass
class _Video:
    """What is kept of a video while its frames arrive: numbers only, no mask."""

    video_id: Hashable
    name: str
    length: int
    has_masks: bool = False
    boxes_only: bool = False
    in_order: bool = True
    first_box: np.ndarray | None = None
    scores: list[float] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)
    gt_boxes: list[np.ndarray] = field(default_factory=list)
    mask_values: list[dict[str, float]] = field(default_factory=list)

    @property
    def n_frames(self) -> int:
        return len(self.boxes)


@METRICS.register_module()
class TrackSegMetric(BaseMetric):
    """Boxes as in OTB, masks as in DAVIS, with the bounds that put the figures into proportion.

    Frame 0, where the target is given, counts nowhere. Every figure is the mean over a sequence's
    other frames, then the mean over the sequences that have it:

    - ``success`` (area under the success plot), ``precision`` (20 px), ``norm_precision`` (area up
      to 0.5), ``iou`` (mean box overlap). Frames without a target are left out.
    - ``J``, ``F``, ``J_and_F`` of the predicted mask, for sequences whose first frame has a mask
      and where the tracker draws one for every box it gives.
      Where the target is absent an empty prediction scores 1, any other 0. A frame with a true box
      but no mask is left out. Unlike DAVIS 2017's toolkit the last frame counts.
    - ``J_box``: J of the filled predicted box; ``ceiling``: the IoU that a perfect polar contour of
      ``n_rays`` rays reaches on the true masks.
    - ``static_iou``, ``static_J_box``: what the first frame's box scores if it never moves.

    A figure that no sequence has is left out. A sequence is complete once frames 0 to
    ``video_length - 1`` came in order from one process; the others are named in a warning and left
    out. A sequence evaluated twice, as padding of distributed samplers does, counts once.

    Args:
        n_rays: Rays of the contour whose ceiling is measured, at least 3.
        outfile: Report to write, ``*.json``: means, figures per sequence and per frame. A table of
            the sequences goes into the ``.csv`` beside it. None writes nothing.
        collect_device: How the processes exchange results, in MMEngine's words: 'gpu' through the
            process group, of CPUs too, so that they need share no disk; 'cpu' through files. By
            default 'gpu', or 'cpu' where a ``collect_dir`` is given.
        prefix: Put before the names of the figures; by default ``track``.
        collect_dir: Folder on a shared disk through which processes exchange results on 'cpu'.

    Raises:
        ValueError: If ``outfile`` does not end in .json or ``n_rays`` is below 3.
    """

    default_prefix = 'track'

    def __init__(
        self,
        n_rays: int = 36,
        outfile: str | None = None,
        collect_device: str | None = None,
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        collect_device = collect_device or ('gpu' if collect_dir is None else 'cpu')
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        if outfile is not None and not str(outfile).endswith('.json'):
            raise ValueError(f'outfile must end in .json, got {outfile!r}')
        if n_rays < 3:
            raise ValueError(f'a contour needs at least 3 rays, got n_rays={n_rays}')
        self.n_rays = n_rays
        self.outfile = None if outfile is None else Path(outfile)
        self._videos: dict[Hashable, _Video] = {}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Score the frames of one batch; see :class:`BaseMetric`.

        Args:
            data_batch: Not used.
            data_samples: Data samples as dicts, with ``pred_track_instances`` and
                ``gt_instances``.

        Raises:
            KeyError: If a sample lacks predictions, metainfo or ground truth.
            ValueError: If a predicted mask differs from the true one in size.
        """
        for sample in data_samples:
            frame = TrackFrame.from_sample(sample)
            if not frame.annotated:
                raise KeyError(
                    f'frame {frame.frame_id} of video {frame.video_name!r} has no gt_instances; '
                    'TrackSegMetric needs annotated videos'
                )
            self._add(frame)

    def evaluate(self, size: int) -> dict[str, float]:
        """Collect the videos of all processes and compute the figures.

        Args:
            size: Number of frames of the dataset. It says nothing about the number of results,
                which are videos here, and is not used.

        Returns:
            Figure name, with the prefix, to value.
        """
        self.results.extend(_summary(video) for video in self._videos.values())
        self._videos.clear()
        return super().evaluate(sys.maxsize)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Average over the sequences, log the table and write the report.

        Args:
            results: One plain dict for each video that a process saw.

        Returns:
            Figure name to value, without the figures that no sequence has.
        """
        complete, incomplete = _sort_out(results)
        for video in incomplete:
            print_log(
                f'video {video["video_name"]!r} is left out of the evaluation: '
                f'{video["n_frames"]} of {video["video_length"]} frames came in order from one '
                'process; test whole videos with the sampler VideoSampler',
                logger='current',
                level=logging.WARNING,
            )
        means = {name: _mean([video['values'][name] for video in complete]) for name in _VALUES}
        means = {name: value for name, value in means.items() if not math.isnan(value)}
        if complete:
            print_log('\n' + _table(complete, means), logger='current')
        if self.outfile is not None:
            self._write_report(complete, incomplete, means)
        return means

    def _add(self, frame: TrackFrame) -> None:
        if frame.frame_id == 0 or frame.video_key not in self._videos:
            self._videos[frame.video_key] = self._start(frame)
        video = self._videos[frame.video_key]
        video.in_order &= frame.frame_id == video.n_frames
        video.boxes_only |= frame.box is not None and frame.mask is None and frame.frame_id > 0
        video.scores.append(frame.score)
        video.boxes.append(_NO_BOX if frame.box is None else frame.box)
        video.gt_boxes.append(_NO_BOX if frame.gt_box is None else frame.gt_box)
        if video.has_masks and video.in_order and frame.frame_id > 0:
            video.mask_values.append(self._mask_values(frame, video.first_box))
        if frame.is_last:
            self.results.append(_summary(self._videos.pop(frame.video_key)))

    def _start(self, frame: TrackFrame) -> _Video:
        if frame.frame_id == 0 and frame.gt_box is None:
            raise ValueError(
                f'frame 0 of video {frame.video_name!r} has no target; a track must start with one'
            )
        return _Video(
            video_id=frame.video_id,
            name=frame.video_name,
            length=frame.video_length,
            has_masks=frame.gt_mask is not None,
            first_box=frame.gt_box,
        )

    def _mask_values(self, frame: TrackFrame, first_box: np.ndarray) -> dict[str, float]:
        if frame.gt_box is None:
            empty = float(frame.mask is None or not frame.mask.any())
            return dict(J=empty, F=empty, J_box=float(frame.box is None), static_J_box=0.0)
        gt = frame.gt_mask
        if gt is None:
            return {}
        values = dict(
            J_box=box_similarity(_NO_BOX if frame.box is None else frame.box, gt),
            ceiling=polar_ceiling(gt, self.n_rays),
            static_J_box=box_similarity(first_box, gt),
        )
        mask = np.zeros_like(gt) if frame.mask is None and frame.box is None else frame.mask
        if mask is None:
            return values
        if mask.shape != gt.shape:
            raise ValueError(
                f'frame {frame.frame_id} of video {frame.video_name!r}: the predicted mask has '
                f'{mask.shape} pixels, the true one {gt.shape}; predict at the size of the frame'
            )
        return values | dict(J=region_similarity(mask, gt), F=boundary_f(mask, gt))

    def _write_report(
        self, complete: list[dict], incomplete: list[dict], means: dict[str, float]
    ) -> None:
        report = dict(
            n_rays=self.n_rays,
            mean=means,
            sequences=complete,
            incomplete=[video['video_name'] for video in incomplete],
        )
        self.outfile.parent.mkdir(parents=True, exist_ok=True)
        self.outfile.write_text(json.dumps(_nan_to_none(report), indent=1), encoding='utf-8')
        with self.outfile.with_suffix('.csv').open('w', newline='', encoding='utf-8') as file:
            writer = csv.writer(file)
            writer.writerow(['sequence', 'frames', *_VALUES])
            for video in complete:
                values = [_text(video['values'][name], 6) for name in _VALUES]
                writer.writerow([video['video_name'], video['n_frames'], *values])


def _summary(video: _Video) -> dict[str, Any]:
    """The figures of a video as plain numbers, ready to be sent between processes."""
    summary = dict(
        video_id=video.video_id,
        video_name=video.name,
        video_length=video.length,
        n_frames=video.n_frames,
        complete=video.in_order and video.n_frames == video.length,
    )
    if not summary['complete']:
        return summary
    boxes, gt_boxes = np.array(video.boxes[1:]), np.array(video.gt_boxes[1:])
    boxes, gt_boxes = boxes.reshape(-1, 4), gt_boxes.reshape(-1, 4)
    ious = box_iou(boxes, gt_boxes)
    static_boxes = np.broadcast_to(video.first_box, gt_boxes.shape)
    frames = dict(score=video.scores[1:], iou=ious.tolist())
    for name in ('J', 'F', 'J_box', 'ceiling', 'static_J_box'):
        frames[name] = [values.get(name, math.nan) for values in video.mask_values]
    if video.boxes_only:
        frames['J'] = frames['F'] = [math.nan] * len(video.mask_values)
    values = dict(
        success=success_auc(ious),
        precision=precision_at(center_distance(boxes, gt_boxes)),
        norm_precision=normalized_precision_auc(normalized_center_distance(boxes, gt_boxes)),
        iou=_mean(ious),
        static_iou=_mean(box_iou(static_boxes, gt_boxes)),
        J=_mean(frames['J']),
        F=_mean(frames['F']),
        J_box=_mean(frames['J_box']),
        ceiling=_mean(frames['ceiling']),
        static_J_box=_mean(frames['static_J_box']),
    )
    values['J_and_F'] = (values['J'] + values['F']) / 2
    return summary | dict(values=values, frames=frames)


def _sort_out(results: list[dict]) -> tuple[list[dict], list[dict]]:
    """Complete videos and those of which no complete copy exists, each once, sorted by id."""
    complete, incomplete = {}, {}
    for video in results:
        (complete if video['complete'] else incomplete).setdefault(_key(video), video)
    for key in complete:
        incomplete.pop(key, None)
    by_name = [sorted(videos.values(), key=_name) for videos in (complete, incomplete)]
    return by_name[0], by_name[1]


def _key(video: dict) -> tuple[Hashable, str]:
    return video['video_id'], video['video_name']


def _name(video: dict) -> str:
    return video['video_name']


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def _table(complete: list[dict], means: dict[str, float]) -> str:
    table = Table(box=rich_box.ASCII)
    table.add_column('sequence', no_wrap=True)
    table.add_column('frames', justify='right')
    for name in means:
        table.add_column(name, justify='right', no_wrap=True)
    for video in complete:
        values = [_text(video['values'][name], 3) for name in means]
        table.add_row(video['video_name'], str(video['n_frames']), *values)
    table.add_section()
    total = sum(video['n_frames'] for video in complete)
    table.add_row('mean', str(total), *(_text(value, 3) for value in means.values()))
    console = Console(file=io.StringIO(), width=1000, markup=False, emoji=False)
    console.print(table)
    return console.file.getvalue().rstrip()


def _text(value: float, digits: int) -> str:
    return '' if math.isnan(value) else f'{value:.{digits}f}'


def _nan_to_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _nan_to_none(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_nan_to_none(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
