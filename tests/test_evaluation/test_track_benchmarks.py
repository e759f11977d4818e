"""Benchmarks of tracks: any object with ``init`` and ``step`` is scored, as is the command."""

import json

import numpy as np
import pytest
from benchmark_folders import (
    as_rows,
    corners,
    filled,
    moving_boxes,
    write_davis,
    write_got10k,
    write_lasot,
    write_otb,
    write_segtrack_v2,
    write_uav123,
    write_vot,
    write_youtube_vos,
)
from plain_trackers import Keeps

from mmpolar.cli.eval import BENCHMARKS
from mmpolar.cli.main import main
from mmpolar.evaluation.functional import VOT_BENCHMARKS, box_iou, region_similarity
from mmpolar.evaluation.metrics import LongTermMetric
from mmpolar.evaluation.track_benchmarks import TRACK_BENCHMARKS, evaluate_tracks
from mmpolar.runtime import OnnxEngine
from mmpolar.structures.combine_objects import combine_results
from mmpolar.structures.polar import mask_to_box
from mmpolar.structures.track_result import TrackResult
from mmpolar.tracking import SingleTargetTracker, Tracker
from mmpolar.utils.image import list_images, read_image, read_mask

LENGTH = 5


class Moves:
    """Answers with the first box, moved to the right by so many pixels a frame."""

    def __init__(self, speed):
        self.speed = speed

    def init(self, frame, target):
        assert frame.ndim == 3
        self.box = np.array(target, np.float64)

    def step(self, frame):
        self.box += [self.speed, 0, self.speed, 0]
        return self.box.copy()


class LosesIn(Moves):
    """Follows, but says of some frames that the target is lost, with its last box and a high score."""

    def __init__(self, lost):
        super().__init__(speed=1)
        self.lost = lost

    def init(self, frame, target):
        super().init(frame, target)
        self.frame, self.last = 0, self.box.copy()

    def step(self, frame):
        self.frame, box = self.frame + 1, super().step(frame)
        if self.frame in self.lost:
            return TrackResult(self.last, 0.9, visible=False)
        self.last = box
        return TrackResult(box, 0.6)


class Grows:
    """Answers with the mask that it was given and so many columns to its right, and with a score."""

    def __init__(self, columns, scores=(1.0,)):
        self.columns, self.scores, self.targets = columns, list(scores), 0

    def init(self, frame, target):
        self.mask = target.copy()
        right = np.flatnonzero(target.any(axis=0))[-1]
        rows = target.any(axis=1)
        self.mask[rows, right + 1 : right + 1 + self.columns] = 1
        self.score = self.scores[self.targets % len(self.scores)]
        self.targets += 1

    def step(self, frame):
        return TrackResult(mask_to_box(self.mask), self.score, mask=self.mask)


def write_davis2017_folder(root):
    """Two objects side by side that do not move, each of 10 x 10 pixels."""
    ids = filled(15, 5, 24, 14, value=2, base=filled(5, 5, 14, 14))
    return write_davis(root, {'pair': [ids] * 5}, {'2017/val.txt': ['pair']})


def write_youtube_vos_folder(root):
    """An object in all frames, and one that appears in frame 5 at its right."""
    first = filled(5, 5, 14, 14)
    both = filled(15, 5, 24, 14, value=2, base=first)
    masks = {'00000': first, '00005': both, '00010': both}
    objects = {'pair': {'1': ['00000', '00005', '00010'], '2': ['00005', '00010']}}
    return write_youtube_vos(root, 'train', {'pair': masks}, objects)


def write_otb_folder(root):
    rows = as_rows(moving_boxes(LENGTH))
    return write_otb(root, 'Boat', range(1, LENGTH + 1), {'groundtruth_rect.txt': rows})


def write_lasot_folder(root):
    return write_lasot(root, ['boat-1'], LENGTH, lists={'testing_set.txt': ['boat-1']})


def write_uav123_folder(root):
    boxes = {'UAV123/boat1.txt': as_rows(moving_boxes(LENGTH))}
    return write_uav123(root, {'boat1': range(1, LENGTH + 1)}, boxes)


def write_got10k_folder(root):
    return write_got10k(root, dict(val=LENGTH))


WRITERS = dict(
    otb=write_otb_folder,
    lasot=write_lasot_folder,
    uav123=write_uav123_folder,
    got10k=write_got10k_folder,
)


def evaluate(name, tracker, data, **options):
    benchmark = TRACK_BENCHMARKS[name]
    return evaluate_tracks(tracker, benchmark.read(data, **options), benchmark.metric())


def test_command_names_the_same_benchmarks():
    assert set(BENCHMARKS) - set(VOT_BENCHMARKS) == {'davis2016', *TRACK_BENCHMARKS}


