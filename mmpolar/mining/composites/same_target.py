"""What datasets of pairs need so that a positive can follow the target of a negative."""

from typing import Any

from mmpolar.datasets.track_pair_dataset import TrackPairDataset
from mmpolar.mining.pool.negative_pair_dataset import NegativePairDataset


def check_are_pairs(positives: Any, negatives: Any) -> None:
    """Make sure that both datasets tell which track a pair is of.

    Raises:
        TypeError: If they are datasets of another kind.
    """
    are_pairs = (
        isinstance(positives, TrackPairDataset),
        isinstance(negatives, NegativePairDataset),
    )
    if not all(are_pairs):
        raise TypeError(
            'same_target=True needs positives from a TrackPairDataset and negatives from a '
            f'NegativePairDataset, got {type(positives).__name__} and {type(negatives).__name__}'
        )


def check_share_tracks(positives: TrackPairDataset, negatives: NegativePairDataset) -> None:
    """Make sure that a track of one dataset of pairs is the same track in the other.

    Raises:
        ValueError: If they are made of different track datasets, or in another order.
    """
    kept, other = _tracks(positives), _tracks(negatives)
    if kept != other:
        raise ValueError(
            'same_target=True needs positives and negatives of the same track datasets in the same '
            f'order, but the positives have {kept} and the negatives {other}'
        )


def _tracks(pairs: TrackPairDataset | NegativePairDataset) -> str:
    """Names and numbers of tracks of the track datasets, in order."""
    return ', '.join(f'"{each.name}" ({each.num_videos} tracks)' for each in pairs.datasets)
