"""Near-copies among candidates, which are one scene."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmpolar.mining.scenes.appearance import Appearance
from mmpolar.mining.scenes.diversity import Diversity


def find_scenes(
    appearance: Appearance, groups: Sequence[str], rule: Diversity
) -> NDArray[np.int64]:
    """The scene of each candidate.

    Candidates are taken in their order. Each one joins the scene whose first candidate it is a
    near-copy of, the most similar one if there are several, or begins a scene. So all of a scene are
    near-copies of its first candidate, and slow changes do not join what has little in common.

    Args:
        appearance: Of the candidates, P of them, hardest first.
        groups: Group of each candidate. Features, which tell less than the whole image, join only
            candidates of one group.
        rule: What counts as a near-copy.

    Returns:
        Number of the scene of each candidate, (P,), from 0 in the order of their first candidates.
    """
    size = len(appearance.hashes)
    group_ids = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)[1]
    scenes = np.empty(size, np.int64)
    first = np.empty(size, np.int64)
    num_scenes = 0
    for index in range(size):
        known = first[:num_scenes]
        scene = _near_copy(appearance, index, known, rule)
        if scene is None and appearance.features is not None:
            scene = _alike(appearance.features, index, known, group_ids, rule)
        if scene is None:
            scene = num_scenes
            first[num_scenes] = index
            num_scenes += 1
        scenes[index] = scene
    return scenes


def _near_copy(
    appearance: Appearance, index: int, known: NDArray[np.int64], rule: Diversity
) -> int | None:
    if not len(known):
        return None
    distances = appearance.hash_distances(index, known)
    nearest = int(distances.argmin())
    return nearest if distances[nearest] <= rule.max_hash_bits else None


def _alike(
    features: NDArray[np.floating],
    index: int,
    known: NDArray[np.int64],
    group_ids: NDArray[np.int64],
    rule: Diversity,
) -> int | None:
    of_group = np.flatnonzero(group_ids[known] == group_ids[index])
    if not len(of_group):
        return None
    similarities = features[known[of_group]] @ features[index]
    best = int(similarities.argmax())
    return int(of_group[best]) if similarities[best] >= rule.min_similarity else None
