from dataclasses import dataclass

from mmpolar.mining.suspects.track_check import TrackCheck
from mmpolar.utils.checks import check_at_least


@dataclass(frozen=True)
class SuspectRule:
    """What makes a negative a suspect.

    Attributes:
        rounds: A negative that scores ``score_thr`` or more after it was among the picks of so many
            rounds, at least 1; None not to ask.
        score_thr: The score from which an alarm is looked at.
        track: Options of :class:`TrackCheck`: an alarm that the tracker follows through its video;
            None not to ask.
        max_tracked: So many alarms of a round are tracked at most, the hardest first, at least 1.
        neighbours: An alarm that lies among the positives in feature space, by so many neighbours,
            at least 1; None not to ask.
        typical: Share of the positives that a suspect must be more typical than, in [0, 1).
        num_positives: Positives that alarms are compared with, at least ``neighbours + 1``.

    Raises:
        ValueError: If an option is out of its range.
    """

    rounds: int | None = 3
    score_thr: float = 0.5
    track: dict | None = None
    max_tracked: int = 64
    neighbours: int | None = None
    typical: float = 0.3
    num_positives: int = 500

    def __post_init__(self) -> None:
        check_at_least(1, max_tracked=self.max_tracked, rounds=self.rounds)
        if self.neighbours is not None:
            check_at_least(1, neighbours=self.neighbours)
            check_at_least(self.neighbours + 1, num_positives=self.num_positives)
        if not 0 <= self.typical < 1:
            raise ValueError(f'typical must lie in [0, 1), got {self.typical}')
        if self.track is not None:
            TrackCheck(**self.track)
