from dataclasses import replace

import pytest

from mmpolar.tracking.params import TrackParams, current_spelling


def test_small_targets_get_the_larger_search_region():
    params = TrackParams(search_size=255, small_target_search_size=287, small_target_share=0.004)
    assert params.search_size_for(399.0, 100_000.0) == 287
    assert params.search_size_for(401.0, 100_000.0) == 255


@pytest.mark.parametrize(
    ('field', 'value'),
    [
        ('lr', 1.5),
        ('window_influence', -0.1),
        ('score_ratio', 2.0),
        ('search_size', 100),
        ('crop', 'nearest'),
        ('online_interval', 0),
    ],
)
def test_track_params_reject_values_out_of_range(field, value):
    with pytest.raises(ValueError, match=field):
        TrackParams(**{field: value})


@pytest.mark.parametrize(
    'name', ['lost_score', 'found_score', 'online_share', 'online_rate', 'online_score']
)
def test_scores_that_decide_must_be_shares(name):
    with pytest.raises(ValueError, match=f'{name} must lie in'):
        TrackParams(**{name: 1.5})


def test_old_spelling_is_taken_and_files_are_read_in_either():
    with pytest.warns(DeprecationWarning, match='contour_share'):
        params = TrackParams(outline_share=0.25)
    assert params.contour_share == 0.25
    assert params == TrackParams(contour_share=0.25)
    assert replace(params, lr=0.5).contour_share == 0.25
    assert current_spelling(dict(outline_share=0.5, lr=1)) == dict(contour_share=0.5, lr=1)
    assert params.outline_share == 0.25