@pytest.mark.parametrize('name', WRITERS)
def test_a_tracker_that_follows_reaches_all_there_is(name, tmp_path):
    reports, mean = evaluate(name, Moves(speed=1), WRITERS[name](tmp_path))
    best = dict(success=pytest.approx(20 / 21), norm_precision=1.0, ao=pytest.approx(1, abs=1e-6))
    assert {key: mean[key] for key in best if key in mean} == {
        key: value for key, value in best.items() if key in mean
    }
    assert len(set(best) & set(mean)) > 0
    assert all(report.frames == LENGTH - 1 for report in reports)


def test_values_are_those_of_the_boxes(tmp_path):
    data = write_got10k_folder(tmp_path)
    _, mean = evaluate('got10k', Moves(speed=3), data)
    gt = np.array([corners(box) for box in moving_boxes(LENGTH)], np.float64)
    steps = 3.0 * np.arange(LENGTH)[:, None] * [1, 0, 1, 0]
    ious = box_iou(gt[0] + steps, gt)[1:]
    assert mean['ao'] == pytest.approx(ious.mean(), abs=1e-6)
    assert mean['sr50'] == pytest.approx((ious > 0.5).mean())
    assert 0 < mean['sr50'] < 1


def test_masks_are_given_where_there_are_some(tmp_path):
    data = write_segtrack_v2(tmp_path, {'frog': [[filled(5, 5, 20, 20)] * 4]})
    _, mean = evaluate('segtrack_v2', Keeps(), data)
    assert mean['J_and_F'] == 1


@pytest.mark.parametrize(
    ('scores', 'expected'),
    [((0.4, 0.9), (1, 10 / 15)), ((0.9, 0.4), (10 / 15, 5 / 15)), ((1.0,), (10 / 15, 5 / 15))],
    ids=['the second is sure', 'the first is sure', 'none is surer'],
)
def test_a_pixel_goes_to_the_object_with_the_higher_score(tmp_path, scores, expected):
    """Both answers are 5 columns too wide: the first enters the second, the second the background."""
    data = write_davis2017_folder(tmp_path)
    reports, mean = evaluate('davis2017', Grows(5, scores), data)
    assert [report.name for report in reports] == ['pair-1', 'pair-2']
    assert [report.values['J_mean'] for report in reports] == pytest.approx(expected)
    assert mean['J_mean'] == pytest.approx(sum(expected) / 2)


def test_packaged_tracker_reaches_what_it_does_with_all_objects_at_once(tmp_path):
    data = write_davis2017_folder(tmp_path)
    engine = OnnxEngine(threads=1)
    reports, _ = evaluate('davis2017', SingleTargetTracker(engine), data)
    frames = [read_image(path) for path in list_images(data / 'JPEGImages/480p/pair')]
    ids = read_mask(str(data / 'Annotations/480p/pair/00000.png'))
    tracker = Tracker(engine)
    tracker.init(frames[0], [(ids == 1).astype(np.uint8), (ids == 2).astype(np.uint8)])
    found = [combine_results(tracker.step(frame)) for frame in frames[1:-1]]
    for number, report in enumerate(reports, start=1):
        scores = [region_similarity(one == number, ids == number) for one in found]
        assert report.values['J_mean'] == pytest.approx(np.mean(scores))


def test_objects_that_appear_later_are_tracked_from_there(tmp_path):
    data = write_youtube_vos_folder(tmp_path)
    reports, _ = evaluate('youtube_vos', Grows(5), data)
    assert [report.frames for report in reports] == [2, 1]
    # Where the second is given, its mask is not overruled: the first is right in frame 5, not in frame 10.
    assert reports[0].values['J_mean'] == pytest.approx((1 + 10 / 15) / 2)
    assert reports[1].values['J_mean'] == pytest.approx(5 / 15)


def test_seen_categories_give_the_mean_of_youtube_vos(tmp_path):
    data = write_youtube_vos_folder(tmp_path)
    benchmark = TRACK_BENCHMARKS['youtube_vos']
    metric = benchmark.metric(seen_categories=['dog'])
    _, mean = evaluate_tracks(Keeps(), benchmark.read(data), metric)
    assert mean['J_seen'] == mean['F_seen'] == 1
    assert np.isnan(mean['J_unseen'])


def test_data_without_public_annotation_are_refused(tmp_path):
    data = write_got10k(tmp_path, dict(test=LENGTH))
    with pytest.raises(ValueError, match='annotation is withheld'):
        evaluate('got10k', Moves(speed=1), data, split='test')


def test_a_tracker_without_masks_is_refused_where_masks_are_measured(tmp_path):
    data = write_davis2017_folder(tmp_path)

    class Boxes(Keeps):
        def step(self, frame):
            return mask_to_box(self.mask)

    with pytest.raises(ValueError, match='needs a tracker that draws masks'):
        evaluate('davis2017', Boxes(), data)


