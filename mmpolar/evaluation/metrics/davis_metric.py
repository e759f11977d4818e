"""J and F of masks over the frames of videos, as in DAVIS and YouTube-VOS."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmpolar.evaluation.functional import score_statistics, scored_frames, youtube_vos_scores
from mmpolar.evaluation.mask_scores import mask_scores
from mmpolar.evaluation.metrics.sequence_metric import SequenceMetric
from mmpolar.evaluation.track_frame import TrackFrame
from mmpolar.registry import METRICS
from mmpolar.structures.combine_objects import combine_objects


@dataclass
class _Scores:
    """J and F of every frame; those of the first are NaN."""

    seen: bool | None
    j: list[float] = field(default_factory=list)
    f: list[float] = field(default_factory=list)


@METRICS.register_module()
class DavisMetric(SequenceMetric):
    """Mean, recall and decay of J and F, the first mask given.

    A sequence is one object of one video. The metrics of an object are averaged over all objects,
    whichever video they are in, as in DAVIS 2017: ``J_and_F``, ``J_mean``, ``J_recall``,
    ``J_decay``, ``F_mean``, ``F_recall``, ``F_decay``. Frame 0, where the mask is given, does not
    count, nor does a frame without an annotation. Where an object is absent, an empty mask scores 1
    and any other 0.

    With ``seen_categories`` the metrics of YouTube-VOS are added: ``G``, ``J_seen``, ``F_seen``,
    ``J_unseen`` and ``F_unseen``, means over the objects of these categories and of the others.

    Args:
        skip_last: Whether the last frame is left out too, as in the toolkits of DAVIS 2016 and
            2017. Say False for datasets of which only some frames are annotated, as YouTube-VOS.
        resolve_overlaps: Whether each pixel goes to one target, that with the highest score, as in
            the images that DAVIS 2017 and YouTube-VOS want. Only targets that are tracked
            together, with ``MultiTargetDataset``, can be told to overlap.
        seen_categories: Names of the categories that the training set has, or the path of its
            ``meta.json`` as YouTube-VOS writes it, which names them.
        **kwargs: See :class:`SequenceMetric`. The default prefix is ``davis``.

    Raises:
        ValueError: If the file of the categories names none.
        FileNotFoundError: If it does not exist.
    """

    default_prefix = 'davis'
    needs_annotation = False
    columns = ('J_and_F', 'J_mean', 'J_recall', 'J_decay', 'F_mean', 'F_recall', 'F_decay')

    def __init__(
        self,
        skip_last: bool = True,
        resolve_overlaps: bool = False,
        seen_categories: str | Sequence[str] | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.skip_last = skip_last
        self.resolve_overlaps = resolve_overlaps
        if isinstance(seen_categories, str):
            seen_categories = _read_categories(Path(seen_categories))
        self.seen_categories = None if seen_categories is None else frozenset(seen_categories)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Score the targets of a frame; see :meth:`SequenceMetric.process`."""
        if self.resolve_overlaps:
            data_samples = resolve_overlaps(data_samples)
        super().process(data_batch, data_samples)

    def start(self, frame: TrackFrame) -> _Scores:
        """State of a sequence.

        Raises:
            KeyError: If the category is wanted and not known.
            ValueError: If the first frame has no mask.
        """
        if frame.frame_id == 0 and frame.gt_mask is None:
            raise ValueError(
                f'frame 0 of video {frame.video_name!r} has no true mask; use TrackSegMetric or '
                'OPEMetric for data with boxes'
            )
        if self.seen_categories is None:
            return _Scores(seen=None)
        if frame.category is None:
            raise KeyError(
                f'video {frame.video_name!r} has no category; leave seen_categories out, or pack '
                'the metainfo category'
            )
        return _Scores(seen=frame.category in self.seen_categories)

    def add(self, state: _Scores, frame: TrackFrame) -> None:
        """Score a frame.

        Raises:
            ValueError: If the tracker gave a box without a mask, or a mask of another size.
        """
        if frame.frame_id > 0 and frame.box is not None and frame.mask is None:
            raise ValueError(
                f'frame {frame.frame_id} of video {frame.video_name!r} has a box but no mask; '
                'DavisMetric needs a tracker that draws masks'
            )
        j, f = mask_scores(frame) if frame.frame_id > 0 else (np.nan, np.nan)
        state.j.append(j)
        state.f.append(f)

    def summarize(self, state: _Scores) -> dict[str, Any]:
        """Metrics of an object, and those of its frames."""
        counted = scored_frames(len(state.j), self.skip_last)
        values = {}
        for name, scores in (('J', state.j), ('F', state.f)):
            statistics = asdict(score_statistics(scores[counted]))
            values |= {f'{name}_{key}': value for key, value in statistics.items()}
        values['J_and_F'] = (values['J_mean'] + values['F_mean']) / 2
        return dict(values=values, seen=state.seen, frames=dict(J=state.j, F=state.f))

    def average(self, sequences: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """Means over the objects, and the metrics of YouTube-VOS where they are wanted."""
        means = super().average(sequences)
        if self.seen_categories is None:
            return means
        scores = youtube_vos_scores(
            [sequence['values']['J_mean'] for sequence in sequences],
            [sequence['values']['F_mean'] for sequence in sequences],
            [sequence['seen'] for sequence in sequences],
        )
        return means | dict(
            G=scores.overall,
            J_seen=scores.j_seen,
            F_seen=scores.f_seen,
            J_unseen=scores.j_unseen,
            F_unseen=scores.f_unseen,
        )

    def report_details(self, sequences: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The conventions."""
        return dict(skip_last=self.skip_last, resolve_overlaps=self.resolve_overlaps)


def resolve_overlaps(samples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give each pixel to one target: of those that claim it, the one with the highest score.

    Args:
        samples: Data samples as dicts, one for each target of one frame, with
            ``pred_track_instances`` that have ``scores`` (1,) and ``masks`` (1, H, W).

    Returns:
        Samples with such masks; the given ones stay as they are. Without masks they are returned.
    """
    samples = [dict(sample) for sample in samples]
    found = [sample['pred_track_instances'] for sample in samples]
    if len(samples) < 2 or any('masks' not in instances for instances in found):
        return samples
    masks = torch.cat([torch.as_tensor(instances['masks']) for instances in found])
    scores = [float(instances['scores'][0]) for instances in found]
    combined = torch.from_numpy(combine_objects(masks.cpu().numpy(), scores))
    for number, (sample, instances) in enumerate(zip(samples, found, strict=True), start=1):
        sample['pred_track_instances'] = dict(instances, masks=(combined == number)[None])
    return samples


def _read_categories(path: Path) -> set[str]:
    videos = json.loads(path.read_text(encoding='utf-8')).get('videos', {}).values()
    objects = [entry for video in videos for entry in video.get('objects', {}).values()]
    categories = {entry['category'] for entry in objects if 'category' in entry}
    if not categories:
        raise ValueError(f'{path} names no category; it must be like meta.json of YouTube-VOS')
    return categories
