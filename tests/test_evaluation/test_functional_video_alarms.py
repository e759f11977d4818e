"""Events and alarms of videos, compared with counting them one by one."""

import math
from dataclasses import astuple

import numpy as np
import pytest

from mmpolar.evaluation.functional import ScoredVideo, VideoAlarms, merge_alarms, rule_of_three


def random_videos(seed, num_videos=8, levels=6):
    """Videos of two cameras with many equal scores, uneven times and targets that come and go."""
    rng = np.random.default_rng(seed)
    videos = []
    for number in range(num_videos):
        count = int(rng.integers(1, 40))
        has_target = np.zeros(count, bool)
        if number % 2:
            start = int(rng.integers(count))
            has_target[start : start + int(rng.integers(1, 12))] = True
        videos.append(
            ScoredVideo.from_frames(
                f'video{number}',
                times=np.cumsum(rng.integers(1, 4, count)),
                scores=rng.integers(0, levels, count) / levels,
                has_target=has_target,
                stream=f'camera{number % 3}',
                frame_seconds=2.0,
            )
        )
    return videos


def events_of(video, threshold, max_gap):
    """Lists of frames, made by walking along the video."""
    events, last = [], None
    for frame, time in enumerate(video.times):
        if video.scores[frame] >= threshold:
            if last is None or time - last > max_gap:
                events.append([])
            events[-1].append(frame)
            last = time
    return events


def count_one_by_one(videos, threshold, max_gap):
    """Recall, false alarms per hour and per 1,000 videos, and events per hour."""
    hours = sum(v.times[-1] - v.times[0] + 2.0 for v in videos) / 3600
    events, false_alarms, found, flagged = 0, 0, 0, 0
    positive = [v for v in videos if v.has_target.any()]
    for video in videos:
        merged = events_of(video, threshold, max_gap)
        right = [event for event in merged if video.has_target[event].any()]
        events += len(merged)
        false_alarms += len(merged) - len(right)
        found += bool(right)
        flagged += bool(merged) and not video.has_target.any()
    negatives = len(videos) - len(positive)
    return (
        found / len(positive) if positive else math.nan,
        false_alarms / hours,
        1000 * flagged / negatives if negatives else math.nan,
        events / hours,
    )


@pytest.mark.parametrize('max_gap', [0, 1, 2.5, 6, 1000])
@pytest.mark.parametrize('seed', range(6))
def test_curve_equals_counting_one_by_one(seed, max_gap):
    videos = random_videos(seed)
    alarms = VideoAlarms(videos, max_gap)
    thresholds = np.unique(np.concatenate([video.scores for video in videos]))
    for threshold in [*thresholds, *(thresholds + 0.01)]:
        expected = count_one_by_one(videos, threshold, max_gap)
        np.testing.assert_allclose(astuple(alarms.point(threshold))[1:], expected, rtol=1e-12)
    for point in alarms.curve():
        expected = count_one_by_one(videos, point.threshold, max_gap)
        np.testing.assert_allclose(astuple(point)[1:], expected, rtol=1e-12)


def test_curve_has_every_threshold_at_which_something_changes():
    videos = random_videos(3)
    curve = VideoAlarms(videos, 3).curve()
    thresholds = np.unique(np.concatenate([video.scores for video in videos]))[::-1]
    rows = [count_one_by_one(videos, threshold, 3) for threshold in thresholds]
    changed = [
        t for t, row, last in zip(thresholds, rows, [None, *rows], strict=False) if row != last
    ]
    assert set(changed) <= set(curve.thresholds)
    assert (np.diff(curve.thresholds) < 0).all()
    assert (np.diff(curve.recall) >= 0).all()
    assert (np.diff(curve.false_alarms_per_1k_videos) >= 0).all()


def test_merge_alarms_by_hand():
    times = [0, 1, 2, 10, 13, 30]
    flagged = [1, 0, 1, 1, 1, 0]
    assert merge_alarms(times, flagged, max_gap=2).tolist() == [[0, 2], [3, 3], [4, 4]]
    assert merge_alarms(times, flagged, max_gap=3).tolist() == [[0, 2], [3, 4]]
    assert merge_alarms(times, flagged, max_gap=8).tolist() == [[0, 4]]
    assert merge_alarms(times, np.zeros(6), max_gap=8).shape == (0, 2)


def test_an_event_that_touches_a_target_is_right():
    """The flagged frames around a target are its event; those far away are a false alarm."""
    video = ScoredVideo.from_frames(
        'a', [0, 1, 2, 3, 20], [0.6, 0.6, 0.9, 0.6, 0.6], [0, 0, 1, 0, 0], frame_seconds=3600 - 20
    )
    alarms = VideoAlarms([video], max_gap=1)
    assert alarms.hours == 1
    assert alarms.point(0.7).events_per_hour == 1
    assert alarms.point(0.7).false_alarms_per_hour == 0
    assert alarms.point(0.6).events_per_hour == 2
    assert alarms.point(0.6).false_alarms_per_hour == 1


