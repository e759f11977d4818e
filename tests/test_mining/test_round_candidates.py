import numpy as np

from mmpolar.mining.candidate import Candidate
from mmpolar.mining.round_candidates import RoundCandidates
from mmpolar.mining.scenes import Appearance, Diversity


def candidates(scores):
    """Of scenes of their own, except the first two, which are copies of one another."""
    known = [
        Candidate(f'{number}.png', score, scene=max(number, 1))
        for number, score in enumerate(scores)
    ]
    hashes = np.array([0, *(np.uint64(2**64 - 1) >> np.uint64(n) for n in range(len(scores) - 1))])
    looks = Appearance(hashes.astype(np.uint64), np.ones(len(scores), bool))
    return RoundCandidates(np.arange(len(scores)), known, [], looks)


def test_no_pick_scores_less_than_asked_for_however_different_it_looks():
    found = candidates([0.9, 0.8, 0.6, 0.1])
    rule = Diversity(max_per_scene=1)

    assert found.select(3, (), rule).tolist() == [0, 2, 3]
    assert found.select(3, (), rule, least=0.5).tolist() == [0, 2]


def test_what_is_left_out_is_no_pick():
    found = candidates([0.9, 0.8, 0.6])

    assert 2 not in found.select(3, ('2.png',), Diversity())
