"""How the picks of a round are chosen: scores, decisions of reviewers, suspects and diversity."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from mmengine.dist import is_main_process
from mmengine.runner import Runner
from numpy.typing import NDArray

from mmpolar.mining.all_ranks import on_all_ranks
from mmpolar.mining.picks import PickedRound, Picker
from mmpolar.mining.pool import NegativePool
from mmpolar.mining.reports.round_review import RoundReview
from mmpolar.mining.review import FALSE_ALARM, Decision
from mmpolar.mining.round_candidates import RoundCandidates
from mmpolar.mining.scenes import Diversity
from mmpolar.mining.scoring import PoolScorer, PoolScores
from mmpolar.mining.suspect_search import SuspectSearch, positive_features
from mmpolar.mining.suspects import SuspectLog, SuspectRule


@dataclass(frozen=True)
class RoundChoice:
    """What a round chose.

    Attributes:
        picked: The picks.
        scores: Scores of the pool; None for random picks.
        excluded: Whether training must not sample a negative: it is a suspect or has left the pool,
            (P,).
        report: Further values of the report, by name.
    """

    picked: PickedRound
    scores: PoolScores | None
    excluded: NDArray[np.bool_]
    report: dict[str, Any]


class RoundChooser:
    """Chooses the picks of each round.

    Args:
        picker: How many, and the order of equal scores.
        scorer: Scores the pool.
        num_sheet_images: Negatives whose detections are kept at least.
        diversity: How far picks differ; None for the hardest alone.
        suspects: What makes a negative a suspect; None for no suspects.
        review: The review by people; None for none.

    Raises:
        ValueError: If random picks are to be chosen by what only scored ones have.
    """

    def __init__(
        self,
        picker: Picker,
        scorer: PoolScorer,
        num_sheet_images: int,
        diversity: Diversity | None,
        suspects: SuspectRule | None,
        review: RoundReview | None,
    ) -> None:
        if picker.selection == 'random' and (diversity, suspects, review) != (None, None, None):
            raise ValueError(
                "selection='random' scores nothing; leave out diversity, suspects and review"
            )
        self._picker = picker
        self._scorer = scorer
        self._num_sheet_images = num_sheet_images
        self._diversity = diversity
        self._suspects = SuspectLog()
        self._search = None if suspects is None else SuspectSearch(suspects, self._suspects)
        self._review = review
        self._decisions: dict[str, Decision] = {}
        self._hardest: RoundCandidates | None = None

    def excluded(self, runner: Runner, pool: NegativePool) -> NDArray[np.bool_]:
        """Read the decisions of reviewers; which negatives training must not sample, (P,)."""
        if self._review is not None:
            self._decisions = self._review.read(runner, pool.classes, self._decisions)
        self._suspects.decide(self._decisions)
        return self._excluded_now(pool)

    def choose(
        self, runner: Runner, pool: NegativePool, number: int, before: NDArray[np.int64]
    ) -> RoundChoice:
        """Score the pool and choose the picks of a round.

        Args:
            runner: The runner, whose model scores.
            pool: The negatives.
            number: The round, from 1.
            before: Indices of the picks that the model was trained on since the last round.

        Raises:
            ValueError: If nothing can be read, or a score is not finite.
        """
        self._suspects.add_picks(pool.keys[index] for index in before)
        tie_ranks = self._picker.tie_ranks(len(pool), number)
        excluded = self.excluded(runner, pool)
        report = dict(num_rejected=len(self._rejected()), group_kind=pool.group_kind)
        if self._picker.selection == 'random':
            picked = self._picker.pick_random(number, tie_ranks, excluded)
            return RoundChoice(picked, None, excluded, report)
        num_detailed = self._num_detailed(len(pool)) + int(excluded.sum())
        needs_features = self._search is not None and self._search.needs_features
        scores = self._scorer.score(
            runner, pool, tie_ranks, num_detailed, with_features=needs_features
        )
        examine = partial(self._examine, runner, pool, number, scores, tie_ranks)
        picked, reasons, spread = on_all_ranks(examine)[0]
        self._suspects.reasons = reasons
        report.update(spread, suspects=reasons)
        return RoundChoice(picked, scores, self._excluded_now(pool), report)

    def write_review(self, runner: Runner, number: int) -> None:
        """Write the page of the round that was chosen last."""
        if self._review is not None and self._hardest is not None:
            self._review.write(runner, number, self._hardest, self._decisions)
        self._hardest = None

    def to_state(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        return self._suspects.to_state()

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take what :meth:`to_state` gave."""
        self._suspects.load_state(state)

    def _rejected(self) -> set[str]:
        """Keys of those that have left the pool."""
        return {key for key, made in self._decisions.items() if made.decision != FALSE_ALARM}

    def _excluded_now(self, pool: NegativePool) -> NDArray[np.bool_]:
        return _marked(pool, self._rejected() | self._suspects.reasons.keys())

    def _num_detailed(self, pool_size: int) -> int:
        """How many of the hardest negatives are kept with their detections."""
        per_pick = 1 if self._diversity is None else self._diversity.candidates_per_pick
        wanted = self._picker.rule.candidates(pool_size, per_pick)
        looks_closer = self._diversity is not None or self._search is not None
        return max(self._num_candidates(0), wanted if looks_closer else 0)

    def _num_candidates(self, num_picks: int) -> int:
        """How many of the hardest negatives are candidates for so many picks."""
        per_pick = 1 if self._diversity is None else self._diversity.candidates_per_pick
        shown = 0 if self._review is None else self._review.num_alarms
        waiting = len(self._suspects.reasons)
        return max(self._num_sheet_images, shown, num_picks * per_pick) + waiting

    def _examine(
        self,
        runner: Runner,
        pool: NegativePool,
        number: int,
        scores: PoolScores,
        tie_ranks: NDArray[np.int64],
    ) -> tuple[PickedRound, dict[str, tuple[str, ...]], dict[str, int]] | None:
        """Picks, suspects and how the picks are spread; by the main process alone."""
        if not is_main_process():
            return None
        rejected = _marked(pool, self._rejected())
        fresh, num_open = _fresh_and_open(scores, rejected)
        limit = self._num_candidates(self._picker.rule.count(fresh.scores, num_open))
        hardest = RoundCandidates.hardest(pool, scores.fresh(), tie_ranks, rejected, limit)
        if self._diversity is not None or self._review is not None:
            hardest = hardest.with_scenes(self._diversity or Diversity())
        if self._search is not None:
            positives = None
            if self._search.needs_features:
                count = self._search.rule.num_positives
                positives = positive_features(runner, pool, count, self._picker.seed)
            self._search.search(hardest, frozenset(self._decisions), positives)
        self._hardest = hardest.with_reasons(self._suspects.reasons)
        picked, positions = self._pick(pool, number, scores, tie_ranks)
        return picked, self._suspects.reasons, _spread(self._hardest, positions)

    def _pick(
        self,
        pool: NegativePool,
        number: int,
        scores: PoolScores,
        tie_ranks: NDArray[np.int64],
    ) -> tuple[PickedRound, NDArray[np.int64] | None]:
        """The picks, and their positions among the candidates if those have scenes."""
        fresh, num_open = _fresh_and_open(scores, self._excluded_now(pool))
        if self._diversity is None:
            picked = self._picker.pick_hardest(
                number, tie_ranks, fresh.indices, fresh.scores, num_open
            )
            return picked, None
        hardest = self._hardest
        rule = self._picker.rule
        least = -np.inf if rule.score_thr is None else rule.score_thr
        positions = hardest.select(
            rule.count(fresh.scores, num_open), self._suspects.reasons, self._diversity, least
        )
        picked = PickedRound(number, hardest.indices[positions], hardest.scores[positions])
        return picked, positions


def _fresh_and_open(scores: PoolScores, excluded: NDArray[np.bool_]) -> tuple[PoolScores, int]:
    """Scores of this round of those that are not excluded, (P,), and how many have any score.

    Scores of earlier rounds are of another model: they say what to score, not what to pick.
    """
    fresh = scores.fresh()
    is_open = ~excluded[fresh.indices]
    left = PoolScores(fresh.indices[is_open], fresh.scores[is_open])
    return left, int((~excluded[scores.indices]).sum())


def _marked(pool: NegativePool, keys: set[str]) -> NDArray[np.bool_]:
    """Whether a negative has one of the keys, (P,)."""
    if not keys:  # of a pool of a million, a look at each takes a while
        return np.zeros(len(pool), bool)
    return np.array([key in keys for key in pool.keys], dtype=bool)


def _spread(hardest: RoundCandidates, positions: NDArray[np.int64] | None) -> dict[str, int]:
    """How many scenes and groups the picks are of; nothing if scenes were not looked for."""
    if positions is None:
        return {}
    picked = [hardest.candidates[position] for position in positions]
    return dict(
        num_scenes=len({one.scene for one in picked}),
        num_groups=len({one.group for one in picked if one.group}),
    )
