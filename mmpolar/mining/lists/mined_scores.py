"""Picks of a round from the scores of any detector."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmpolar.mining.candidate import Candidate
from mmpolar.mining.picks import PickRule
from mmpolar.mining.review import FALSE_ALARM, Decision
from mmpolar.mining.scenes import Appearance, Diversity, find_scenes, hash_files, select_diverse


@dataclass(frozen=True)
class MinedScores:
    """Picks of a round.

    Attributes:
        picks: Those of this round, in the order of their selection, then those kept from earlier rounds;
            each with its scene.
        num_new: How many of them were not kept.
        pool_size: Number of images that could be picked.
        num_decided: How many others reviewers took out of the pool.
        unreadable: Images among the hardest that cannot be read, and are not picked.
    """

    picks: tuple[Candidate, ...]
    num_new: int
    pool_size: int
    num_decided: int
    unreadable: tuple[str, ...]

    def summary(self) -> str:
        """All of it in a line."""
        scenes = {pick.scene for pick in self.picks}
        groups = {pick.group for pick in self.picks if pick.group}
        parts = [f'{len(self.picks)} picks, {self.num_new} of them new', _count(scenes, 'scene')]
        parts += [_count(groups, 'group')] * bool(groups)
        parts.append(f'of {self.pool_size} images')
        parts += [f'{self.num_decided} left out by decisions'] * bool(self.num_decided)
        return ', '.join(parts)


def mine_scores(
    candidates: Sequence[Candidate],
    pick_rule: PickRule,
    diversity: Diversity,
    decisions: Mapping[str, Decision],
    kept: Collection[str] = (),
    on_progress: Callable[[int], object] = lambda done: None,
) -> MinedScores:
    """Pick the hardest candidates that differ from each other.

    Args:
        candidates: The pool, hardest first.
        pick_rule: How many to pick.
        diversity: How far they must differ, and how many of the hardest are looked at.
        decisions: What reviewers decided, by key. A false alarm stays in the pool, others leave it.
        kept: Keys of picks of earlier rounds that are kept, as far as they are in the pool.
        on_progress: Called with 1 for each image that was looked at.

    Raises:
        ValueError: If none of the hardest images can be read.
    """
    left = [
        candidate
        for candidate in candidates
        if candidate.key not in decisions or decisions[candidate.key].decision == FALSE_ALARM
    ]
    count = pick_rule.count(np.array([candidate.score for candidate in left]))
    # None below a threshold is picked because it differs more.
    per_pick = 1 if pick_rule.score_thr is not None else diversity.candidates_per_pick
    hardest, wanted = left[: count * per_pick], set(kept)
    hard_keys = {candidate.key for candidate in hardest}
    hardest += [c for c in left if c.key in wanted and c.key not in hard_keys]
    shown, appearance, unreadable = _with_scenes(hardest, diversity, on_progress)
    # Those that are there because they are kept alone stand at the end.
    size = sum(candidate.key in hard_keys for candidate in shown)
    selected = select_diverse(
        np.array([candidate.score for candidate in shown[:size]]),
        np.array([candidate.scene for candidate in shown[:size]]),
        [candidate.group for candidate in shown[:size]],
        Appearance(appearance.hashes[:size], appearance.hashed[:size]),
        count,
        diversity,
    )
    picks = [shown[index] for index in selected]
    chosen = {pick.key for pick in picks}
    picks += [c for c in shown if c.key in wanted and c.key not in chosen]
    return MinedScores(
        picks=tuple(picks),
        num_new=sum(pick.key not in wanted for pick in picks),
        pool_size=len(left),
        num_decided=len(candidates) - len(left),
        unreadable=unreadable,
    )


def _count(things: Collection[object], name: str) -> str:
    return f'{len(things)} {name}{"s" * (len(things) != 1)}'


def _with_scenes(
    candidates: Sequence[Candidate], diversity: Diversity, on_progress: Callable[[int], object]
) -> tuple[list[Candidate], Appearance, tuple[str, ...]]:
    """Candidates whose images can be read, with their scenes and appearance; and the other images."""
    hashes, readable = hash_files([c.image for c in candidates], on_progress=on_progress)
    pairs = list(zip(candidates, readable, strict=True))
    unreadable = tuple(candidate.image for candidate, is_read in pairs if not is_read)
    if candidates and not readable.any():
        raise ValueError(
            f'none of the {len(unreadable)} hardest images can be read, the first of them '
            f'{unreadable[0]}; give the folder that their paths start from (--data-root)'
        )
    shown = [candidate for candidate, is_read in pairs if is_read]
    appearance = Appearance(hashes[readable], readable[readable])
    scenes = find_scenes(appearance, [candidate.group for candidate in shown], diversity)
    shown = [replace(c, scene=int(scene)) for c, scene in zip(shown, scenes, strict=True)]
    return shown, appearance, unreadable
