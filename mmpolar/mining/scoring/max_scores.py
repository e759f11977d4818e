"""The highest score in each sample of a batch, fetched from the device at once."""

from collections.abc import Sequence

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor


def max_scores(
    data_samples: Sequence[BaseDataElement], field: str, labels: Sequence[int] | None = None
) -> list[float]:
    """The highest score in each sample.

    Args:
        data_samples: Samples with ``<field>.scores`` (D,) and, if ``labels`` is given,
            ``<field>.labels`` (D,).
        field: Name of the predictions in a sample.
        labels: Classes that count, None for all.

    Returns:
        One score for each sample, 0 where nothing that counts is predicted.

    Raises:
        ValueError: If a sample has no such predictions.
    """
    if not len(data_samples):
        return []
    return torch.stack([_max_score(sample, field, labels) for sample in data_samples]).tolist()


def _max_score(sample: BaseDataElement, field: str, labels: Sequence[int] | None) -> Tensor:
    predictions = sample.get(field)
    if predictions is None or 'scores' not in predictions:
        raise ValueError(
            f'the model answered without {field}.scores (it has {sample.keys()}); '
            'choose a scorer that reads what this model predicts'
        )
    scores = predictions.scores
    if labels is not None:
        # Zeroed, not left out: leaving out would wait for the device.
        scores = scores * torch.isin(predictions.labels, scores.new_tensor(labels).long())
    return scores.max() if len(scores) else scores.new_zeros(())
