"""Negatives that may show a target."""

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from torch import nn

from mmpolar.mining import HardNegativeMiningHook
from mmpolar.mining.candidate import Candidate
from mmpolar.mining.round_candidates import RoundCandidates
from mmpolar.mining.scoring.detection_features import DetectionFeatures
from mmpolar.mining.suspect_search import SuspectSearch
from mmpolar.mining.suspects import SuspectLog, SuspectRule, TrackCheck, among_positives
from mmpolar.mining.suspects.video_window import read_window
from mmpolar.utils.video import VideoReadError

SIZE = (160, 120)
BOX = (56.0, 40.0, 96.0, 72.0)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_alarms_are_as_typical_as_the_positives_with_less_in_common():
    rng = np.random.default_rng(0)
    positives = unit(rng.normal([3, 1, 0], 1, (40, 3)))
    alarms = unit(rng.normal([2, 2, 0], 1, (15, 3)))
    for count in (1, 4):
        found = among_positives(alarms, positives, count)
        for alarm, share in zip(alarms, found, strict=True):
            nearest = sorted((float(alarm @ one) for one in positives), reverse=True)[:count]
            usual = [
                np.mean(sorted((float(one @ other) for other in np.delete(positives, n, 0)), reverse=True)[:count])
                for n, one in enumerate(positives)
            ]  # fmt: skip
            assert share == np.mean(np.array(usual) < np.mean(nearest))
    with pytest.raises(ValueError, match='too few for 40 neighbours'):
        among_positives(alarms, positives, 40)


def test_positives_are_typical_and_what_is_unlike_them_is_not():
    rng = np.random.default_rng(1)
    positives = unit(rng.normal([5, 0, 0, 0], 1, (300, 4)))
    more = unit(rng.normal([5, 0, 0, 0], 1, (200, 4)))
    others = unit(rng.normal([0, 5, 0, 0], 1, (200, 4)))
    assert np.mean(among_positives(more, positives, 5) > 0.3) > 0.5
    assert np.mean(among_positives(others, positives, 5) > 0.3) < 0.01


def test_the_log_keeps_suspects_until_they_are_decided():
    log = SuspectLog()
    for _ in range(2):
        log.add_picks(['a', 'b'])
    alarms = [Candidate('a', 0.9), Candidate('b', 0.1), Candidate('c', 0.8)]
    assert log.still_high(alarms, 0.5, 2) == ['a']
    assert log.still_high(alarms, 0.5, 3) == []
    log.add('a', 'still high')
    log.add('a', 'steady')
    log.add('a', 'steady')
    log.add('b', 'steady')
    again = SuspectLog()
    again.load_state(log.to_state())
    assert again.reasons == dict(a=('still high', 'steady'), b=('steady',))
    assert again.still_high(alarms, 0.5, 2) == ['a']
    again.decide(['a', 'unknown'])
    assert set(again.reasons) == {'b'}


@pytest.mark.parametrize(
    'options',
    [
        dict(rounds=0),
        dict(neighbours=0),
        dict(typical=1.0),
        dict(max_tracked=0),
        dict(neighbours=9, num_positives=9),
        dict(track=dict(num_frames=1)),
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match='must'):
        SuspectRule(**options)


@pytest.mark.parametrize('option', ['diversity', 'suspects', 'review'])
def test_random_picks_take_no_option_that_needs_scores(option):
    with pytest.raises(ValueError, match='leave out diversity, suspects and review'):
        HardNegativeMiningHook(num_picks=3, selection='random', **{option: dict()})


# Tracking


def texture(seed, size, cells):
    small = np.random.default_rng(seed).integers(0, 256, (*cells, 3), dtype=np.uint8)
    return cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)


def write_video(path, shown, seed=0):
    """A textured object that moves by 2 pixels a frame, in those of 13 frames where it is shown."""
    background = cv2.GaussianBlur(texture(seed, SIZE, (6, 8)), (0, 0), 5) // 2 + 60
    thing = texture(seed + 3, (40, 32), (3, 4))
    cv2.ellipse(mask := np.zeros((32, 40), np.uint8), (20, 16), (19, 15), 0, 0, 360, 1, -1)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, SIZE)
    frames = []
    for number in range(13):
        frame = background.copy()
        if number in shown:
            x, y = 56 + 2 * (number - 6), 40
            frame[y : y + 32, x : x + 40][mask > 0] = thing[mask > 0]
        writer.write(frame)
        frames.append(frame)
    writer.release()
    return frames


