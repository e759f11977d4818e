"""What metrics share that flag an image by its score."""

import math
import sys
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.structures import BaseDataElement, InstanceData

from mmpolar.evaluation.functional.image_level import check_share
from mmpolar.evaluation.metrics.gathered_metric import GatheredMetric
from mmpolar.evaluation.sequence_report import check_out_file
from mmpolar.registry import TASK_UTILS

# What tells one sample of a dataset from another, as far as a pipeline packs it.
_KEY_META = ('img_path', 'img_id', 'video_id', 'frame_id')


class ScoredImageMetric(GatheredMetric):
    """A metric that gets the score of each image of all processes, and whether it holds a target.

    An image holds a target if its ``gt_instances`` have one. One whose only targets are ignored ones
    (crowds) is neither hit nor false alarm. Samples that a distributed sampler repeats count once.

    Args:
        score_thr: Threshold at which an image is flagged, above 0.
        labels: Class labels that count as targets, in the ground truth and in the detections. None: all.
        scorer: Component of TASK_UTILS that scores samples. By default the highest detection score
            of the ``labels``; another one must respect them by itself.
        unannotated_as_negative: Whether images without annotations, loaded by a pipeline without
            ``LoadAnnotations``, count as negatives. Otherwise they are an error.
        out_file: Report to write, ``*.json``.
        **kwargs: See :class:`GatheredMetric`.

    Raises:
        ValueError: If a threshold is out of range, ``labels`` is empty or ``out_file`` does not end in
            .json.
    """

    def __init__(
        self,
        score_thr: float = 0.3,
        labels: Sequence[int] | None = None,
        scorer: dict | None = None,
        unannotated_as_negative: bool = False,
        out_file: str | Path | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not score_thr > 0:
            raise ValueError(
                f'score_thr must be above 0, got {score_thr}: images without detection score 0'
            )
        if labels is not None and not len(labels):
            raise ValueError('labels is empty; leave it out to count every class as a target')
        self.score_thr = score_thr
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
                    f'the score of image {image_name(sample)} is {score}; the model has likely '
                    'diverged'
                )
            self.results.append(
                dict(
                    key=_key(sample),
                    image=image_name(sample),
                    has_target=self._has_target(sample),
                    score=score,
                    **self.describe(sample),
                )
            )

    def describe(self, sample: Mapping[str, Any]) -> dict[str, Any]:
        """What a metric keeps of a sample beside its name, score and ground truth: plain values."""
        return {}

    def evaluate(self, size: int) -> dict[str, float]:
        """Collect the images of all processes and compute the metrics.

        Args:
            size: Number of images of the dataset; what was processed beyond it is repetition.

        Returns:
            Metric name, with the prefix, to value.
        """
        self._dataset_size = size
        return super().evaluate(size)

    def split_counted(self, results: list[dict]) -> tuple[list[dict], int]:
        """The images that count, each once, and how many are left out as neither kind."""
        results = _without_repetitions(results, self._dataset_size)
        counted = [result for result in results if result['has_target'] is not None]
        return counted, len(results) - len(counted)

    def _has_target(self, sample: Mapping[str, Any]) -> bool | None:
        """Whether the image holds a target, None where that is left open."""
        gt_labels = _labels(sample.get('gt_instances'))
        if gt_labels is None:
            if self.unannotated_as_negative:
                return False
            raise KeyError(
                f'image {image_name(sample)} has no annotations; add LoadAnnotations to the test '
                'pipeline, or set unannotated_as_negative=True if such images hold no target'
            )
        if self._count(gt_labels):
            return True
        ignored = _labels(sample.get('ignored_instances'))
        return None if ignored is not None and self._count(ignored) else False

    def _count(self, labels: np.ndarray) -> int:
        return len(labels) if self.labels is None else int(np.isin(labels, self.labels).sum())


def wanted_shares(value: float | Sequence[float], name: str) -> list[float]:
    """A wanted precision or recall, or several, as a list.

    Args:
        value: One or several.
        name: What they are, for the message.

    Raises:
        ValueError: If one is not above 0 and at most 1.
    """
    values = [float(v) for v in (value if isinstance(value, Sequence) else [value])]
    for wanted in values:
        check_share(wanted, name)
    return values


def image_name(sample: Mapping[str, Any]) -> str:
    """The image of a sample for reports and messages."""
    return str(sample.get('img_path') or sample.get('img_id', 'of unknown name'))


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


def _labels(instances: Mapping[str, Any] | None) -> np.ndarray | None:
    """Class labels of annotated instances, None where nothing is annotated."""
    if instances is None or 'labels' not in instances:
        return None
    return torch.as_tensor(instances['labels']).cpu().numpy()
