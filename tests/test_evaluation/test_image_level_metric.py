import csv
import json
import math

import numpy as np
import pytest
import torch
from mmdet.datasets.transforms import PackDetInputs
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData

from mmpolar.evaluation.functional import operating_point, pr_curve
from mmpolar.evaluation.image_level_report import read_pr_curve
from mmpolar.evaluation.metrics import ImageLevelMetric
from mmpolar.registry import METRICS


def answered(number, scores, labels=None, targets=(), ignored=(), annotated=True, meta=None):
    """A sample as mmdet packs it and a detector answers it.

    ``targets`` and ``ignored`` are the class labels of the true boxes.
    """
    results = dict(img=np.zeros((4, 4, 3), np.uint8), img_id=number, img_path=f'{number:04d}.jpg')
    if annotated:
        count = len(targets) + len(ignored)
        results.update(
            gt_bboxes=HorizontalBoxes(np.tile([1.0, 1, 3, 3], (count, 1)), dtype=torch.float32),
            gt_bboxes_labels=np.array([*targets, *ignored], np.int64),
            gt_ignore_flags=np.arange(count) >= len(targets),
        )
    sample = PackDetInputs(meta_keys=('img_id', 'img_path'))(results | (meta or {}))['data_samples']
    sample.pred_instances = InstanceData(
        scores=torch.tensor(scores, dtype=torch.float32),
        labels=torch.tensor(labels or [0] * len(scores), dtype=torch.long),
        bboxes=torch.zeros(len(scores), 4),
    )
    return sample


def evaluated(samples, size=None, **options):
    """Metrics as a runner's evaluator gets them, in batches of three."""
    evaluator = Evaluator([METRICS.build(dict(type='ImageLevelMetric') | options)])
    for start in range(0, len(samples), 3):
        evaluator.process(samples[start : start + 3])
    return evaluator.evaluate(len(samples) if size is None else size)


@pytest.fixture
def logged(tmp_path):
    """Text that has gone to the current logger since the test began."""
    file = tmp_path / 'test.log'
    MMLogger.get_instance(f'test_{tmp_path.name}', log_file=str(file))
    return file.read_text


@pytest.fixture
def eight():
    """By best score: .9+ | .75- .75+ | .5- | .25+ .25- .25- | 0- (nothing detected)."""
    return [
        answered(0, [0.25, 0.125], targets=[0]),
        answered(1, [0.1, 0.9], targets=[0, 0]),
        answered(2, [0.75]),
        answered(3, [0.5]),
        answered(4, [0.25]),
        answered(5, [0.75], targets=[0]),
        answered(6, [0.25]),
        answered(7, []),
    ]


def test_values_by_hand(eight):
    values = evaluated(eight, score_thr=0.5, precision=[0.6, 1], recall=1.0)
    expected = dict(
        threshold_at_precision_1=np.float32(0.9),
        recall_at_precision_1=1 / 3,
        false_alarms_per_10k_at_precision_1=0,
        threshold_at_recall_1=0.25,
        precision_at_recall_1=3 / 7,
        false_alarms_per_10k_at_recall_1=8000,
        recall=2 / 3,
        precision=1 / 2,
        false_alarms_per_10k=4000,
        average_precision=(1 + 2 / 3 + 3 / 7) / 3,
    )
    expected.update(
        {
            'threshold_at_precision_0.6': 0.75,
            'recall_at_precision_0.6': 2 / 3,
            'false_alarms_per_10k_at_precision_0.6': 2000,
        }
    )
    assert values == pytest.approx({f'image/{name}': value for name, value in expected.items()})


@pytest.mark.parametrize('seed', range(5))
def test_values_equal_a_count_over_random_detections(seed):
    rng = np.random.default_rng(seed)
    samples, scores, truth = [], [], []
    for number in range(100):
        detected = (rng.integers(0, 9, rng.integers(0, 4)) / 8).tolist()
        targets = [0] * int(rng.integers(0, 3))
        samples.append(answered(number, detected, targets=targets))
        scores.append(max(detected, default=0))
        truth.append(len(targets) > 0)
    values = evaluated(samples, score_thr=0.5, prefix='test')
    flagged = [score >= 0.5 for score in scores]
    hits = sum(f and t for f, t in zip(flagged, truth, strict=True))
    alarms = sum(f and not t for f, t in zip(flagged, truth, strict=True))
    assert values['test/recall'] == pytest.approx(hits / sum(truth))
    assert values['test/precision'] == pytest.approx(hits / (hits + alarms))
    assert values['test/false_alarms_per_10k'] == pytest.approx(
        10_000 * alarms / (100 - sum(truth))
    )


