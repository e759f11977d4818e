import csv
import json

import pytest
from evaluated import evaluate_with

from mmpolar.evaluation.metrics import OPEMetric

BOX = [10.0, 10.0, 50.0, 30.0]
FAR = [60.0, 35.0, 78.0, 55.0]


def shifted(pixels):
    return [BOX[0] + pixels, BOX[1], BOX[2] + pixels, BOX[3]]


evaluate = evaluate_with('OPEMetric')


@pytest.fixture
def video(make_sample):
    """A video from a list of (true box, predicted box)."""

    def make(pairs, name='a', video_id=0):
        return [
            make_sample(name, frame, len(pairs), *pair, video_id=video_id)
            for frame, pair in enumerate(pairs)
        ]

    return make


def test_values_by_hand(video):
    # 10 of 40 px off: overlap 30 / 50, normalised distance .25.
    scores = evaluate(video([(BOX, BOX), (BOX, shifted(10))]), first_frame='skip')
    assert scores == {
        'ope/success': pytest.approx(12 / 21),
        'ope/success_50': 1,
        'ope/success_75': 0,
        'ope/precision': 1,
        'ope/norm_precision': pytest.approx(26 / 51),
        'ope/norm_precision_20': 0,
    }


def test_the_given_frame_is_a_hit_whatever_the_tracker_says(video):
    pairs = [(BOX, FAR), (BOX, FAR)]
    assert evaluate(video(pairs))['ope/success'] == pytest.approx(20 / 21 / 2)
    assert evaluate(video(pairs))['ope/precision'] == 0.5
    assert evaluate(video(pairs), first_frame='skip')['ope/success'] == 0


def test_frames_without_ground_truth_are_left_out_or_missed_but_never_hit(video):
    pairs = [(BOX, BOX), (BOX, BOX), (None, BOX), (None, None)]
    right = evaluate(video(pairs))
    assert right['ope/success'] == pytest.approx(20 / 21)
    assert right['ope/precision'] == right['ope/norm_precision'] == 1
    missed = evaluate(video(pairs), absent='miss')
    assert missed['ope/success'] == pytest.approx(20 / 21 / 2)
    assert missed['ope/precision'] == missed['ope/norm_precision'] == 0.5


def test_a_frame_without_prediction_is_a_miss(video):
    scores = evaluate(video([(BOX, BOX), (BOX, None)]), first_frame='skip')
    assert set(scores.values()) == {0}


def test_sequences_weigh_the_same(video):
    good, bad = [(BOX, BOX)] * 3, [(BOX, BOX)] + [(BOX, FAR)] * 9
    samples = video(good, 'good', 0) + video(bad, 'bad', 1)
    assert evaluate(samples)['ope/precision'] == pytest.approx((1 + 0.1) / 2)


def test_a_sequence_in_which_nothing_counts_has_no_value(video):
    samples = video([(BOX, BOX), (None, None)], 'gone', 0) + video([(BOX, BOX)] * 2, 'there', 1)
    assert evaluate(samples, first_frame='skip')['ope/success'] == pytest.approx(20 / 21)
    assert evaluate(video([(BOX, BOX), (None, None)]), first_frame='skip') == {}


def test_report_has_curves_and_means(video, tmp_path):
    file = tmp_path / 'ope.json'
    samples = video([(BOX, BOX), (BOX, None), (None, BOX)], 'lost', 0)
    samples += video([(BOX, BOX), (BOX, shifted(10))], 'late', 1)
    scores = evaluate(samples, out_file=str(file))
    report = json.loads(file.read_text())
    assert {f'ope/{name}': value for name, value in report['mean'].items()} == scores
    assert (report['absent'], report['first_frame']) == ('skip', 'hit')
    curve = report['curves']['precision']
    assert curve['mean'][curve['thresholds'].index(20)] == scores['ope/precision']
    late, lost = report['sequences']
    assert lost['frames']['distance'] == [0, None, None]
    assert len(late['curves']['success']) == 21
    rows = list(csv.DictReader(file.with_suffix('.csv').open()))
    assert [row['sequence'] for row in rows] == ['late', 'lost', 'mean']
    assert float(rows[-1]['success']) == pytest.approx(scores['ope/success'], abs=1e-6)


def test_a_video_must_start_with_its_target(video):
    with pytest.raises(ValueError, match=r"frame 0 of video 'a' has no target"):
        evaluate(video([(None, BOX)]))


def test_unknown_conventions_are_refused():
    with pytest.raises(ValueError, match="absent must be one of .* got 'hit'"):
        OPEMetric(absent='hit')
    with pytest.raises(ValueError, match='first_frame must be one of'):
        OPEMetric(first_frame='miss')
