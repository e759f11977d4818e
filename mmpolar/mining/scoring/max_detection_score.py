"""Confidence of an image, by its highest detection score."""

from collections.abc import Sequence

from mmengine.structures import BaseDataElement

from mmpolar.mining.scoring.max_scores import max_scores
from mmpolar.registry import TASK_UTILS


@TASK_UTILS.register_module()
class MaxDetectionScore:
    """The confidence of an image: the score of its highest-scoring detection.

    Args:
        labels: Classes that count, as numbers of the model's classes; None for all.

    Raises:
        ValueError: If ``labels`` is empty.
    """

    def __init__(self, labels: Sequence[int] | None = None) -> None:
        if labels is not None and not len(labels):
            raise ValueError('labels of MaxDetectionScore is empty; name a class, or None for all')
        self.labels = None if labels is None else tuple(labels)

    def __call__(self, data_samples: Sequence[BaseDataElement]) -> list[float]:
        """Score a batch.

        Args:
            data_samples: What ``test_step`` returned, each with ``pred_instances``: ``scores``
                (D,) and, where ``labels`` is given, ``labels`` (D,).

        Returns:
            The highest score of each sample, 0 where nothing that counts was detected.

        Raises:
            ValueError: If a sample has no ``pred_instances.scores``.
        """
        return max_scores(data_samples, 'pred_instances', self.labels)
