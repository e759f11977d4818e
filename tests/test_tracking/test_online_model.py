"""The online model on features made up here."""

import numpy as np
import pytest

from mmpolar.tracking.online_model import (
    OnlineModel,
    SearchView,
    is_of_stride,
    neighbourhoods,
)

CHANNELS, SIDE = 6, 32
#: The search crop shows the frame at twice its size; its middle, pixel 127, is at (100, 80).
SCALE, MIDDLE = 2.0, np.array([100.0, 80.0])


def box_at(center, side=32.0):
    center = np.asarray(center, np.float64)
    return np.concatenate([center - side / 2, center + side / 2])


def crop_box():
    return box_at(MIDDLE)


def paint(places, seed=0):
    """Features with something at places (row, column) of cells: channel by channel, 5 x 5 cells."""
    features = np.random.default_rng(seed).normal(0, 0.3, (CHANNELS, SIDE, SIDE))
    for channel, (row, col) in places.items():
        features[channel, row - 2 : row + 3, col - 2 : col + 3] += 3
    return features


def view(features):
    return SearchView.of(features, crop_box(), SCALE, 255, 8)


def cell_of(point):
    """Where a point of the frame lies, row and column in cells."""
    x, y = (127 + (np.asarray(point) - MIDDLE) * SCALE) / 8
    return y, x


def test_label_is_a_gaussian_around_the_target():
    center, side = np.array([112.0, 72.0]), 40.0
    label = view(paint({})).label(box_at(center, side))
    row, col = cell_of(center)
    sigma = 0.25 * side * SCALE / 8
    for r, c in ((16, 19), (10, 22), (14, 18)):
        expected = np.exp(-((r - row) ** 2 + (c - col) ** 2) / (2 * sigma**2))
        assert label[r, c] == pytest.approx(expected, rel=1e-4)
    assert label.max() <= 1


def test_cell_scores_equal_loops():
    model = OnlineModel.start(view(paint({0: (16, 16)})), box_at(MIDDLE))
    model.weights = np.random.default_rng(5).normal(size=9 * CHANNELS + 1).astype(np.float32)
    other = view(paint({0: (8, 20), 1: (24, 9)}, seed=1))
    got = model.cell_scores(other)
    taps = model.weights[:-1].reshape(CHANNELS, 3, 3)
    padded = np.pad(other.features, ((0, 0), (1, 1), (1, 1)))
    for row, col in ((0, 0), (8, 20), (31, 31), (5, 0), (17, 30)):
        part = (taps * padded[:, row : row + 3, col : col + 3]).sum()
        assert got[row, col] == pytest.approx(part + 0.3 * model.weights[-1], abs=1e-5)


def test_neighbourhoods_are_what_the_filter_sees():
    model = OnlineModel.start(view(paint({0: (16, 16)})), box_at(MIDDLE))
    seen = view(paint({0: (8, 20)}, seed=1))
    rows = neighbourhoods(seen.features, np.arange(SIDE * SIDE))
    np.testing.assert_allclose(
        rows @ model.weights, model.cell_scores(seen).ravel(), rtol=0, atol=1e-5
    )


def test_scores_lie_on_the_grid_of_the_score_map():
    model = OnlineModel.start(view(paint({0: (16, 16)})), box_at(MIDDLE))
    cells, size = model.cell_scores(view(paint({0: (16, 16)}))), 25
    scores = model.scores(view(paint({0: (16, 16)})), size)
    assert scores.shape == (size, size)
    # Location (12, 12) is at pixel 127 of the crop, 7/8 of the way from cell 15 to cell 16.
    share = 7 / 8
    top = (1 - share) * cells[15, 15] + share * cells[15, 16]
    below = (1 - share) * cells[16, 15] + share * cells[16, 16]
    assert scores[12, 12] == pytest.approx((1 - share) * top + share * below, abs=1e-5)
    assert scores.min() >= 0
    assert scores.max() <= 1


def test_the_target_scores_high_and_what_stood_beside_it_does_not():
    """The other thing shares the target's main channel, and differs in one."""
    places = {0: (16, 16), 1: (16, 16)}
    features = paint(places)
    features[0, 4:9, 22:27] += 3
    features[2, 4:9, 22:27] += 3
    model = OnlineModel.start(view(features), box_at(MIDDLE))
    scores = model.cell_scores(view(features))
    assert scores[16, 16] > 0.5
    assert scores[4:9, 22:27].max() < 0.5 * scores[16, 16]


