"""What a person reads about a mining round."""

import json
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

#: Quantiles of the scores that are reported, 0 the lowest and 1 the highest score.
QUANTILES = (0.0, 0.5, 0.9, 0.99, 1.0)


@dataclass(frozen=True)
class Pick:
    """A negative that training draws.

    Attributes:
        index: Its place in the pool.
        key: Its name.
        score: Its score in the round in which it was picked; None if it was picked unscored.
        round: That round.
        is_new: Whether it was not among the picks before this round.
    """

    index: int
    key: str
    score: float | None
    round: int
    is_new: bool


@dataclass(frozen=True)
class RoundReport:
    """What a person reads about a mining round.

    Attributes:
        round: Its number, from 1.
        epoch: Epochs done before it.
        iter: Iterations done before it.
        selection: ``'hardest'`` or ``'random'``.
        pool_size: Number of negatives.
        num_scored: Number of negatives that were scored.
        seconds: How long it took to choose, scoring included.
        report_thr: The threshold of ``share_above``.
        share_above: Share of the scored negatives with a score of at least ``report_thr``; None
            if nothing was scored.
        quantiles: Of the scores, by their share; empty if nothing was scored.
        num_picks: Number of picks, those kept from earlier rounds included.
        num_new: How many of them were not picked before this round.
        picks: The picks, hardest first, those kept from earlier rounds last.
        unreadable: Why each negative that could not be read could not, by key.
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

    def summary(self) -> dict[str, float]:
        """The figures to follow over rounds, by name, each in the unit of a share or a score."""
        figures = dict(new_share=self.num_new / max(1, self.num_picks))
        if self.share_above is not None:
            figures.update(share_above=self.share_above)
            figures.update({f'score_q{share}': score for share, score in self.quantiles.items()})
        return figures

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
        how = 'random picks' if self.selection == 'random' else 'picks'
        parts.append(f'{self.num_picks} {how}, {self.num_new} of them new')
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
