"""How well images with a target are told from images without one."""

import logging
import math
import sys
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement, InstanceData

from mmpolar.evaluation.functional import (
    OperatingPoint,
    PRCurve,
    average_precision,
    false_alarms_per_10k,
    operating_point,
    point_for_precision,
    point_for_recall,
    pr_curve,
    recall,
)
from mmpolar.evaluation.image_level_report import ImageLevelReport
from mmpolar.evaluation.metrics.gathered_metric import GatheredMetric
from mmpolar.evaluation.sequence_report import check_out_file
from mmpolar.registry import METRICS, TASK_UTILS

# What tells one sample of a dataset from another, as far as a pipeline packs it.
_KEY_META = ('img_path', 'img_id', 'video_id', 'frame_id')


@dataclass(frozen=True)
class _Reading:
    """The point of the curve that lies at a threshold, a wanted precision or a wanted recall."""

    kind: str
    value: float
    point: OperatingPoint

    @property
    def title(self) -> str:
        return f'{self.kind} {self.value:g}'


@METRICS.register_module()
class ImageLevelMetric(GatheredMetric):
    """Recall, precision and false alarms per 10,000 negatives, an image flagged or not as a whole.

    An image holds a target if its ``gt_instances`` have one, and is flagged when its score, by
    default that of its best detection, reaches a threshold. An image whose only targets are ignored
    ones (crowds) is neither hit nor false alarm and is left out. Metrics:

    - ``recall``, ``precision``, ``false_alarms_per_10k`` at ``score_thr``, and
      ``average_precision``;
    - for each wanted precision p ``threshold_at_precision_p``, ``recall_at_precision_p`` and
      ``false_alarms_per_10k_at_precision_p``: the threshold with the highest recall among those that
      reach p. NaN, with a warning that says what is reached, if none does;
    - for each wanted recall r ``threshold_at_recall_r``, ``precision_at_recall_r`` and
      ``false_alarms_per_10k_at_recall_r``: the highest threshold that reaches r.

    Without images of one kind, as in a dataset of negatives alone, the metrics that need them are
    left out. Samples that a distributed sampler repeats count once.

    Args:
        score_thr: Threshold at which an image is flagged, above 0.
        precision: Wanted precision or precisions, above 0 and at most 1.
        recall: Wanted recall or recalls, above 0 and at most 1.
        labels: Class labels that count as targets, in the ground truth and in the detections. None: all.
        scorer: Component of TASK_UTILS that scores samples. By default the highest detection score
            of the ``labels``; another one must respect them by itself.
        unannotated_as_negative: Whether images without annotations, loaded by a pipeline without
            ``LoadAnnotations``, count as negatives. Otherwise they are an error.
        out_file: Report to write, ``*.json``: metrics, counts and the whole PR curve. Beside it go
            the score of each image, highest first, as ``.csv``. ``tools/analysis_tools`` plots it.
        **kwargs: See :class:`GatheredMetric`. The default prefix is ``image``.

    Raises:
        ValueError: If a threshold or a wanted metric is out of range, ``labels`` is empty or
            ``out_file`` does not end in .json.
    """

    default_prefix = 'image'

    def __init__(
        self,
        score_thr: float = 0.3,
        precision: float | Sequence[float] = (),
        recall: float | Sequence[float] = (),
        labels: Sequence[int] | None = None,
        scorer: dict | None = None,
        unannotated_as_negative: bool = False,
        out_file: str | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if not score_thr > 0:
            raise ValueError(
                f'score_thr must be above 0, got {score_thr}: images without detection score 0'
            )
        if labels is not None and not len(labels):
            raise ValueError('labels is empty; leave it out to count every class as a target')
        self.score_thr = score_thr
        self.precisions = _wanted(precision, 'precision')
        self.recalls = _wanted(recall, 'recall')
        self.labels = None if labels is None else list(labels)
        self.scorer = TASK_UTILS.build(
            scorer or dict(type='mmpolar.MaxDetectionScore', labels=self.labels)
        )
        self.unannotated_as_negative = unannotated_as_negative
        self.out_file = check_out_file(out_file)
        self._dataset_size = sys.maxsize

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Take in the scores and the ground truth of one batch.

        Args:
            data_batch: Not used.
            data_samples: Data samples as dicts, with predictions and ``gt_instances``.

        Raises:
            KeyError: If a sample has no annotations and that does not say that it is a negative.
            ValueError: If a score is not finite.
        """
        scores = self.scorer([_as_element(sample) for sample in data_samples])
        for sample, score in zip(data_samples, scores, strict=True):
            score = float(score)
            if not math.isfinite(score):
                raise ValueError(
                    f'the score of image {_name(sample)} is {score}; the model has likely diverged'
                )
            self.results.append(
                dict(
                    key=_key(sample),
                    image=_name(sample),
                    has_target=self._has_target(sample),
                    score=score,
                )
            )

    def evaluate(self, size: int) -> dict[str, float]:
        """Collect the images of all processes and compute the metrics.

        Args:
            size: Number of images of the dataset; what was processed beyond it is repetition.

        Returns:
            Metric name, with the prefix, to value.
        """
        self._dataset_size = size
        return super().evaluate(size)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Compute and log the metrics and write the report.

        Args:
            results: One plain dict for each image that a process saw.

        Returns:
            Metric name to value, without the metrics that the images do not allow.
        """
        results = _without_repetitions(results, self._dataset_size)
        counted = [result for result in results if result['has_target'] is not None]
        scores = np.array([result['score'] for result in counted])
        has_target = np.array([result['has_target'] for result in counted], dtype=bool)
        counts = dict(
            positives=int(has_target.sum()),
            negatives=int((~has_target).sum()),
            left_out=len(results) - len(counted),
        )
        if counts['positives'] and counts['negatives']:
            curve = pr_curve(scores, has_target)
            readings = [
                _Reading(
                    'threshold', self.score_thr, operating_point(scores, has_target, self.score_thr)
                ),
                *(_Reading('precision', p, point_for_precision(curve, p)) for p in self.precisions),
                *(_Reading('recall', r, point_for_recall(curve, r)) for r in self.recalls),
            ]
            metrics = _metrics_of(readings) | dict(average_precision=average_precision(curve))
        else:
            curve, readings = None, []
            metrics = self._metrics_of_one_kind(scores, has_target)
        _log(counts, metrics, curve, readings)
        if self.out_file is not None:
            marks = {reading.title: reading.point for reading in readings if reading.point.exists}
            report = ImageLevelReport(self.score_thr, self.labels, counts, metrics, curve, marks)
            report.write(self.out_file, counted)
        return metrics

    def _has_target(self, sample: Mapping[str, Any]) -> bool | None:
        """Whether the image holds a target, None where that is left open."""
        gt_labels = _labels(sample.get('gt_instances'))
        if gt_labels is None:
            if self.unannotated_as_negative:
                return False
            raise KeyError(
                f'image {_name(sample)} has no annotations; add LoadAnnotations to the test '
                'pipeline, or set unannotated_as_negative=True if such images hold no target'
            )
        if self._count(gt_labels):
            return True
        ignored = _labels(sample.get('ignored_instances'))
        return None if ignored is not None and self._count(ignored) else False

    def _count(self, labels: np.ndarray) -> int:
        return len(labels) if self.labels is None else int(np.isin(labels, self.labels).sum())

    def _metrics_of_one_kind(self, scores: np.ndarray, has_target: np.ndarray) -> dict[str, float]:
        """What can be said where there are no negatives, or no positives, or neither."""
        if not len(scores):
            return {}
        if has_target.any():
            return dict(recall=recall(scores, has_target, self.score_thr))
        return dict(false_alarms_per_10k=false_alarms_per_10k(scores, has_target, self.score_thr))


def _wanted(value: float | Sequence[float], name: str) -> list[float]:
    values = [float(v) for v in (value if isinstance(value, Sequence) else [value])]
    for wanted in values:
        if not 0 < wanted <= 1:
            raise ValueError(f'a wanted {name} must be above 0 and at most 1, got {wanted}')
    return values


def _without_repetitions(results: list[dict], dataset_size: int) -> list[dict]:
    """Drop what a sampler repeated so that all processes have equally much to do.

    A dataset may hold an image twice on purpose, hence only as much is dropped as there is too
    much, from the end, where padding is.
    """
    excess = len(results) - dataset_size
    if excess <= 0:
        return results
    seen, repeated = set(), []
    for index, result in enumerate(results):
        if result['key'] in seen:
            repeated.append(index)
        seen.add(result['key'])
    dropped = set(repeated[-excess:])
    return [result for index, result in enumerate(results) if index not in dropped][:dataset_size]


def _metrics_of(readings: list[_Reading]) -> dict[str, float]:
    metrics = {}
    for reading in readings:
        end = '' if reading.kind == 'threshold' else f'_at_{reading.kind}_{reading.value:g}'
        for name, value in vars(reading.point).items():
            if name != reading.kind:
                metrics[name + end] = value
    return metrics


def _log(
    counts: dict[str, int],
    metrics: dict[str, float],
    curve: PRCurve | None,
    readings: list[_Reading],
) -> None:
    lines = [f'{counts["positives"]} images with a target, {counts["negatives"]} without']
    if counts['left_out']:
        lines[0] += f', {counts["left_out"]} left out because their only targets are ignored ones'
    lines += [f'  at {reading.title}: {_in_words(reading.point)}' for reading in readings]
    print_log('\n'.join(lines), logger='current')
    if curve is None:
        print_log(
            'recall, precision and their curve need images of both kinds; what there is allows '
            f'only {", ".join(metrics) or "nothing"}',
            logger='current',
            level=logging.WARNING,
        )
    for reading in readings:
        if not reading.point.exists:
            best = curve[int(np.argmax(curve.precision))]
            print_log(
                f'no threshold reaches precision {reading.value:g}; the highest is '
                f'{best.precision:.4f}, at threshold {best.threshold:.4f} with recall '
                f'{best.recall:.4f}',
                logger='current',
                level=logging.WARNING,
            )
        elif reading.kind == 'recall' and reading.point.threshold == curve.thresholds[-1]:
            print_log(
                f'recall {reading.value:g} is reached only by flagging every image',
                logger='current',
                level=logging.WARNING,
            )


def _in_words(point: OperatingPoint) -> str:
    if not point.exists:
        return 'not reached'
    return (
        f'recall {point.recall:.4f}, precision {point.precision:.4f}, '
        f'{point.false_alarms_per_10k:.1f} false alarms per 10,000, threshold '
        f'{point.threshold:.4f}'
    )


def _as_element(sample: Mapping[str, Any]) -> BaseDataElement:
    """The sample as scorers know it: MMEngine hands its metrics dicts instead."""
    fields = {
        name: InstanceData(**value)
        for name, value in sample.items()
        if name.startswith('pred_') and name.endswith('instances') and isinstance(value, Mapping)
    }
    meta = {name: sample[name] for name in _KEY_META if name in sample}
    return BaseDataElement(metainfo=meta, **fields)


def _key(sample: Mapping[str, Any]) -> tuple[Hashable, ...]:
    return tuple(str(sample[name]) if name in sample else None for name in _KEY_META)


def _name(sample: Mapping[str, Any]) -> str:
    return str(sample.get('img_path') or sample.get('img_id', 'of unknown name'))


def _labels(instances: Mapping[str, Any] | None) -> np.ndarray | None:
    """Class labels of annotated instances, None where nothing is annotated."""
    if instances is None or 'labels' not in instances:
        return None
    return torch.as_tensor(instances['labels']).cpu().numpy()