def test_frames_without_a_target_do_not_count(tmp_path):
    data = write_lasot(
        tmp_path, ['boat-1'], LENGTH, out=[3, 4], lists={'testing_set.txt': ['boat-1']}
    )
    _, mean = evaluate('lasot', Moves(speed=1), data)
    assert mean['success'] == pytest.approx(20 / 21)


def test_the_last_box_of_a_lost_target_counts_in_got10k_where_the_target_is_visible(tmp_path):
    """Frame 2 is lost rightly and not scored; in frame 4 the last box is a pixel behind."""
    data = write_got10k(tmp_path, dict(val=LENGTH), absence=[2], cover={2: 0})
    _, mean = evaluate('got10k', LosesIn([2, 4]), data)
    assert mean['ao'] == pytest.approx((1 + 1 + 9 / 11) / 3, abs=1e-6)


def vot_long_term(root, absent, length=24):
    """A sequence in the format of VOT-LT; two lines say in two ways that the target is absent."""
    rows = as_rows(moving_boxes(length))
    for number, frame in enumerate(absent):
        rows[frame] = ('nan,nan,nan,nan', '0')[number % 2]
    return write_vot(root, {'boat': rows})


def test_who_knows_when_the_target_is_absent_reaches_all_of_vot_lt_and_vots(tmp_path):
    absent = range(6, 18)
    data = vot_long_term(tmp_path, absent)
    _, mean = evaluate('vot_lt', LosesIn(absent), data)
    full = ('precision', 'recall', 'f_score', 'quality', 'accuracy', 'robustness', 'absence')
    assert {name: mean[name] for name in full} == dict.fromkeys(full, pytest.approx(1))
    assert mean['not_reported'] == mean['drift'] == 0


def test_who_never_says_lost_loses_precision_and_quality(tmp_path):
    data = vot_long_term(tmp_path, range(6, 18))
    _, mean = evaluate('vot_lt', LosesIn([]), data)
    assert mean['precision'] == pytest.approx(11 / 23)
    assert mean['recall'] == 1
    assert mean['f_score'] == pytest.approx(2 * (11 / 23) / (1 + 11 / 23))
    assert mean['quality'] == pytest.approx(11 / 23)
    assert mean['absence'] == 0


def test_a_target_lost_wrongly_is_not_reported_however_high_its_score(tmp_path):
    _, mean = evaluate('vot_lt', LosesIn([3, 4]), vot_long_term(tmp_path, []))
    assert mean['precision'] == 1
    assert mean['recall'] == mean['quality'] == mean['robustness'] == pytest.approx(21 / 23)
    assert mean['not_reported'] == pytest.approx(2 / 23)
    assert np.isnan(mean['absence'])


def test_masks_count_where_there_are_some_and_objects_of_a_video_first(tmp_path):
    """Two objects share a video, one is alone in another; an empty mask is no report."""

    class Empties(Keeps):
        def step(self, frame):
            return np.zeros_like(self.mask)

    ids = filled(15, 5, 24, 14, value=2, base=filled(5, 5, 14, 14))
    gone = filled(5, 5, 14, 14)
    data = write_davis(
        tmp_path,
        {'pair': [ids, *[gone] * 12], 'one': [gone] * 13},
        {'2017/val.txt': ['pair', 'one']},
    )
    dataset = TRACK_BENCHMARKS['davis2017'].read(data)
    _, mean = evaluate_tracks(Keeps(), dataset, LongTermMetric())
    assert (mean['quality'], mean['absence']) == ((1 / 2 + 1) / 2, 0)
    _, mean = evaluate_tracks(Empties(), dataset, LongTermMetric())
    assert (mean['quality'], mean['absence']) == ((1 / 2 + 0) / 2, 1)
    assert mean['not_reported'] == 1


def test_command_prints_and_writes_what_is_reached(tmp_path, capsys):
    data, out = write_otb_folder(tmp_path), tmp_path / 'values.json'
    words = ['--data', str(data), '--threads', '1', '--out', str(out)]
    assert main(['eval', 'otb', *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ['otb', 'success', 'success_50']
    assert lines[1].split()[0] == 'Boat'
    assert lines[-1].startswith('mean of 1 videos')
    report = json.loads(out.read_text())
    assert f'{report["mean"]["success"]:.3f}' in lines[-1]
    assert report['videos'][0]['frames'] == LENGTH - 1


def test_wrong_options_are_named(tmp_path, capsys):
    data = write_lasot_folder(tmp_path)
    assert main(['eval', 'lasot', '--data', str(data), '--options', 'split=none']) == 2
    assert 'split must be one of' in capsys.readouterr().err
    assert main(['eval', 'lasot', '--data', str(data), '--options', 'colour=1']) == 2
    assert 'colour' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(['eval', 'lasot', '--data', str(data), '--given', 'box'])
    with pytest.raises(SystemExit):
        main(['eval', 'davis2016', '--data', str(data), '--options', 'split=none'])
