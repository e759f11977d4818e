import csv
import json

import numpy as np
import pytest
from evaluated import evaluate_with
from mmengine.logging import MMLogger

from mmpolar.evaluation.functional import (
    AnchorRun,
    ResetRun,
    anchor_eao_curve,
    anchor_scores,
    eao_score,
    reset_eao_curve,
    reset_scores,
)
from mmpolar.evaluation.metrics import VOTMetric
from mmpolar.evaluation.vot_runs import anchor_frames, run_from_anchor, run_with_resets
from mmpolar.structures.vot_region import Rectangle

TRUTH = [Rectangle(10, 10, 20, 20)] * 60
INTERVAL = (5, 30)


evaluate = evaluate_with('VOTMetric')


def wandering_tracker(seed):
    """A box that walks at random from the target on."""
    rng = np.random.default_rng(seed)
    place = np.zeros(2)

    def start(frame):
        place[:] = 0

    def step(frame):
        place[:] += rng.normal(0, 3, 2)
        return Rectangle(10 + place[0], 10 + place[1], 20, 20)

    return start, step


@pytest.fixture(scope='module')
def reset_runs():
    runs = [run_with_resets(TRUTH, *wandering_tracker(seed)) for seed in range(3)]
    samples = [runs[0].to_sample('a', 60, 0, 2), runs[1].to_sample('a', 60, 1, 2)]
    return runs, [*samples, runs[2].to_sample('b', 60, 0, 1)]


@pytest.fixture(scope='module')
def anchor_runs():
    anchors = np.zeros(60)
    anchors[[0, 59, 30]] = [1, -1, 1]
    frames = anchor_frames(anchors)
    runs = [run_from_anchor(TRUTH, f, *wandering_tracker(i)) for i, f in enumerate(frames)]
    return runs, [run.to_sample('a', 60, number, 3) for number, run in enumerate(runs)]


def test_reset_values_are_those_of_the_functions(reset_runs):
    runs, samples = reset_runs
    plain = [ResetRun(run.overlaps, run.states) for run in runs]
    sequences = [plain[:2], plain[2:]]
    values = evaluate(samples, protocol='reset', interval=INTERVAL)
    assert values['vot/failures'] > 0
    for name, value in vars(reset_scores(sequences)).items():
        assert values[f'vot/{name}'] == pytest.approx(value), name
    expected = eao_score(reset_eao_curve(sequences), INTERVAL)
    assert values['vot/eao'] == pytest.approx(expected)
    assert values['vot/fps'] > 0


def test_anchor_values_are_those_of_the_functions(anchor_runs):
    runs, samples = anchor_runs
    plain = [[AnchorRun(run.overlaps, run.present) for run in runs]]
    values = evaluate(samples, protocol='anchor', interval=INTERVAL)
    scores = anchor_scores(plain, [60])
    assert values['vot/accuracy'] == pytest.approx(scores.accuracy)
    assert values['vot/robustness'] == pytest.approx(scores.robustness)
    curve = anchor_eao_curve(plain, INTERVAL[1])
    assert values['vot/eao'] == pytest.approx(eao_score(curve, INTERVAL))


def test_the_year_fixes_the_interval(reset_runs):
    assert VOTMetric('reset', year=2019).interval == (46, 291)
    assert VOTMetric('anchor', year=2020).interval == (115, 755)


def test_runs_may_come_in_any_order_and_twice(reset_runs):
    _, samples = reset_runs
    options = dict(protocol='reset', interval=INTERVAL)
    assert evaluate([*samples[::-1], samples[0]], **options) == evaluate(samples, **options)


def test_sequences_that_lack_a_run_are_named_and_left_out(reset_runs, tmp_path):
    log = tmp_path / 'run.log'
    MMLogger.get_instance(f'test_{tmp_path.name}', log_file=str(log))
    _, samples = reset_runs
    options = dict(protocol='reset', interval=INTERVAL)
    assert evaluate(samples[1:], **options) == evaluate(samples[2:], **options)
    assert "sequence 'a' is left out of the evaluation: 1 of 2 runs came" in log.read_text()
    assert evaluate(samples[:1], **options) == {}


def test_report_reads_back(reset_runs, tmp_path):
    file = tmp_path / 'vot.json'
    _, samples = reset_runs
    values = evaluate(samples, protocol='reset', interval=INTERVAL, out_file=str(file))
    report = json.loads(file.read_text())
    assert {f'vot/{name}': value for name, value in report['mean'].items()} == values
    assert np.mean(report['curve'][5:31]) == pytest.approx(values['vot/eao'])
    assert [len(sequence['runs']) for sequence in report['sequences']] == [2, 1]
    assert report['sequences'][0]['runs'][1]['overlaps'] == samples[1]['overlaps']
    rows = list(csv.DictReader(file.with_suffix('.csv').open()))
    assert [row['sequence'] for row in rows] == ['a', 'b', 'mean']
    assert rows[0]['eao'] == ''
    assert float(rows[2]['eao']) == pytest.approx(values['vot/eao'], abs=1e-6)


def test_what_is_no_run_is_refused():
    with pytest.raises(KeyError, match='a sample of a lacks'):
        VOTMetric('reset', year=2018).process(None, [dict(video_name='a', video_length=3)])


def test_options_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match='protocol must be one of'):
        VOTMetric('supervised', year=2018)
    with pytest.raises(ValueError, match='either year or interval'):
        VOTMetric('reset')
    with pytest.raises(ValueError, match='either year or interval'):
        VOTMetric('reset', year=2018, interval=(1, 2))
    with pytest.raises(ValueError, match='anchor-based protocol must be one of'):
        VOTMetric('anchor', year=2018)
    with pytest.raises(ValueError, match=r'must end in \.json'):
        VOTMetric('reset', year=2018, out_file='vot.csv')
