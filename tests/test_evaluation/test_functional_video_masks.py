import numpy as np
import pytest

from mmpolar.evaluation.functional import score_statistics, scored_frames, youtube_vos_scores


def slow_statistics(scores):
    """The definition of the benchmark, in plain loops; frame numbers count from 1."""
    n = len(scores)
    edges = [int(np.floor(1 + k * (n - 1) / 4 + 0.5)) for k in range(5)]
    first = [scores[i - 1] for i in range(edges[0], edges[1] + 1)]
    last = [scores[i - 1] for i in range(edges[3], edges[4] + 1)]
    recalled = [score > 0.5 for score in scores]
    return sum(scores) / n, sum(recalled) / n, sum(first) / len(first) - sum(last) / len(last)


@pytest.mark.parametrize('length', [*range(1, 30), 98, 255, 256, 300, 700])
def test_statistics_match_loops(length):
    scores = np.random.default_rng(length).random(length)
    statistics = score_statistics(scores)
    got = statistics.mean, statistics.recall, statistics.decay
    assert got == pytest.approx(slow_statistics(scores.tolist()), abs=1e-12)


def test_statistics_by_hand():
    # Nine frames: the bins are frames 1-3, 3-5, 5-7 and 7-9.
    statistics = score_statistics([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
    assert statistics.mean == pytest.approx(0.5)
    assert statistics.recall == pytest.approx(4 / 9)
    assert statistics.decay == pytest.approx(0.8 - 0.2)


def test_frames_without_annotation_are_left_out():
    scores = [0.9, 0.2, 0.7, 0.4, 0.6]
    sparse = [0.9, np.nan, 0.2, 0.7, np.nan, np.nan, 0.4, 0.6]
    assert score_statistics(sparse) == score_statistics(scores)


def test_statistics_of_nothing_are_unknown():
    assert np.isnan(score_statistics([np.nan, np.nan]).mean)
    assert np.isnan(score_statistics([]).decay)


def test_scored_frames_leave_out_the_given_one_and_perhaps_the_last():
    frames = list(range(5))
    assert frames[scored_frames(5, skip_last=True)] == [1, 2, 3]
    assert frames[scored_frames(5, skip_last=False)] == [1, 2, 3, 4]
    for length in (1, 2):
        assert list(range(length))[scored_frames(length, skip_last=True)] == []


def test_youtube_vos_by_hand():
    scores = youtube_vos_scores([0.8, 0.6, 0.4], [0.9, 0.7, 0.5], [True, True, False])
    assert (scores.j_seen, scores.f_seen) == pytest.approx((0.7, 0.8))
    assert (scores.j_unseen, scores.f_unseen) == pytest.approx((0.4, 0.5))
    assert scores.overall == pytest.approx((0.7 + 0.8 + 0.4 + 0.5) / 4)


def test_youtube_vos_without_unseen_objects():
    scores = youtube_vos_scores([0.8], [0.6], [True])
    assert np.isnan(scores.j_unseen)
    assert scores.overall == pytest.approx(0.7)


def test_youtube_vos_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r'\(2,\), \(1,\), \(2,\)'):
        youtube_vos_scores([0.8, 0.2], [0.6], [True, False])