def test_only_the_named_classes_count():
    samples = [
        answered(0, [0.9, 0.1], labels=[1, 2], targets=[2]),
        answered(1, [0.9], labels=[1], targets=[1]),
        answered(2, [0.4, 0.8], labels=[2, 1], targets=[1]),
    ]
    values = evaluated(samples, labels=[2], score_thr=0.05)
    assert values['image/recall'] == 1
    assert values['image/false_alarms_per_10k'] == 5000
    assert evaluated(samples, labels=[2], score_thr=0.3)['image/recall'] == 0


def test_images_with_ignored_targets_alone_are_left_out():
    samples = [
        answered(0, [0.9], targets=[0], ignored=[0]),
        answered(1, [0.9], ignored=[0]),
        answered(2, [0.1]),
    ]
    values = evaluated(samples)
    assert values['image/precision'] == 1
    assert values['image/false_alarms_per_10k'] == 0
    # Ignored targets of a class that does not count say nothing: there are three negatives now.
    assert evaluated(samples, labels=[1]) == {'image/false_alarms_per_10k': 0}


def test_ignored_targets_are_counted_in_the_log(logged):
    evaluated([answered(0, [0.9], targets=[0]), answered(1, [0.9], ignored=[0]), answered(2, [])])
    assert '1 images with a target, 1 without, 1 left out' in logged()


def test_precision_out_of_reach_is_nan_and_explained(eight, logged):
    eight[1].pred_instances.scores *= 0.1
    values = evaluated(eight, precision=0.95)
    for name in ('threshold', 'recall', 'false_alarms_per_10k'):
        assert math.isnan(values[f'image/{name}_at_precision_0.95'])
    log = logged()
    assert 'no threshold reaches precision 0.95; the highest is 0.5000, at threshold 0.75' in log


def test_recall_that_needs_every_image_is_explained(eight, logged):
    eight[0].pred_instances.scores *= 0
    values = evaluated(eight, recall=[0.6, 1.0])
    assert values['image/false_alarms_per_10k_at_recall_1'] == 10_000
    log = logged()
    assert 'recall 1 is reached only by flagging every image' in log
    assert 'recall 0.6 is reached only' not in log


def test_dataset_of_negatives_gives_its_false_alarms(logged):
    samples = [answered(number, [number / 10], annotated=False) for number in range(10)]
    values = evaluated(samples, score_thr=0.65, unannotated_as_negative=True, precision=0.9)
    assert values == {'image/false_alarms_per_10k': pytest.approx(3000)}
    assert 'need images of both kinds' in logged()


def test_dataset_of_positives_gives_their_recall():
    samples = [answered(number, [number / 10], targets=[0]) for number in range(10)]
    assert evaluated(samples, score_thr=0.65) == {'image/recall': pytest.approx(0.3)}


def test_image_without_annotations_is_not_taken_for_a_negative():
    with pytest.raises(KeyError, match=r'0003\.jpg has no annotations; add LoadAnnotations'):
        evaluated([answered(3, [0.5], annotated=False)])


def test_score_that_is_no_number_names_the_image(eight):
    eight[4].pred_instances.scores[0] = math.nan
    with pytest.raises(ValueError, match=r'score of image 0004\.jpg is nan'):
        evaluated(eight)


def test_samples_beyond_the_dataset_are_repetitions(eight):
    expected = evaluated(eight, recall=0.9)
    assert evaluated([*eight, *eight[:3]], size=8, recall=0.9) == expected
    # Wherever a sampler puts them.
    assert evaluated([*eight[:3], *eight], size=8, recall=0.9) == expected


def test_an_image_that_a_dataset_holds_twice_counts_twice(eight):
    values = evaluated([*eight, eight[2]], score_thr=0.5)
    assert values['image/false_alarms_per_10k'] == 5000


