"""Near-copies are one scene, and picks differ from each other."""

import cv2
import numpy as np
import pytest

from mmpolar.mining.scenes import (
    Appearance,
    Diversity,
    find_scenes,
    hash_distances,
    hash_files,
    perceptual_hash,
    select_diverse,
)


def texture(seed, size=(120, 160)):
    """An image of smooth random colours."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(small, size[::-1], interpolation=cv2.INTER_CUBIC)


def near_copies(image):
    """The same view, as the frames after it show it."""
    noise = np.random.default_rng(5).normal(0, 6, image.shape)
    yield np.clip(image + noise, 0, 255).astype(np.uint8)
    yield cv2.convertScaleAbs(image, alpha=0.8, beta=15)
    yield cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    moved = image.copy()
    cv2.circle(moved, (40, 60), 9, (0, 0, 255), -1)
    yield moved


def of_hashes(hashes, features=None):
    hashes = np.array(hashes, np.uint64)
    return Appearance(hashes, np.ones(len(hashes), bool), features)


def test_near_copies_have_close_hashes_and_other_images_distant_ones():
    hashes = np.array([perceptual_hash(texture(seed)) for seed in range(30)])
    for number, own in enumerate(hashes):
        copies = np.array([perceptual_hash(copy) for copy in near_copies(texture(number))])
        assert hash_distances(own, copies).max() <= 10
        assert hash_distances(own, np.delete(hashes, number)).min() > 10


def test_distances_count_the_bits_that_differ():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 50, dtype=np.uint64)
    expected = [bin(int(hashes[0]) ^ int(other)).count('1') for other in hashes]
    assert hash_distances(hashes[0], hashes).tolist() == expected


def test_files_of_any_size_are_hashed_and_unreadable_ones_told(tmp_path):
    paths = []
    for name, size in (('large.jpg', (480, 640)), ('small.png', (40, 50)), ('tiny.png', (3, 2))):
        paths.append(tmp_path / name)
        cv2.imwrite(str(paths[-1]), texture(1, size))
    (tmp_path / 'broken.jpg').write_bytes(b'no image')
    done = []
    hashes, readable = hash_files(
        [*paths, tmp_path / 'broken.jpg', tmp_path / 'gone'], 2, done.append
    )
    assert readable.tolist() == [True, True, True, False, False]
    assert hash_distances(hashes[0], hashes[1:2]) <= 4
    assert sum(done) == 5


def test_scenes_are_near_copies_of_their_first_candidate_and_no_chain():
    # Each hash differs from the one before in 8 bits: a chain of near-copies.
    hashes = [sum(1 << bit for bit in range(8 * number)) for number in range(4)]
    assert find_scenes(of_hashes(hashes), [''] * 4, Diversity()).tolist() == [0, 0, 1, 1]
    unreadable = Appearance(np.zeros(3, np.uint64), np.array([True, False, True]))
    assert find_scenes(unreadable, [''] * 3, Diversity()).tolist() == [0, 1, 0]


def test_features_join_candidates_of_one_group_alone():
    far = [0, 2**32 - 1, (2**32 - 1) << 32]
    features = np.array([[1, 0], [1, 0], [0.999, 0.0447]])
    appearance = of_hashes(far, features)
    assert find_scenes(appearance, ['a', 'a', 'a'], Diversity()).tolist() == [0, 0, 0]
    assert find_scenes(appearance, ['a', 'b', 'a'], Diversity()).tolist() == [0, 1, 0]
    assert find_scenes(of_hashes(far), ['a'] * 3, Diversity()).tolist() == [0, 1, 2]


def slow_selection(scores, scenes, groups, similarity, count, rule):
    """The definition, candidate by candidate."""
    low, high = min(scores), max(scores)
    picks = []
    while len(picks) < count:
        best, best_value = None, -np.inf
        for one in range(len(scores)):
            of_scene = sum(scenes[pick] == scenes[one] for pick in picks)
            of_group = sum(groups[pick] == groups[one] for pick in picks) if groups[one] else -1
            if one in picks or of_scene >= rule.max_per_scene or of_group >= rule.max_per_group:
                continue
            closest = max((similarity[pick][one] for pick in picks), default=0)
            value = (1 - rule.weight) * (scores[one] - low) / (high - low) - rule.weight * closest
            if value > best_value:
                best, best_value = one, value
        if best is None:
            break
        picks.append(best)
    return picks


@pytest.mark.parametrize('weight', [0.0, 0.3, 1.0])
@pytest.mark.parametrize('with_features', [True, False])
def test_selection_equals_its_definition(weight, with_features):
    rng = np.random.default_rng(3)
    for size in (1, 7, 40):
        scores = np.sort(rng.random(size))[::-1] if size > 1 else np.array([0.5])
        scenes = rng.integers(0, max(2, size // 3), size)
        groups = rng.choice(['', 'cam1', 'cam2'], size).tolist()
        features = rng.normal(size=(size, 3))
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        appearance = of_hashes(
            rng.integers(0, 2**64, size, dtype=np.uint64), features if with_features else None
        )
        rule = Diversity(max_per_scene=2, max_per_group=5, weight=weight)
        similarity = [appearance.similarities(index) for index in range(size)]
        if size > 1:
            expected = slow_selection(scores, scenes, groups, similarity, 20, rule)
        else:
            expected = [0]
        found = select_diverse(scores, scenes, groups, appearance, 20, rule)
        assert found.tolist() == expected


def test_without_limits_and_weight_the_hardest_are_selected():
    appearance = of_hashes(np.arange(6))
    rule = Diversity(max_per_scene=None, weight=0)
    scores = np.linspace(1, 0, 6)
    picks = select_diverse(scores, np.zeros(6, int), ['a'] * 6, appearance, 4, rule)
    assert picks.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    'options',
    [dict(max_per_scene=0), dict(max_per_group=0), dict(weight=1.1), dict(max_hash_bits=32)],
)
def test_values_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Diversity(**options)
