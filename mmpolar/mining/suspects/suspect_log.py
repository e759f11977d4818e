from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from mmpolar.mining.candidate import Candidate

#: Why an alarm is a suspect.
STILL_HIGH, STEADY, AMONG_POSITIVES = 'still high', 'steady', 'among positives'


class SuspectLog:
    """Which negatives are suspects, from round to round.

    A suspect stays one until somebody has decided on it.

    Attributes:
        reasons: Why each suspect is one, by key.
        trained: In how many rounds each negative was among the picks, by key.
        seen: Keys of the alarms that were looked at by tracking, which is done once.
    """

    def __init__(self) -> None:
        self.reasons: dict[str, tuple[str, ...]] = {}
        self.trained: Counter[str] = Counter()
        self.seen: set[str] = set()

    def add_picks(self, keys: Iterable[str]) -> None:
        """Count a round of training on these negatives."""
        self.trained.update(keys)

    def decide(self, decided: Collection[str]) -> None:
        """Take those off that somebody has decided on."""
        for key in decided:
            self.reasons.pop(key, None)

    def add(self, key: str, reason: str) -> None:
        """Make a negative a suspect, or give a further reason."""
        known = self.reasons.get(key, ())
        if reason not in known:
            self.reasons[key] = (*known, reason)

    def still_high(
        self, candidates: Sequence[Candidate], score_thr: float, rounds: int
    ) -> list[str]:
        """Keys of those that score high after so many rounds of training on them."""
        return [
            one.key
            for one in candidates
            if one.score >= score_thr and self.trained[one.key] >= rounds
        ]

    def to_state(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        return dict(
            reasons={key: list(reasons) for key, reasons in self.reasons.items()},
            trained=dict(self.trained),
            seen=sorted(self.seen),
        )

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take what :meth:`to_state` gave."""
        self.reasons = {key: tuple(reasons) for key, reasons in state['reasons'].items()}
        self.trained = Counter(state['trained'])
        self.seen = set(state['seen'])
