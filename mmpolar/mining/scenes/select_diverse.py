"""Picks among the hardest candidates that differ from each other."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmpolar.mining.scenes.appearance import Appearance
from mmpolar.mining.scenes.diversity import Diversity


def select_diverse(
    scores: NDArray[np.float64],
    scenes: NDArray[np.int64],
    groups: Sequence[str],
    appearance: Appearance,
    count: int,
    rule: Diversity,
) -> NDArray[np.int64]:
    """Select picks one by one: hard, and unlike those that are selected already.

    Args:
        scores: Of the candidates, hardest first, (P,).
        scenes: Number of the scene of each, (P,).
        groups: Group of each, P of them; the empty one counts for no limit.
        appearance: How alike they look.
        count: How many to select.
        rule: Limits and weight.

    Returns:
        Positions of the picks among the candidates in the order of selection, (K,); fewer than
        ``count`` where the limits leave no more.
    """
    hardness = _scaled(scores)
    is_open = np.ones(len(scores), bool)
    closest = np.zeros(len(scores))  # similarity to the most similar pick
    names = np.asarray(groups, dtype=object)
    used: Counter[tuple[str, object]] = Counter()
    picks: list[int] = []
    while len(picks) < count and is_open.any():
        value = (1 - rule.weight) * hardness - rule.weight * closest
        pick = int(np.where(is_open, value, -np.inf).argmax())
        picks.append(pick)
        is_open[pick] = False
        if rule.weight:
            closest = np.maximum(closest, appearance.similarities(pick))
        for kind, members, limit in (
            ('scene', scenes, rule.max_per_scene),
            ('group', names, rule.max_per_group if names[pick] else None),
        ):
            used[kind, members[pick]] += 1
            if limit is not None and used[kind, members[pick]] >= limit:
                is_open &= members != members[pick]
    return np.array(picks, dtype=np.int64)


def _scaled(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores from 0, the lowest, to 1, the highest; all 1 if they are equal."""
    if not len(scores):
        return scores
    low, high = scores.min(), scores.max()
    return (scores - low) / (high - low) if high > low else np.ones_like(scores)