def test_an_update_lowers_a_thing_that_came_later_and_keeps_the_target():
    model = OnlineModel.start(view(paint({0: (16, 16), 1: (16, 16)})), box_at(MIDDLE))
    features = paint({0: (16, 16), 1: (16, 16)}, seed=3)
    features[0, 4:9, 22:27] += 3
    features[2, 4:9, 22:27] += 3
    later = view(features)
    before = model.cell_scores(later)
    for _ in range(5):
        model.update(later, box_at(MIDDLE), 0.5)
    after = model.cell_scores(later)
    assert after[4:9, 22:27].max() < 0.7 * before[4:9, 22:27].max()
    assert after[16, 16] > 0.5


def test_updates_come_to_the_direct_solution():
    model = OnlineModel.start(view(paint({0: (16, 16), 1: (16, 16)})), box_at(MIDDLE))
    later = view(paint({0: (16, 16), 3: (16, 16)}, seed=3))
    for _ in range(60):
        model.update(later, box_at(MIDDLE), 0.5)
    expected = model.first.plus(model.recent).solve()
    np.testing.assert_allclose(model.weights, expected, atol=2e-3)


def test_the_first_frame_is_kept_for_ever():
    """However many frames teach otherwise, its equations weigh as much as all of them."""
    first = view(paint({0: (16, 16)}))
    model = OnlineModel.start(first, box_at(MIDDLE))
    gram = model.first.gram.copy()
    for seed in range(40):
        model.update(view(paint({3: (16, 16)}, seed)), box_at(MIDDLE), 0.5)
    np.testing.assert_array_equal(model.first.gram, gram)
    forgetful = OnlineModel(model.recent.solve(), model.recent)
    assert model.cell_scores(first)[16, 16] > 0.35
    assert forgetful.cell_scores(first)[16, 16] < 0.1


def test_memory_does_not_grow():
    model = OnlineModel.start(view(paint({0: (16, 16)})), box_at(MIDDLE))
    sizes = []
    for seed in range(3):
        model.update(view(paint({0: (16, 16)}, seed)), box_at(MIDDLE), 0.1)
        sizes.append(sum(value.nbytes for value in model.learned().values()))
    assert sizes[0] == sizes[-1]


@pytest.mark.parametrize('updates', [0, 2])
def test_what_was_learned_can_be_taken_over(updates):
    first = view(paint({0: (16, 16)}))
    model, other = (OnlineModel.start(first, box_at(MIDDLE)) for _ in range(2))
    for seed in range(updates):
        model.update(view(paint({0: (16, 16), 2: (9, 9)}, seed)), box_at(MIDDLE), 0.5)
    assert set(model.learned()) <= {'frames', 'weights', 'gram', 'moment'}
    other.take_learned(model.learned())
    for one in (model, other):
        one.update(view(paint({0: (12, 18)}, 9)), box_at(MIDDLE), 0.5)
    np.testing.assert_array_equal(model.weights, other.weights)


def test_search_crops_of_other_sizes_are_scored():
    model = OnlineModel.start(view(paint({0: (16, 16)})), box_at(MIDDLE))
    wide = np.random.default_rng(1).normal(0, 0.3, (CHANNELS, 64, 64))
    wide[0, 38:43, 48:53] += 3
    scores = model.scores(SearchView.of(wide, crop_box(), SCALE, 511, 8), 57)
    row, col = np.unravel_index(scores.argmax(), scores.shape)
    # Cell (40, 50) is at pixel (320, 400), location (r, c) at 255 + 8 (r - 28).
    assert abs(255 + 8 * (row - 28) - 320) <= 8
    assert abs(255 + 8 * (col - 28) - 400) <= 8


@pytest.mark.parametrize(('side', 'size', 'same'), [(32, 255, True), (36, 287, True), (64, 511, True), (64, 255, False)])  # fmt: skip
def test_maps_of_the_stride_are_told_from_finer_ones(side, size, same):
    assert is_of_stride(side, size, 8) is same