@pytest.mark.parametrize(('shown', 'steady'), [(range(13), True), ({6}, False)])
def test_what_persists_is_steady_and_a_flicker_is_not(tmp_path, shown, steady):
    frames = write_video(tmp_path / 'video.avi', shown)
    check = TrackCheck(num_frames=3, stride=2)
    assert check.is_steady(tmp_path / 'video.avi', 6, BOX, frames[6]) == steady


@pytest.mark.parametrize('planted', [{7}, {3, 11}])  # 5 and 10 % of the pool
def test_targets_planted_in_videos_are_suspects_and_flickers_are_not(tmp_path, planted):
    alarms = []
    for number in range(20):
        video, image = tmp_path / f'{number}.avi', tmp_path / f'{number}.jpg'
        shown = range(13) if number in planted else {6}
        cv2.imwrite(str(image), write_video(video, shown, seed=10 * number)[6])
        known = dict(box=BOX, video=str(video), frame=6)
        alarms.append(Candidate(str(number), 0.9, str(image), **known))
    rule = SuspectRule(rounds=None, track=dict(num_frames=3, stride=2))
    search = SuspectSearch(rule, log := SuspectLog())
    search.search(RoundCandidates(np.arange(20), alarms, []), frozenset(), None)
    assert log.seen == {one.key for one in alarms}
    assert {str(number) for number in planted} <= log.reasons.keys()
    wrong = log.reasons.keys() - {str(number) for number in planted}
    assert len(wrong) <= 1
    assert set(log.reasons.values()) == {('steady',)}


def test_an_alarm_without_a_video_is_not_steady(tmp_path):
    image = np.zeros((*SIZE[::-1], 3), np.uint8)
    assert not TrackCheck().is_steady(tmp_path / 'gone.avi', 0, BOX, image)


def test_the_frames_around_one_are_read_at_the_size_of_the_image(tmp_path):
    frames = write_video(tmp_path / 'video.avi', range(13))
    small = cv2.resize(frames[5], None, fx=0.5, fy=0.5)
    window = read_window(tmp_path / 'video.avi', 5, 3, 2, small)
    assert window.frame.shape == small.shape
    for found, numbers in ((window.before, (3, 1)), (window.after, (7, 9, 11))):
        assert len(found) == len(numbers)
        for frame, number in zip(found, numbers, strict=True):
            expected = cv2.resize(frames[number], (80, 60), interpolation=cv2.INTER_AREA)
            assert np.abs(frame.astype(int) - expected).mean() < 4
    with pytest.raises(VideoReadError, match='frame 13 of video'):
        read_window(tmp_path / 'video.avi', 13, 3, 2, small)


# Features


class TwoMaps(nn.Module):
    def __init__(self):
        super().__init__()
        self.neck = nn.Identity()

    def forward(self, maps):
        return self.neck(maps)


def test_features_are_means_over_the_cells_that_a_box_touches():
    torch.manual_seed(0)
    maps = (torch.rand(2, 3, 8, 16), torch.rand(2, 5, 4, 8))
    model = TwoMaps()
    sample = DetDataSample(
        metainfo=dict(scale_factor=(0.5, 0.5), batch_input_shape=(64, 128), img_shape=(60, 128))
    )
    box = np.array([40.0, 20.0, 90.0, 70.0])  # 20..45 and 10..35 in pixels of the input
    with DetectionFeatures(model) as features:
        model(maps)
        found = features.pooled(1, sample, box)
        whole = features.pooled(1, sample, None)
    first, second = maps[0][1, :, 1:5, 2:6], maps[1][1, :, 0:3, 1:3]
    parts = [part.mean((1, 2)) / part.mean((1, 2)).norm() for part in (first, second)]
    np.testing.assert_allclose(found, torch.cat(parts) / 2**0.5, rtol=1e-5)
    assert abs(np.linalg.norm(whole) - 1) < 1e-6
    assert not model.neck._forward_hooks


def test_features_need_a_neck_or_a_backbone():
    with pytest.raises(ValueError, match='Linear has no neck and no backbone'):
        DetectionFeatures(nn.Linear(1, 1))
