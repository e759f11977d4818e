import numpy as np
import pytest

from mmpolar.structures.boxes import box_overlap
from mmpolar.tracking import SearchMaps, TrackParams
from mmpolar.tracking.searched import PEAK_OVERLAP, PEAK_SCORE, SearchedBatch

SIDE, CROP = 25, 255


class Rays:
    """Contours whose radii tell at which location they were measured."""

    n_rays = 4

    def contours(self, maps, locations):
        return np.repeat(np.asarray(locations, np.float32)[:, None] + 1, 4, 1)


def searched(scores, ltrb, engine=None, online=None, **params):
    targets = len(scores)
    return SearchedBatch(
        engine=engine or Rays(),
        params=TrackParams(**params),
        maps=SearchMaps(scores, ltrb),
        boxes=[np.array([100.0, 80.0, 140.0, 130.0])] * targets,
        scales=[1.5] * targets,
        search_size=CROP,
        far=[False] * targets,
        online=[online] * targets,
    )


def random_maps(targets=1):
    rng = np.random.default_rng(3)
    scores = rng.uniform(0, 1, (targets, SIDE, SIDE)).astype(np.float32)
    return scores, rng.uniform(20, 60, (targets, 4, SIDE, SIDE)).astype(np.float32)


def crop_box(ltrb, row, col):
    """The box of a location in pixels of the crop."""
    x, y = ((at - SIDE // 2) * 8 + CROP // 2 for at in (col, row))
    left, top, right, bottom = ltrb[:, row, col].astype(float)
    return np.array([x - left, y - top, x + right, y + bottom])


def test_the_second_peak_is_the_best_location_whose_box_is_elsewhere():
    scores, ltrb = random_maps()
    [first] = searched(scores, ltrb, penalty_k=0.0).peaks()
    second = first.second()
    own = crop_box(ltrb[0], first.selection.row, first.selection.col)
    others = [
        (scores[0, row, col], row, col)
        for row in range(SIDE)
        for col in range(SIDE)
        if box_overlap(crop_box(ltrb[0], row, col), own) <= PEAK_OVERLAP
    ]
    score, row, col = max(others)
    assert (second.selection.row, second.selection.col) == (row, col)
    assert second.selection.score == score
    np.testing.assert_allclose(
        second.polygon[0, 0] - second.selection.pole[0], (row * SIDE + col + 1) / 1.5
    )


def test_each_target_of_a_batch_has_its_own_second_peak():
    scores, ltrb = random_maps(3)
    together = searched(scores, ltrb).peaks()
    for index, peak in enumerate(together):
        [alone] = searched(scores[index : index + 1], ltrb[index : index + 1]).peaks()
        np.testing.assert_array_equal(peak.second().selection.box, alone.second().selection.box)
        np.testing.assert_array_equal(peak.second().polygon, alone.second().polygon)


@pytest.mark.parametrize(('score', 'is_found'), [(PEAK_SCORE, True), (0.9 * PEAK_SCORE, False)])
def test_there_is_no_second_peak_where_nothing_scores(score, is_found):
    scores = np.zeros((1, SIDE, SIDE))
    scores[0, 12, 12], scores[0, 12, 20] = 0.9, score
    [peak] = searched(scores, np.full((1, 4, SIDE, SIDE), 20.0)).peaks()
    assert (peak.second() is not None) == is_found


def test_the_online_model_ranks_second_peaks_too():
    scores, online = np.full((1, SIDE, SIDE), 0.1), np.zeros((SIDE, SIDE))
    scores[0, 12, 12], online[12, 12], online[3, 20] = 0.9, 0.5, 0.8
    ltrb = np.full((1, 4, SIDE, SIDE), 20.0)
    [peak] = searched(scores, ltrb, online=online, online_share=0.5).peaks()
    assert (peak.selection.row, peak.selection.col) == (12, 12)
    second = peak.second().selection
    assert (second.row, second.col, second.online) == (3, 20, 0.8)


def test_peaks_of_a_network_without_contours():
    engine = Rays()
    engine.n_rays = None
    [peak] = searched(*random_maps(), engine).peaks()
    assert peak.polygon is None
    assert peak.second().polygon is None