def test_frames_of_one_video_file_are_told_apart():
    meta = dict(img_id=0, img_path='video.mp4')
    samples = []
    for frame, score in enumerate((0.9, 0.1, 0.9, 0.1)):
        sample = answered(0, [score], targets=[0] * (frame < 2), meta=meta)
        sample.set_metainfo(dict(frame_id=frame, video_id=0))
        samples.append(sample)
    values = evaluated([*samples, samples[0]], size=4, score_thr=0.5)
    assert (values['image/recall'], values['image/false_alarms_per_10k']) == (0.5, 5000)


def test_another_scorer_judges_a_tracker():
    samples = []
    for number, (score, targets) in enumerate([(0.9, [0]), (0.2, []), (0.8, [])]):
        sample = answered(number, [], targets=targets)
        del sample.pred_instances
        sample.pred_track_instances = InstanceData(scores=torch.tensor([score]))
        samples.append(sample)
    values = evaluated(samples, scorer=dict(type='MaxTrackScore'))
    assert values['image/precision'] == 0.5


def test_report_holds_values_curve_and_images(eight, tmp_path):
    out = tmp_path / 'new' / 'image_level.json'
    evaluated(eight, precision=[0.6, 0.99], out_file=str(out))
    report = json.loads(out.read_text())
    assert report['counts'] == dict(positives=3, negatives=5, left_out=0)
    assert report['metrics']['recall_at_precision_0.6'] == pytest.approx(2 / 3)
    assert report['figures'] == report['metrics']  # the old key
    np.testing.assert_allclose(report['curve']['precision'], [1, 2 / 3, 1 / 2, 3 / 7, 3 / 8])
    with out.with_suffix('.csv').open() as file:
        rows = list(csv.DictReader(file))
    numbers = [int(row['image'][:4]) for row in rows]
    assert numbers == [1, 2, 5, 3, 0, 4, 6, 7]
    assert [int(row['has_target']) for row in rows] == [1, 0, 1, 0, 1, 0, 0, 0]
    np.testing.assert_allclose(
        [float(row['score']) for row in rows], [0.9, 0.75, 0.75, 0.5, 0.25, 0.25, 0.25, 0]
    )
    assert sorted(path.name for path in out.parent.iterdir()) == [
        'image_level.csv', 'image_level.json',
    ]  # fmt: skip


def test_curve_and_marks_are_read_back(eight, tmp_path):
    out = tmp_path / 'image_level.json'
    evaluated(eight, precision=[0.6, 0.99], recall=1.0, score_thr=0.5, out_file=str(out))
    scores, has_target = (
        np.array([0.9, 0.75, 0.75, 0.5, 0.25, 0.25, 0.25, 0]),
        [1, 0, 1, 0, 1, 0, 0, 0],
    )
    curve, marks = read_pr_curve(out)
    for name, expected in vars(pr_curve(scores, has_target)).items():
        np.testing.assert_allclose(getattr(curve, name), expected, rtol=1e-6)
    assert list(marks) == ['threshold 0.5', 'precision 0.6', 'precision 0.99', 'recall 1']
    assert marks['threshold 0.5'] == operating_point(scores, has_target, 0.5)


@pytest.mark.parametrize(
    'content', ['', '[]', '{"mean": 1}', '{"curve": [1]}', '{"curve": {"x": [1]}}']
)
def test_files_that_are_no_reports_are_named(tmp_path, content):
    path = tmp_path / 'other.json'
    path.write_text(content)
    with pytest.raises(ValueError, match=r'other\.json is no report of ImageLevelMetric'):
        read_pr_curve(path)


def test_report_without_positives_has_no_curve(tmp_path):
    out = tmp_path / 'image_level.json'
    evaluated([answered(0, [0.9])], out_file=str(out))
    report = json.loads(out.read_text())
    assert report['curve'] is None
    assert report['metrics'] == dict(false_alarms_per_10k=10_000)
    with pytest.raises(ValueError, match='has no curve: the images were all'):
        read_pr_curve(out)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(score_thr=0), 'score_thr must be above 0'),
        (dict(precision=1.5), 'wanted precision must be above 0'),
        (dict(recall=[0.5, 0]), 'wanted recall must be above 0'),
        (dict(labels=[]), 'labels is empty'),
        (dict(out_file='report.csv'), 'must end in .json'),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ImageLevelMetric(**options)
