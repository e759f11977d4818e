import csv
import json

import numpy as np
import pytest
import torch
from evaluated import evaluate_with
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger

from mmpolar.evaluation.functional import boundary_f, region_similarity
from mmpolar.evaluation.metrics import TrackSegMetric
from mmpolar.structures.polar import mask_to_box, polar_ceiling

SIZE = (60, 80)


def square(left, top=20, side=20):
    mask = np.zeros(SIZE, np.uint8)
    mask[top : top + side, left : left + side] = 1
    return mask


def box_of(mask):
    return mask_to_box(mask).tolist()


evaluate = evaluate_with('TrackSegMetric')


@pytest.fixture
def logged(tmp_path):
    """Text that has gone to the current logger since the test began."""
    file = tmp_path / 'run.log'
    MMLogger.get_instance(f'test_{tmp_path.name}', log_file=str(file))
    return file.read_text


@pytest.fixture
def mask_video(make_sample):
    """A square that moves 4 px a frame and a prediction that lags ``lag`` px behind."""

    def make(name='a', video_id=0, length=4, lag=0, with_masks=True):
        samples = []
        for frame in range(length):
            gt = square(10 + 4 * frame)
            pred = square(10 + 4 * frame - (lag if frame else 0))
            samples.append(
                make_sample(
                    name,
                    frame,
                    length,
                    box_of(gt),
                    box_of(pred),
                    gt if with_masks else None,
                    pred if with_masks else None,
                    video_id=video_id,
                )
            )
        return samples

    return make


def test_perfect_tracker(mask_video):
    scores = evaluate(mask_video())
    assert scores['track/success'] == pytest.approx(20 / 21)
    for name in ('precision', 'norm_precision', 'iou', 'J', 'F', 'J_and_F', 'J_box'):
        assert scores[f'track/{name}'] == 1


def test_values_of_a_lagging_tracker_by_hand(mask_video):
    scores = evaluate(mask_video(lag=5))
    # Squares of side 20, 5 px apart: overlap 15 * 20, union 25 * 20.
    assert scores['track/iou'] == pytest.approx(15 / 25)
    assert scores['track/J'] == pytest.approx(15 / 25)
    assert scores['track/J_box'] == pytest.approx(15 / 25)
    # .6 is above 0, .05, ..., .55.
    assert scores['track/success'] == pytest.approx(12 / 21)
    assert scores['track/precision'] == 1
    # 5 px of 20 is .25, within .25, ..., .5.
    assert scores['track/norm_precision'] == pytest.approx(26 / 51)
    assert scores['track/F'] == pytest.approx(boundary_f(square(5), square(10)))
    assert scores['track/J_and_F'] == pytest.approx((scores['track/J'] + scores['track/F']) / 2)


def test_static_baselines_by_hand(mask_video):
    scores = evaluate(mask_video(length=4))
    # The first box is 4, 8 and 12 px behind in frames 1 to 3.
    expected = np.mean([(20 - shift) / (20 + shift) for shift in (4, 8, 12)])
    assert scores['track/static_iou'] == pytest.approx(expected)
    assert scores['track/static_J_box'] == pytest.approx(expected)


def test_the_given_frame_counts_nowhere(make_sample):
    far, target = square(50), square(10)
    samples = [
        make_sample('a', 0, 2, box_of(target), box_of(far), target, far),
        make_sample('a', 1, 2, box_of(target), box_of(target), target, target),
    ]
    scores = evaluate(samples)
    assert scores['track/J'] == scores['track/iou'] == scores['track/precision'] == 1


def test_ceiling_is_that_of_the_crossing(make_sample):
    """From the mass centre of a C, in its hollow, rays to the left meet its wall twice."""
    target = square(20)
    target[25:35, 24:40] = 0
    samples = [
        make_sample('c', f, 2, box_of(target), box_of(target), target, target) for f in (0, 1)
    ]
    ceilings = {
        crossing: evaluate(samples, crossing=crossing)['track/ceiling']
        for crossing in ('farthest', 'nearest')
    }
    for crossing, ceiling in ceilings.items():
        assert ceiling == pytest.approx(polar_ceiling(target, 36, crossing))
    assert ceilings['farthest'] > ceilings['nearest'] + 0.1


@pytest.mark.parametrize('n_rays', [6, 36])
def test_ceiling_is_that_of_the_true_masks(mask_video, n_rays):
    scores = evaluate(mask_video(lag=5), n_rays=n_rays)
    assert scores['track/ceiling'] == pytest.approx(polar_ceiling(square(14), n_rays), abs=1e-6)


