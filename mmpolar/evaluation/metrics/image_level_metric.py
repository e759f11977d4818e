"""How well images with a target are told from images without one."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmengine.logging import print_log

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
from mmpolar.evaluation.metrics.scored_image_metric import ScoredImageMetric, wanted_shares
from mmpolar.registry import METRICS


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
class ImageLevelMetric(ScoredImageMetric):
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
        out_file: Report to write, ``*.json``: metrics, counts and the whole PR curve. Beside it go
            the score of each image, highest first, as ``.csv``. ``tools/analysis_tools`` plots it.
        **kwargs: See :class:`~mmpolar.evaluation.metrics.scored_image_metric.ScoredImageMetric`. The
            default prefix is ``image``.

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
        **kwargs: Any,
    ) -> None:
        super().__init__(score_thr, **kwargs)
        self.precisions = wanted_shares(precision, 'precision')
        self.recalls = wanted_shares(recall, 'recall')

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Compute and log the metrics and write the report.

        Args:
            results: One plain dict for each image that a process saw.

        Returns:
            Metric name to value, without the metrics that the images do not allow.
        """
        counted, left_out = self.split_counted(results)
        scores = np.array([result['score'] for result in counted])
        has_target = np.array([result['has_target'] for result in counted], dtype=bool)
        counts = dict(
            positives=int(has_target.sum()),
            negatives=int((~has_target).sum()),
            left_out=left_out,
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

    def _metrics_of_one_kind(self, scores: np.ndarray, has_target: np.ndarray) -> dict[str, float]:
        """What can be said where there are no negatives, or no positives, or neither."""
        if not len(scores):
            return {}
        if has_target.any():
            return dict(recall=recall(scores, has_target, self.score_thr))
        return dict(false_alarms_per_10k=false_alarms_per_10k(scores, has_target, self.score_thr))


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
