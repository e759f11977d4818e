import csv
import json

import numpy as np
import pytest
from evaluated import evaluate_with

from mmpolar.evaluation.functional import boundary_f, region_similarity, score_statistics
from mmpolar.structures.polar import mask_to_box

SIZE = (60, 80)
NOTHING = np.zeros(SIZE, np.uint8)


def square(left, top=20, side=20):
    mask = NOTHING.copy()
    mask[top : top + side, left : left + side] = 1
    return mask


def box_of(mask):
    return mask_to_box(mask).tolist() if mask is not None and mask.any() else None


evaluate = evaluate_with('DavisMetric')


@pytest.fixture
def video(make_sample):
    """A video from a list of (true mask, predicted mask)."""

    def make(pairs, name='a', video_id=0, **meta):
        return [
            make_sample(
                name,
                frame,
                len(pairs),
                box_of(gt),
                box_of(pred),
                gt,
                pred,
                video_id=video_id,
                size=SIZE,
                **meta,
            )
            for frame, (gt, pred) in enumerate(pairs)
        ]

    return make


def drifting(length, step):
    return [(square(20), square(20 + step * frame)) for frame in range(length)]


def test_values_are_the_statistics_of_the_inner_frames(video):
    pairs = drifting(12, 1)
    metrics = evaluate(video(pairs))
    for name, measure in (('J', region_similarity), ('F', boundary_f)):
        expected = score_statistics([measure(pred, gt) for gt, pred in pairs[1:-1]])
        assert metrics[f'davis/{name}_mean'] == pytest.approx(expected.mean)
        assert metrics[f'davis/{name}_recall'] == pytest.approx(expected.recall)
        assert metrics[f'davis/{name}_decay'] == pytest.approx(expected.decay)
    expected = (metrics['davis/J_mean'] + metrics['davis/F_mean']) / 2
    assert metrics['davis/J_and_F'] == pytest.approx(expected)


def test_the_last_frame_counts_where_it_is_wanted(video):
    pairs = [(square(20), square(20))] * 3 + [(square(20), square(40))]
    assert evaluate(video(pairs))['davis/J_mean'] == 1
    assert evaluate(video(pairs), skip_last=False)['davis/J_mean'] == pytest.approx(2 / 3)


def test_objects_weigh_the_same_whichever_video_they_are_in(video):
    good, bad = [(square(20), square(20))] * 4, [(square(20), square(40))] * 4
    samples = video(good, 'two-1', 0, sequence='two', object_id=1)
    samples += video(bad, 'two-2', 1, sequence='two', object_id=2)
    samples += video(good, 'one-1', 2, sequence='one', object_id=1)
    assert evaluate(samples)['davis/J_mean'] == pytest.approx(2 / 3)


def test_absent_objects_score_as_in_davis(video):
    pairs = [
        (square(20), square(20)),
        (NOTHING, NOTHING),
        (NOTHING, square(20)),
        (square(20), NOTHING),
    ]
    metrics = evaluate(video(pairs), skip_last=False)
    assert metrics['davis/J_mean'] == metrics['davis/F_mean'] == pytest.approx(1 / 3)


def test_frames_without_annotation_are_left_out(video):
    samples = video(
        [(square(20), square(20)), *[(square(20), square(30))] * 2, *[(square(20), square(40))] * 2]
    )
    for frame in (1, 4):
        del samples[frame].gt_instances
    expected = (1 / 3 + 0) / 2
    assert evaluate(samples, skip_last=False)['davis/J_mean'] == pytest.approx(expected)


@pytest.fixture
def seen_and_unseen(video):
    good = [(square(20), square(20))] * 3
    half = [(square(20), square(30))] * 3
    return (
        video(good, 'a-1', 0, category='cat')
        + video(half, 'a-2', 1, category='cat')
        + video(half, 'b-1', 2, category='newt')
    )


def test_youtube_vos_values(seen_and_unseen):
    metrics = evaluate(seen_and_unseen, seen_categories=['cat', 'dog'])
    f = boundary_f(square(30), square(20))
    assert metrics['davis/J_seen'] == pytest.approx((1 + 1 / 3) / 2)
    assert metrics['davis/J_unseen'] == pytest.approx(1 / 3)
    assert metrics['davis/F_seen'] == pytest.approx((1 + f) / 2)
    assert metrics['davis/F_unseen'] == pytest.approx(f)
    four = [metrics[f'davis/{name}'] for name in ('J_seen', 'F_seen', 'J_unseen', 'F_unseen')]
    assert metrics['davis/G'] == pytest.approx(np.mean(four))


def test_seen_categories_from_the_meta_file_of_a_training_set(seen_and_unseen, tmp_path):
    file = tmp_path / 'meta.json'
    objects = {'1': dict(category='cat', frames=['00000'])}
    file.write_text(json.dumps(dict(videos=dict(x=dict(objects=objects)))))
    expected = evaluate(seen_and_unseen, seen_categories=['cat'])
    assert evaluate(seen_and_unseen, seen_categories=str(file)) == expected
    file.write_text('{}')
    with pytest.raises(ValueError, match='names no category'):
        evaluate(seen_and_unseen, seen_categories=str(file))


def test_unknown_categories_are_refused(video):
    with pytest.raises(KeyError, match='has no category'):
        evaluate(video(drifting(3, 1)), seen_categories=['cat'])


def test_report_has_objects_frames_and_means(seen_and_unseen, tmp_path):
    file = tmp_path / 'davis.json'
    metrics = evaluate(seen_and_unseen, seen_categories=['cat'], out_file=str(file))
    report = json.loads(file.read_text())
    assert report['skip_last'] is True
    assert report['sequences'][0]['frames']['J'] == [None, 1, 1]
    assert report['sequences'][2]['seen'] is False
    *rows, mean = csv.DictReader(file.with_suffix('.csv').open())
    assert [row['sequence'] for row in rows] == ['a-1', 'a-2', 'b-1']
    assert float(mean['G']) == pytest.approx(metrics['davis/G'], abs=1e-6)
    assert rows[0]['G'] == ''


def test_data_or_trackers_without_masks_are_refused(video, make_sample):
    with pytest.raises(ValueError, match=r"frame 0 of video 'a' has no true mask"):
        evaluate([make_sample('a', 0, 2, [1, 1, 9, 9], [1, 1, 9, 9])])
    samples = video(drifting(3, 1))
    del samples[1].pred_track_instances.masks
    with pytest.raises(ValueError, match=r"frame 1 of video 'a' has a box but no mask"):
        evaluate(samples)