def test_sequences_weigh_the_same_whatever_their_length(mask_video):
    good = mask_video('good', 0, length=3)
    late = mask_video('late', 1, length=6, lag=5)
    assert evaluate(good + late)['track/J'] == pytest.approx((1 + 15 / 25) / 2)


def test_absences_are_scored_by_what_the_tracker_says(make_sample):
    gt, mask = box_of(square(14)), square(14)
    truths = [gt, gt, None, None, gt, gt]
    samples = [
        make_sample('a', t, 6, box, gt, mask if box else None, mask) for t, box in enumerate(truths)
    ]
    for t in (2, 4):
        samples[t].pred_track_instances.visible = torch.tensor([False])
    scores = evaluate(samples)
    assert scores['track/absent_flagged'] == 1 / 2
    assert scores['track/present_flagged'] == pytest.approx(1 / 3)
    assert scores['track/found_again'] == 1
    assert scores['track/recovery'] == 2


def test_absent_target_scores_masks_as_davis_and_leaves_boxes_out(make_sample):
    target, nothing = square(10), np.zeros(SIZE, np.uint8)
    box = box_of(target)
    samples = [
        make_sample('a', 0, 4, box, box, target, target),
        make_sample('a', 1, 4, box, box, target, target),
        make_sample('a', 2, 4, None, None, nothing, nothing),
        make_sample('a', 3, 4, None, box, nothing, target),
    ]
    scores = evaluate(samples)
    assert scores['track/J'] == scores['track/F'] == pytest.approx(2 / 3)
    assert scores['track/J_box'] == pytest.approx(2 / 3)
    assert scores['track/static_J_box'] == pytest.approx(1 / 3)
    assert scores['track/iou'] == scores['track/precision'] == 1
    assert scores['track/ceiling'] == pytest.approx(polar_ceiling(target, 36))


def test_a_lost_target_scores_zero(make_sample):
    target = square(10)
    box = box_of(target)
    samples = [
        make_sample('a', 0, 3, box, box, target, target),
        make_sample('a', 1, 3, box, None, target, target),
        make_sample('a', 2, 3, box, [float('nan')] * 4, target, np.zeros(SIZE)),
    ]
    scores = evaluate(samples)
    for name in ('iou', 'success', 'precision', 'norm_precision', 'J', 'F', 'J_box'):
        assert scores[f'track/{name}'] == 0, name


def test_a_sequence_without_masks_counts_for_boxes_only(mask_video):
    with_masks = mask_video('masks', 0, lag=5)
    without = mask_video('boxes', 1, with_masks=False)
    scores = evaluate(with_masks + without)
    assert scores['track/iou'] == pytest.approx((1 + 15 / 25) / 2)
    assert scores['track/J'] == pytest.approx(15 / 25)


def test_without_any_masks_the_mask_values_are_left_out(mask_video):
    scores = evaluate(mask_video(with_masks=False))
    boxes = ('success', 'precision', 'norm_precision', 'iou', 'static_iou')
    assert set(scores) == {f'track/{name}' for name in (*boxes, 'present_flagged')}


def test_a_tracker_without_masks_still_gets_its_filled_box_scored(mask_video):
    samples = mask_video(lag=5)
    for sample in samples:
        del sample.pred_track_instances.masks
    scores = evaluate(samples)
    assert scores['track/J_box'] == pytest.approx(15 / 25)
    assert 'track/ceiling' in scores
    assert not {'track/J', 'track/F', 'track/J_and_F'} & set(scores)


def test_a_frame_with_a_box_but_no_mask_is_left_out_of_the_mask_values(mask_video):
    samples = mask_video(lag=5)
    del samples[2].gt_instances.masks
    scores = evaluate(samples)
    assert scores['track/J'] == pytest.approx(15 / 25)
    assert scores['track/iou'] == pytest.approx(15 / 25)


def test_incomplete_videos_are_named_and_left_out(mask_video, logged):
    scores = evaluate(mask_video('whole', 0) + mask_video('cut short', 1, lag=5)[:-1])
    assert scores['track/iou'] == 1
    assert "'cut short' is left out of the evaluation: 3 of 4 frames" in logged()


def test_videos_with_missing_frames_are_incomplete(mask_video, logged):
    gap = mask_video('gap', 1, lag=5)
    headless = mask_video('headless', 2, lag=5)
    scores = evaluate(mask_video('whole', 0) + gap[:1] + gap[2:] + headless[1:])
    assert scores['track/iou'] == 1
    assert "'gap' is left out" in logged()
    assert "'headless' is left out" in logged()


def test_only_incomplete_videos_give_no_values(mask_video):
    assert evaluate(mask_video()[:2]) == {}


