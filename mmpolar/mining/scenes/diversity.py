from dataclasses import dataclass

from mmpolar.mining.scenes.perceptual_hash import HASH_BITS
from mmpolar.utils.checks import check_at_least


@dataclass(frozen=True)
class Diversity:
    """How far picks must differ from each other.

    Attributes:
        max_per_scene: Most picks of one scene, at least 1; None for any number.
        max_per_group: Most picks of one group, such as a camera, at least 1; None for any number.
            Candidates without a group are not counted.
        weight: From 0, the hardest first, to 1, the most different first; between them
            ``(1 - weight) * score - weight * similarity`` is largest, with the score scaled to
            0..1 among the candidates, and the similarity to the most similar pick (*maximal
            marginal relevance*).
        candidates_per_pick: The hardest so many times the number of picks are looked at, at least 1.
        max_hash_bits: Images are near-copies if their hashes differ in at most so many of 64 bits.
        min_similarity: So are those of one group whose features have at least this cosine.

    Raises:
        ValueError: If a value is out of its range.
    """

    max_per_scene: int | None = 2
    max_per_group: int | None = None
    weight: float = 0.3
    candidates_per_pick: int = 4
    max_hash_bits: int = 10
    min_similarity: float = 0.97

    def __post_init__(self) -> None:
        check_at_least(1, candidates_per_pick=self.candidates_per_pick)
        check_at_least(1, max_per_scene=self.max_per_scene, max_per_group=self.max_per_group)
        if not 0 <= self.weight <= 1:
            raise ValueError(f'weight of diversity must lie in 0..1, got {self.weight}')
        if not 0 <= self.max_hash_bits < HASH_BITS / 2:
            raise ValueError(
                f'max_hash_bits must lie in 0..{HASH_BITS // 2 - 1}, got {self.max_hash_bits}; '
                'unrelated images differ in about half of the bits'
            )
