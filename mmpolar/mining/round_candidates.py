"""The hardest negatives of a round, as candidates for picks and for review."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmpolar.mining.candidate import Candidate
from mmpolar.mining.picks.pick_rule import hardest_first
from mmpolar.mining.pool.negative_pool import NegativePool
from mmpolar.mining.scenes import Appearance, Diversity, find_scenes, select_diverse
from mmpolar.mining.scoring.hardest_samples import SampleDetections
from mmpolar.mining.scoring.score_pool import PoolScores


@dataclass(frozen=True)
class RoundCandidates:
    """The hardest negatives of a round.

    Attributes:
        indices: Their indices in the pool, hardest first, (C,).
        candidates: What is known of each.
        detections: What the detector saw in each.
        appearance: How alike they look; None until scenes are found.
    """

    indices: NDArray[np.int64]
    candidates: list[Candidate]
    detections: list[SampleDetections]
    appearance: Appearance | None = None

    @classmethod
    def hardest(
        cls,
        pool: NegativePool,
        scores: PoolScores,
        tie_ranks: NDArray[np.int64],
        left_out: NDArray[np.bool_],
        limit: int,
    ) -> 'RoundCandidates':
        """Those whose detections were kept, but for those that are left out.

        Args:
            pool: The pool.
            scores: Its scores.
            tie_ranks: Rank of each negative among those of equal score, (P,).
            left_out: Whether a negative is left out, (P,).
            limit: How many at most.
        """
        order = hardest_first(scores.scores, tie_ranks[scores.indices])
        found: list[tuple[int, Candidate, SampleDetections]] = []
        for position in order[: len(scores.detections) + int(left_out.sum())]:
            index = int(scores.indices[position])
            detections = scores.detections.get(index)
            if detections is not None and not left_out[index]:
                known = pool.candidate(index, float(scores.scores[position]))
                found.append((index, _with_detection(known, detections, pool.classes), detections))
        found = found[:limit]
        indices = np.array([index for index, _, _ in found], dtype=np.int64)
        return cls(indices, [one for _, one, _ in found], [seen for _, _, seen in found])

    @property
    def scores(self) -> NDArray[np.float64]:
        """Score of each, (C,)."""
        return np.array([one.score for one in self.candidates])

    @property
    def features(self) -> NDArray[np.float32] | None:
        """Feature of each, (C, F); None where they were not kept."""
        features = [seen.feature for seen in self.detections]
        return None if not features or features[0] is None else np.stack(features)

    def with_scenes(self, rule: Diversity) -> 'RoundCandidates':
        """The same, with the number of its scene in each; reads their images."""
        images = [one.image for one in self.candidates]
        appearance = Appearance.of_files(images, self.features)
        scenes = find_scenes(appearance, [one.group for one in self.candidates], rule)
        candidates = [
            replace(one, scene=scene)
            for one, scene in zip(self.candidates, scenes.tolist(), strict=True)
        ]
        return replace(self, candidates=candidates, appearance=appearance)

    def with_reasons(self, reasons: Mapping[str, tuple[str, ...]]) -> 'RoundCandidates':
        """The same, with the reasons why some are suspects, by key."""
        candidates = [replace(one, reasons=reasons.get(one.key, ())) for one in self.candidates]
        return replace(self, candidates=candidates)

    def select(
        self, count: int, left_out: Collection[str], rule: Diversity, least: float = -np.inf
    ) -> NDArray[np.int64]:
        """Positions of picks that differ and score at least so much, (K,), none of those left out by key."""
        open_ones = [
            number
            for number, one in enumerate(self.candidates)
            if one.key not in left_out and one.score >= least
        ]
        chosen = np.array(open_ones, dtype=np.int64)
        known: Sequence[Candidate] = [self.candidates[n] for n in open_ones]
        looks = self.appearance
        picks = select_diverse(
            np.array([one.score for one in known]),
            np.array([one.scene for one in known], dtype=np.int64),
            [one.group for one in known],
            Appearance(
                looks.hashes[chosen],
                looks.hashed[chosen],
                None if looks.features is None else looks.features[chosen],
            ),
            count,
            rule,
        )
        return chosen[picks]


def _with_detection(known: Candidate, seen: SampleDetections, classes: Sequence[str]) -> Candidate:
    image = known.image if seen.img_path is None else str(seen.img_path)
    if not len(seen.bboxes):
        return replace(known, image=image)
    x1, y1, x2, y2 = map(float, seen.bboxes[0])
    has_area = x2 > x1 and y2 > y1
    label = ''
    if seen.label is not None and len(classes) > 1 and seen.label < len(classes):
        label = classes[seen.label]
    return replace(known, image=image, box=(x1, y1, x2, y2) if has_area else None, label=label)
