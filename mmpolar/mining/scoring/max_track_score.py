"""Confidence of a search region, by its highest track score."""

from collections.abc import Sequence

from mmengine.structures import BaseDataElement

from mmpolar.mining.scoring.max_scores import max_scores
from mmpolar.registry import TASK_UTILS


@TASK_UTILS.register_module()
class MaxTrackScore:
    """The confidence of a search region: the tracker's highest score in it."""

    def __call__(self, data_samples: Sequence[BaseDataElement]) -> list[float]:
        """Score a batch.

        Args:
            data_samples: What ``test_step`` returned, each with ``pred_track_instances.scores``
                (T,).

        Returns:
            The highest score of each sample, 0 where there is none.

        Raises:
            ValueError: If a sample has no ``pred_track_instances.scores``.
        """
        return max_scores(data_samples, 'pred_track_instances')
