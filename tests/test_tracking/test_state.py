import numpy as np

from mmpolar.tracking.params import TrackParams
from mmpolar.tracking.presence import scan_boxes
from mmpolar.tracking.searched import Peak
from mmpolar.tracking.selection import Selection
from mmpolar.tracking.state import TargetState

FRAME = (120, 160)
SQUARE = np.array([[40, 30], [60, 30], [60, 50], [40, 50]], dtype=np.float32)


def selection(score, box=(42.0, 32.0, 58.0, 48.0)):
    return Selection(row=12, col=12, box=np.array(box), score=score, pole=np.array([50.0, 40.0]))


def state():
    box = np.array([10.0, 10.0, 30.0, 30.0])
    return TargetState(None, box, 0, usual_search_size=255, search_size=255)


def find(target, selected, contour, params):
    return target.settle(target.propose(Peak(selected, contour), FRAME, params), params)


def test_target_that_scores_low_is_lost_and_is_found_at_a_higher_score():
    params = TrackParams(lost_score=0.3, found_score=0.6, widen_after=0)
    target, seen = state(), []
    for score in (0.5, 0.2, 0.5, 0.7, 0.4):
        result = find(target, selection(score), SQUARE, params)
        has_contour = result.polygon is not None
        seen.append((result.visible, target.lost_frames, target.search_size, has_contour))
    assert seen == [
        (True, 0, 255, True),
        (False, 1, 511, False),
        (False, 2, 511, False),
        (True, 0, 255, True),
        (True, 0, 255, True),
    ]


def test_a_target_is_looked_for_where_it_was_first_and_in_a_wider_region_then():
    target, params, sizes = state(), TrackParams(lost_score=0.3, widen_after=2), []
    for _ in range(4):
        find(target, selection(0.1), SQUARE, params)
        sizes.append(target.search_size)
    assert sizes == [255, 255, 511, 511]
    find(target, selection(0.9), SQUARE, params)
    assert target.search_size == 255


def test_lost_target_keeps_its_box():
    target = state()
    params = TrackParams(lost_score=0.3)
    result = find(target, selection(0.1), SQUARE, params)
    np.testing.assert_array_equal(result.box, [10, 10, 30, 30])
    np.testing.assert_array_equal(target.box, [10, 10, 30, 30])
    assert result.polygon is None
    assert result.score == 0.1


def test_no_target_is_lost_by_default():
    target = state()
    result = find(target, selection(0.0), SQUARE, TrackParams())
    assert result.visible
    assert TrackParams().search_sizes == (255, 287)
    assert TrackParams(lost_score=0.1).search_sizes == (255, 287, 511)


def test_box_of_the_contour_is_cut_at_the_frame_and_leaves_the_search_alone():
    target = state()
    contour = SQUARE - np.float32([45, 0])
    for share, expected in ((1.0, [-0.5, 30, 15, 50]), (0.5, [20.75, 31, 36.5, 49])):
        params = TrackParams(contour_share=share)
        result = find(target, selection(0.9), contour, params)
        np.testing.assert_allclose(result.box, expected)
        np.testing.assert_allclose(target.box, [42, 32, 58, 48])


def test_a_proposal_changes_nothing():
    target = state()
    target.propose(Peak(selection(0.9), SQUARE), FRAME, TrackParams())
    np.testing.assert_array_equal(target.box, [10, 10, 30, 30])


def test_search_goes_on_to_other_parts_of_the_frame_in_every_second_frame():
    target, params = state(), TrackParams(lost_score=0.3, scan_after=2, widen_after=0, min_size=4)
    searched = []
    for _ in range(9):
        searched.append(target.search_box(FRAME, params).tolist())
        find(target, selection(0.1), SQUARE, params)
    own = [10, 10, 30, 30]
    assert [box == own for box in searched] == [True] * 3 + [False, True, False, True, False, True]
    scanned = scan_boxes(target.box, FRAME, params)
    np.testing.assert_allclose(searched[3:8:2], scanned[:3], atol=1 / 64)
    find(target, selection(0.9), SQUARE, params)
    np.testing.assert_array_equal(target.search_box(FRAME, params), target.box)


def test_the_second_peak_is_preferred_at_odds_of_seven_to_one():
    assert not state().prefers_second(0.4, 0.8)
    assert state().prefers_second(0.3, 0.8)
    # What is told is added up, but what speaks for the first peak is not kept.
    target = state()
    assert [target.prefers_second(*scores) for scores in ((0.9, 0.1), (0.4, 0.8), (0.5, 0.6))] == [
        False,
        False,
        True,
    ]


def test_state_goes_on_from_what_another_learned():
    params = TrackParams(lost_score=0.3, steady_cutoff=0.1)
    whole, later = state(), state()
    for score in (0.5, 0.2, 0.5, 0.6):
        whole.steady(find(whole, selection(score), SQUARE, params), params)
    whole.doubt = 1.5
    later.take_learned(whole.learned())
    assert later.doubt == 1.5
    for shift in range(1, 4):
        box = np.array([42.0, 32.0, 58.0, 48.0]) + shift
        one, other = (
            target.steady(find(target, selection(0.5, box), SQUARE + shift, params), params)
            for target in (whole, later)
        )
        np.testing.assert_array_equal(other.box, one.box)
        np.testing.assert_array_equal(other.polygon, one.polygon)
