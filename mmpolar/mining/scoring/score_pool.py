"""Scoring every negative of a pool, each rank its share."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from mmengine.structures import BaseDataElement
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader, Dataset

from mmpolar.mining.scoring.hardest_samples import HardestSamples, SampleDetections

#: Scores a batch of data samples that ``test_step`` returned.
Scorer = Callable[[Sequence[BaseDataElement]], Sequence[float]]


@dataclass
class PoolScores:
    """The scores of a pool, or of one rank's share of it.

    Attributes:
        indices: Negatives with a score, as indices in the pool, rising, shape (S,).
        scores: Their scores, finite, shape (S,).
        unreadable: Why each of the other negatives could not be read, by index.
        detections: What the model detected in the hardest negatives, by index.
        is_fresh: Whether a score is of this round, (S,); None where all are.
    """

    indices: NDArray[np.int64]
    scores: NDArray[np.float64]
    unreadable: dict[int, str] = field(default_factory=dict)
    detections: dict[int, SampleDetections] = field(default_factory=dict)
    is_fresh: NDArray[np.bool_] | None = None

    @property
    def num_fresh(self) -> int:
        """How many of the scores are of this round."""
        return len(self.scores) if self.is_fresh is None else int(self.is_fresh.sum())

    def fresh(self) -> 'PoolScores':
        """Those of this round alone."""
        if self.is_fresh is None:
            return self
        indices, scores = self.indices[self.is_fresh], self.scores[self.is_fresh]
        return replace(self, indices=indices, scores=scores, is_fresh=None)

    @classmethod
    def merged(cls, shares: Sequence['PoolScores']) -> 'PoolScores':
        """One from the shares of all ranks, in any order."""
        indices = np.concatenate([share.indices for share in shares])
        scores = np.concatenate([share.scores for share in shares])
        order = np.argsort(indices)
        merged = cls(indices[order], scores[order])
        for share in shares:
            merged.unreadable.update(share.unreadable)
            merged.detections.update(share.detections)
        return merged


@dataclass
class PoolBatch:
    """A batch of negatives for the model.

    Attributes:
        indices: Those that could be read, as indices in the pool.
        data: What the model's ``test_step`` takes, None if none could be read.
        unreadable: Why each of the others could not be read, by index.
    """

    indices: list[int]
    data: Any
    unreadable: dict[int, str]


class Shard:
    """Negatives that a data loader goes through next; other ones may be set before each use.

    Attributes:
        indices: Indices in the pool, shape (S,).
    """

    def __init__(self) -> None:
        self.indices = np.zeros(0, np.int64)

    def __len__(self) -> int:
        """Number of negatives."""
        return len(self.indices)

    def __iter__(self) -> Iterator[int]:
        """The indices, in order."""
        return map(int, self.indices)


def build_pool_loader(
    pool: Dataset,
    shard: Sequence[int] | Shard,
    batch_size: int,
    num_workers: int,
    collate: Callable[[list], Any],
) -> DataLoader:
    """A data loader of ``PoolBatch`` for repeated use.

    Args:
        pool: Item i is the test sample of negative i.
        shard: Indices of the negatives to load, in order.
        batch_size: Negatives in a batch, at least 1.
        num_workers: Processes that load; they stay between two uses.
        collate: Makes a batch of test samples.

    Returns:
        The loader.
    """
    return DataLoader(
        _ReadablePool(pool),
        batch_size=batch_size,
        sampler=shard,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        collate_fn=partial(_collate_readable, collate),
    )


@torch.no_grad()
def score_pool(
    model: nn.Module,
    batches: Iterable[PoolBatch],
    scorer: Scorer,
    keys: Sequence[str],
    hardest: HardestSamples,
    on_progress: Callable[[int], Any],
    on_scored: Callable[[list[int], list[float]], Any] = lambda indices, scores: None,
) -> PoolScores:
    """Run a model on negatives and score them.

    Args:
        model: In test mode; its ``test_step`` gets each batch.
        batches: What to score.
        scorer: Makes one score of each data sample.
        keys: Name of each negative of the pool.
        hardest: Gets the samples of each batch.
        on_progress: Called with the number of negatives in each batch that is done.
        on_scored: Called with the indices and the scores of each batch.

    Returns:
        The scores.

    Raises:
        ValueError: If a score is not a finite number, or the model or the scorer does not answer
            with one sample or score for each image.
    """
    # A pool may be large, and lists take four times as much.
    indices, scores = array('q'), array('d')
    unreadable: dict[int, str] = {}
    for batch in batches:
        unreadable.update(batch.unreadable)
        if batch.data is not None:
            samples = model.test_step(batch.data)
            batch_scores = _checked_scores(scorer(samples), samples, batch.indices, keys)
            hardest.add(batch.indices, batch_scores, samples)
            indices.extend(batch.indices)
            scores.extend(batch_scores)
            on_scored(batch.indices, batch_scores)
        on_progress(len(batch.indices) + len(batch.unreadable))
    return PoolScores(
        np.array(indices, dtype=np.int64),
        np.array(scores, dtype=np.float64),
        unreadable,
        hardest.detections(),
    )


class _ReadablePool(Dataset):
    """Gives for each negative its index and either the sample or the reason why there is none."""

    def __init__(self, pool: Dataset) -> None:
        self.pool = pool

    def __len__(self) -> int:
        return len(self.pool)

    def __getitem__(self, index: int) -> tuple[int, Any, str | None]:
        try:
            sample = self.pool[index]
        except Exception as error:  # Readers raise whatever they like; one file must not end a run.
            return index, None, f'{type(error).__name__}: {error}'.strip()
        if sample is None:
            return index, None, 'the pipeline gave no sample'
        return index, sample, None


def _collate_readable(
    collate: Callable[[list], Any], items: list[tuple[int, Any, str | None]]
) -> PoolBatch:
    readable = [(index, sample) for index, sample, reason in items if reason is None]
    return PoolBatch(
        indices=[index for index, _ in readable],
        data=collate([sample for _, sample in readable]) if readable else None,
        unreadable={index: reason for index, _, reason in items if reason is not None},
    )


def _checked_scores(
    scores: Sequence[float],
    samples: Sequence[BaseDataElement],
    indices: Sequence[int],
    keys: Sequence[str],
) -> list[float]:
    if not len(scores) == len(samples) == len(indices):
        raise ValueError(
            f'{len(indices)} negatives gave {len(samples)} data samples and {len(scores)} scores; '
            'the model must answer with one data sample for each image, the scorer with one score'
        )
    scores = [float(score) for score in scores]
    for index, score in zip(indices, scores, strict=True):
        if not np.isfinite(score):
            raise ValueError(
                f'negative {index} ({keys[index]}) has the score {score}; a model that answers so '
                'has diverged or its scorer is wrong: check the loss and lower the learning rate'
            )
    return scores
