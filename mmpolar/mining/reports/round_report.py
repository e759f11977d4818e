import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmpolar.mining.picks.pick_history import Pick, PickHistory
from mmpolar.mining.scoring.score_pool import PoolScores

#: Quantiles of the scores that are reported, 0 the lowest and 1 the highest score.
QUANTILES = (0.0, 0.5, 0.9, 0.99, 1.0)
#: Where the message hub keeps the summary of the last round.
INFO_KEY = 'mining'


@dataclass(frozen=True)
class RoundReport:
    """Report of a mining round.

    Attributes:
        round: Its number, from 1.
        epoch: Epochs done before it.
        iter: Iterations done before it.
        selection: ``'hardest'`` or ``'random'``.
        pool_size: Number of negatives.
        num_scored: Number of negatives that were scored in this round; the share and the quantiles below
            are of the last known scores of all.
        seconds: How long scoring and picking took.
        report_thr: The threshold of ``share_above``.
        share_above: Share of the scored negatives with a score of at least ``report_thr``; None
            if nothing was scored.
        quantiles: Of the scores, by their share; empty if nothing was scored.
        num_picks: Number of picks, those kept from earlier rounds included.
        num_new: How many of them were not picked before this round.
        picks: The picks, hardest first, those kept from earlier rounds last.
        unreadable: Why a negative could not be read, by key; only those that could not.
        num_scenes: How many scenes the picks of this round show; None if scenes were not looked for.
        num_groups: How many groups they come from; None likewise.
        group_kind: What a group is, such as ``'camera'``.
        suspects: Why each of the suspects is one, by key; they are none of the picks.
        num_rejected: How many negatives have left the pool by decisions of reviewers.
    """

    round: int
    epoch: int
    iter: int
    selection: str
    pool_size: int
    num_scored: int
    seconds: float
    report_thr: float
    share_above: float | None
    quantiles: dict[str, float]
    num_picks: int
    num_new: int
    picks: tuple[Pick, ...]
    unreadable: dict[str, str]
    num_scenes: int | None = None
    num_groups: int | None = None
    group_kind: str = 'group'
    suspects: dict[str, tuple[str, ...]] = field(default_factory=dict)
    num_rejected: int = 0

    @classmethod
    def of_last_round(
        cls,
        history: PickHistory,
        scores: PoolScores | None,
        keys: Sequence[str],
        before: NDArray[np.int64],
        report_thr: float,
        **progress: Any,
    ) -> 'RoundReport':
        """Report of the last round of a history.

        Args:
            history: The picks.
            scores: Scores of the pool; None for random picks.
            keys: Name of each negative of the pool.
            before: Indices of the picks before this round.
            report_thr: The threshold of ``share_above``.
            **progress: ``epoch``, ``iter`` and ``seconds``, and what has a default.
        """
        picks = history.picks(keys, before)
        unreadable = {} if scores is None else scores.unreadable
        return cls(
            round=history.last_round,
            selection='random' if scores is None else 'hardest',
            pool_size=len(keys),
            num_scored=0 if scores is None else scores.num_fresh,
            report_thr=report_thr,
            share_above=None if scores is None else float(np.mean(scores.scores >= report_thr)),
            quantiles={} if scores is None else score_quantiles(scores.scores),
            num_picks=len(picks),
            num_new=sum(pick.is_new for pick in picks),
            picks=picks,
            unreadable={keys[index]: unreadable[index] for index in sorted(unreadable)},
            **progress,
        )

    def summary(self) -> dict[str, float]:
        """The numbers to follow over rounds, by name, each a share or a score."""
        summary = dict(new_share=self.num_new / max(1, self.num_picks))
        if self.share_above is not None:
            summary.update(share_above=self.share_above)
            summary.update({f'score_q{share}': score for share, score in self.quantiles.items()})
        return summary

    def log_line(self) -> str:
        """All of it in one line."""
        parts = [f'mining round {self.round}: pool of {self.pool_size}']
        if self.share_above is not None:
            quantiles = ', '.join(f'{share}: {q:.3f}' for share, q in self.quantiles.items())
            parts += [
                f'{self.num_scored} scored in {self.seconds:.1f} s',
                f'{self.share_above:.2%} score {self.report_thr:g} or more',
                f'score quantiles {quantiles}',
            ]
        if self.unreadable:
            parts.append(f'{len(self.unreadable)} unreadable')
        kind = 'random picks' if self.selection == 'random' else 'picks'
        scenes = ''
        if self.num_scenes is not None:
            scenes = f'{self.num_scenes} scenes, {self.num_groups} {self.group_kind}s, '
        parts.append(f'{self.num_picks} {kind}, {scenes}{self.num_new} of them new')
        if self.suspects:
            parts.append(f'{len(self.suspects)} suspects wait for a review')
        if self.num_rejected:
            parts.append(f'{self.num_rejected} left the pool')
        return '; '.join(parts)

    def to_json(self) -> str:
        """All of it, the picks included."""
        return json.dumps(asdict(self), indent=1)


def score_quantiles(scores: NDArray[np.float64]) -> dict[str, float]:
    """The reported quantiles of scores of shape (S,), S at least 1."""
    return {
        f'{share:g}': float(score)
        for share, score in zip(QUANTILES, np.quantile(scores, QUANTILES), strict=True)
    }