@pytest.mark.parametrize('wanted', [0.25, 0.5, 0.75, 1.0])
@pytest.mark.parametrize('seed', range(4))
def test_point_for_recall_is_the_highest_threshold_that_reaches_it(seed, wanted):
    videos = random_videos(seed, levels=50)
    point = VideoAlarms(videos, 2).point_for_recall(wanted)
    best = sorted(max(v.scores[v.has_target]) for v in videos if v.has_target.any())[::-1]
    assert point.threshold == best[math.ceil(wanted * len(best)) - 1]
    assert point.recall >= wanted


@pytest.mark.parametrize('seed', range(4))
def test_point_for_rate_never_passes_the_rate_on_its_way(seed):
    videos = random_videos(seed, levels=50)
    alarms = VideoAlarms(videos, 2)
    curve = alarms.curve()
    for rate in (0, *np.quantile(curve.events_per_hour, [0.1, 0.4, 0.8]), 1e9):
        point = alarms.point_for_rate(rate)
        above = curve.events_per_hour[curve.thresholds >= point.threshold]
        assert (above <= rate).all()
        lower = curve.thresholds[curve.thresholds < point.threshold]
        if len(lower):
            assert alarms.point(lower[0]).events_per_hour > rate


@pytest.mark.parametrize('at', [dict(threshold=0.95), dict(recall=0.5)])
def test_intervals_equal_a_bootstrap_over_copied_videos(at):
    videos = random_videos(5, num_videos=9, levels=50)
    got = VideoAlarms(videos, 2).intervals(**at, n_samples=40, seed=1)
    rng, rows = np.random.default_rng(1), []
    for _ in range(40):
        chosen = rng.integers(3, size=3)
        names = [f'camera{number}' for number in chosen]
        copies = [
            ScoredVideo(f'{i}', v.stream, v.times, v.scores, v.has_target, v.seconds)
            for i, v in enumerate(v for name in names for v in videos if v.stream == name)
        ]
        alarms = VideoAlarms(copies, 2)
        point = alarms.point(0.95) if 'threshold' in at else alarms.point_for_recall(0.5)
        rows.append(astuple(point))
    low, high = np.quantile(rows, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(list(got.values()), np.stack([low, high], 1), rtol=1e-9)


def test_bootstrap_over_streams_is_wider_than_over_videos():
    """Videos of a stream are alike: there is one bad camera of five."""
    rng = np.random.default_rng(0)
    videos = [
        (f'{camera}-{number}', f'camera{camera}', rng.random(60) * (1.0 if camera == 0 else 0.5))
        for camera in range(5)
        for number in range(10)
    ]

    def width(by_video):
        scored = [
            ScoredVideo.from_frames(n, range(60), s, np.zeros(60), None if by_video else c)
            for n, c, s in videos
        ]
        low, high = VideoAlarms(scored, 5).intervals(threshold=0.7)['false_alarms_per_hour']
        return high - low

    assert width(by_video=False) > 1.5 * width(by_video=True)


def test_rule_of_three_where_nothing_was_seen():
    quiet = [
        ScoredVideo.from_frames(f'{i}', range(3600), np.zeros(3600), np.zeros(3600))
        for i in range(10)
    ]
    found = [
        ScoredVideo.from_frames(f'+{i}', [0], [0.9], [1], frame_seconds=3600) for i in range(6)
    ]
    ends = VideoAlarms(quiet + found, 10).intervals(threshold=0.5)
    assert ends['false_alarms_per_hour'] == pytest.approx((0, 3 / 16))
    assert ends['false_alarms_per_1k_videos'] == pytest.approx((0, 300))
    assert ends['recall'] == pytest.approx((0.5, 1))
    # 3 / n is the Poisson bound: e^-3 = 5 % is left.
    assert math.exp(-rule_of_three(40) * 40) == pytest.approx(0.05, abs=0.001)


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match='video a: two frames are at 2 s'):
        ScoredVideo.from_frames('a', [1, 2, 2], [0, 0, 0], [0, 0, 0])
    with pytest.raises(ValueError, match='one frame; say for how many seconds'):
        ScoredVideo.from_frames('a', [1], [0], [0])
    with pytest.raises(ValueError, match='not finite'):
        ScoredVideo.from_frames('a', [1, 2], [0, math.nan], [0, 0])
    with pytest.raises(ValueError, match='two videos have one name'):
        VideoAlarms([*random_videos(0, 1), *random_videos(1, 1)], 1)
    with pytest.raises(ValueError, match='there is no recall of videos'):
        VideoAlarms(random_videos(0, 1), 1).point_for_recall(0.5)