def test_padding_counts_once(mask_video, logged):
    a, b = mask_video('a', 0), mask_video('b', 1, lag=5)
    whole = evaluate(a + b)
    assert evaluate(a + b + b) == whole
    assert evaluate(a + b + a[:2]) == whole
    assert 'left out' not in logged()


def test_results_hold_small_plain_values_only(mask_video):
    metric = TrackSegMetric()
    for sample in mask_video(length=15):
        metric.process(None, [sample.to_dict()])
    assert len(metric.results) == 1
    text = json.dumps(metric.results[0])
    assert len(text) < 15 * 200


def test_joined_datasets_may_repeat_ids(mask_video):
    scores = evaluate(mask_video('a', 0) + mask_video('b', 0, lag=5))
    assert scores['track/iou'] == pytest.approx((1 + 15 / 25) / 2)


def test_second_evaluation_starts_anew(mask_video):
    evaluator = Evaluator(dict(type='mmpolar.TrackSegMetric'))
    for lag, expected in ((5, 15 / 25), (0, 1)):
        for sample in mask_video(lag=lag) + mask_video('broken', 1)[:1]:
            evaluator.process([sample])
        assert evaluator.evaluate(9)['track/iou'] == pytest.approx(expected)


def test_table_lists_every_sequence_beside_its_ceiling(mask_video, logged):
    evaluate(mask_video('first [bold] :smile:', 0) + mask_video('second', 1, lag=5))
    lines = [line for line in logged().splitlines() if line.startswith('|')]
    header, *rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]
    rows = {row[0]: dict(zip(header, row, strict=True)) for row in rows if len(row) == len(header)}
    assert rows['first [bold] :smile:']['J'] == '1.000'
    assert rows['second']['J'] == '0.600'
    assert rows['mean']['J'] == '0.800'
    assert float(rows['second']['ceiling']) == pytest.approx(
        polar_ceiling(square(10), 36), abs=1e-3
    )
    assert len({len(line) for line in lines}) == 1


def test_report_reads_back(mask_video, tmp_path):
    file = tmp_path / 'new' / 'report.json'
    samples = mask_video('masks', 0, lag=5) + mask_video('boxes', 1, with_masks=False)
    scores = evaluate(samples + mask_video('cut', 2)[:2], out_file=str(file))
    report = json.loads(file.read_text())
    assert {f'track/{name}': value for name, value in report['mean'].items()} == scores
    assert report['incomplete'] == ['cut']
    by_name = {sequence['video_name']: sequence for sequence in report['sequences']}
    assert by_name['boxes']['values']['J'] is None
    frame_j = region_similarity(square(5), square(10))
    assert by_name['masks']['frames']['J'] == pytest.approx([frame_j] * 3)
    assert by_name['masks']['frames']['score'] == [0.5] * 3
    rows = list(csv.DictReader(file.with_suffix('.csv').open()))
    assert [row['sequence'] for row in rows] == ['boxes', 'masks', 'mean']
    assert rows[0]['J'] == ''
    assert float(rows[1]['J']) == pytest.approx(15 / 25, abs=1e-6)


def test_predicted_mask_of_another_size_is_refused(mask_video):
    samples = mask_video()
    masks = samples[1].pred_track_instances.masks
    samples[1].pred_track_instances.masks = masks[:, :30]
    with pytest.raises(ValueError, match=r"frame 1 of video 'a'.*\(30, 80\).*\(60, 80\)"):
        evaluate(samples)


def test_samples_that_cannot_be_scored_are_refused(mask_video):
    sample = mask_video()[0]
    del sample.gt_instances
    with pytest.raises(KeyError, match=r"video 'a' has no gt_instances"):
        evaluate([sample])
    sample = mask_video()[0]
    del sample.pred_track_instances
    with pytest.raises(KeyError, match='no pred_track_instances'):
        evaluate([sample])
    sample = mask_video()[0]
    del sample.video_length
    with pytest.raises(KeyError, match='video_length'):
        evaluate([sample])


def test_a_video_must_start_with_its_target(make_sample):
    with pytest.raises(ValueError, match=r"frame 0 of video 'a' has no target"):
        evaluate([make_sample('a', 0, 2, None, None)])


def test_options_out_of_range_are_refused():
    with pytest.raises(ValueError, match='must end in .json'):
        TrackSegMetric(out_file='report.csv')
    with pytest.raises(ValueError, match='n_rays=2'):
        TrackSegMetric(n_rays=2)
    with pytest.raises(ValueError, match="got 'first'"):
        TrackSegMetric(crossing='first')
