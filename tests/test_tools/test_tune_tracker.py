"""tools/analysis_tools/tune_tracker.py: its parts by themselves, and a study on a few small frames."""

import csv
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from analysis_tools import FOLDER, load_tool
from mmengine.config import Config
from mmengine.evaluator import Evaluator

from mmpolar.apis import init_tracker
from mmpolar.datasets import DavisDataset
from mmpolar.datasets.synthetic import generate_dataset
from mmpolar.evaluation.metrics import OPEMetric, TrackSegMetric
from mmpolar.tracking import TrackParams

pytest.importorskip('optuna')

SMALL = Path(__file__).resolve().parents[1] / 'small_ocean.py'
CONFIG = """
_base_ = '{base}'
val_dataloader = dict(
    dataset=dict(_delete_=True, type='DavisDataset', data_root='{root}', test_mode=True))
"""


@pytest.fixture(scope='module')
def tool():
    return load_tool('tune_tracker')


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    """A config over two small videos, and weights for it."""
    root = tmp_path_factory.mktemp('tuning')
    generate_dataset(root / 'data', 0, 2, frames=3, size=(96, 72), progress=False)
    config = root / 'small.py'
    config.write_text(CONFIG.format(base=SMALL, root=root / 'data'))
    torch.manual_seed(0)
    model = init_tracker(str(config), optimize='none').model
    torch.save(dict(state_dict=model.state_dict()), root / 'weights.pth')
    return config, root / 'weights.pth'


@pytest.fixture(scope='module')
def dataset(project):
    return DavisDataset(str(project[0].parent / 'data'), test_mode=True)


@pytest.fixture
def objective(tool, project, dataset):
    return make_objective(project, dataset)


def make_objective(project, dataset):
    from mmpolar.cli.tuning.objective import Objective, parse_ranges

    config, weights = Config.fromfile(str(project[0])), str(project[1])
    ranges = parse_ranges(['lr', 'penalty_k', 'window_influence=0:1:0.01'], TrackParams())
    return Objective(config, weights, 'cpu', dataset, OPEMetric(), 'success', ranges)


def fixed(window_influence=0.4, lr=0.4, penalty_k=0.04):
    """A trial of given values."""
    from optuna.trial import FixedTrial

    return FixedTrial(dict(lr=lr, penalty_k=penalty_k, window_influence=window_influence))


# The search space


def test_ranges_hold_the_published_values(tool):
    from mmpolar.cli.tuning.objective import default_ranges

    params = TrackParams()
    for name, one in default_ranges(params).items():
        steps = (getattr(params, name) - one.low) / one.step
        assert abs(steps - round(steps)) < 1e-6 or name == 'lr'
        assert one.low <= getattr(params, name) <= one.high
    sizes = default_ranges(replace(params, search_size=271))['search_size']
    assert (sizes.low, sizes.high, sizes.step) == (255, 319, 16)


def test_ranges_of_ones_own(tool):
    from mmpolar.cli.tuning.objective import parse_ranges

    texts = ['penalty_k=0:0.1', 'search_size=239:271:32', 'context_amount=0.3:0.7:0.1']
    ranges = parse_ranges(texts, TrackParams())
    assert list(ranges) == ['penalty_k', 'search_size', 'context_amount']
    penalty, size, context = ranges.values()
    assert (penalty.low, penalty.high, penalty.step) == (0, 0.1, 0.002)
    assert (size.low, size.high, size.step) == (239, 271, 32)
    assert isinstance(size.low, int)
    assert (context.low, context.high, context.step) == (0.3, 0.7, 0.1)


@pytest.mark.parametrize(
    ('texts', 'message'),
    [
        (['speed'], "no tracking parameter 'speed'; there are penalty_k"),
        (['crop'], "no tracking parameter 'crop'"),
        (['context_amount'], 'say context_amount=LOW:HIGH:STEP'),
        (['lr=0.2'], 'say lr=LOW:HIGH:STEP'),
        (['lr=a:b'], "lr=a:b: could not convert string to float: 'a'"),
        (['lr=0.9:0.1'], r'lr=0.9:0.1: .*low=0.9, high=0.1'),
        (['lr=0.1:0.9:0'], r'lr=0.1:0.9:0: .*step=0'),
        (['lr=0.1:1.5:0.1'], r'lr must lie in \[0, 1\]'),
        (['lr', 'lr=0.1:0.5:0.1'], 'can be tuned once'),
        (['search_size=255:287:8'], 'multiples of 16 px'),
        (['search_size=250:282:16'], 'multiples of 16 px'),
        (['search_size=111:287:16'], 'must exceed the template size'),
    ],
)
def test_ranges_that_make_no_sense_are_refused(tool, texts, message):
    from mmpolar.cli.tuning.objective import parse_ranges

    with pytest.raises(ValueError, match=message):
        parse_ranges(texts, TrackParams())


def test_option_of_the_best_values_sets_them_exactly(tool):
    values = dict(lr=0.37, search_size=271)
    assert tool.cfg_options({}) == ''
    name, *settings = tool.cfg_options(values).split()
    assert name == '--cfg-options'
    cfg = Config.fromfile(str(SMALL))
    cfg.merge_from_dict(tool.parse_args(['config', 'weights', name, *settings]).cfg_options)
    assert {key: cfg.model.test_cfg[key] for key in values} == values


# The objective


def test_value_is_that_of_a_test(objective, project, dataset):
    """The runner's own way: data samples through the model and the evaluator."""
    from mmpolar.datasets.transforms import LoadTrackFrame, PackTrackInputs

    cfg = Config.fromfile(str(project[0]))
    values = dict(lr=0.4, penalty_k=0.04, window_influence=0.9)
    model = init_tracker(
        cfg, str(project[1]), cfg_options={f'model.test_cfg.{k}': v for k, v in values.items()}
    ).model
    evaluator = Evaluator(dict(type='mmpolar.OPEMetric'))
    for track in range(dataset.num_videos):
        for frame in range(dataset.get_len_per_video(track)):
            results = LoadTrackFrame().transform(dataset.get_frame(track, frame))
            packed = PackTrackInputs().transform(results)
            inputs = {key: value[None] for key, value in packed['inputs'].items()}
            evaluator.process(model.predict(inputs, [packed['data_samples']]))
    expected = evaluator.evaluate(0)['ope/success']
    assert objective(fixed(0.9)) == pytest.approx(expected, abs=1e-6)
    assert objective(fixed(0.0)) != pytest.approx(expected, abs=1e-6)


def test_each_thread_has_a_tracker_of_its_own(objective):
    """Trackers that were shared would find the target of the other thread's video."""
    trials = [fixed(0.0), fixed(0.9)]
    expected = [objective(trial) for trial in trials]
    assert expected[0] != expected[1]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(objective, trials * 3)) == expected * 3


def test_frames_after_the_wanted_ones_are_not_tracked(objective, monkeypatch):
    objective.max_frames = 2
    step, tracked = objective.tracker.step, []
    monkeypatch.setattr(objective.tracker, 'step', lambda img: tracked.append(img) or step(img))
    objective(fixed())
    assert len(tracked) == 2  # the second frame of each video


def test_trials_that_the_pruner_dislikes_are_given_up(objective):
    import optuna

    study = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(upper=-1))
    study.optimize(objective, n_trials=1)
    study.pruner = optuna.pruners.NopPruner()
    study.optimize(objective, n_trials=1)
    assert [trial.state.name for trial in study.trials] == ['PRUNED', 'COMPLETE']
    assert [list(trial.intermediate_values) for trial in study.trials] == [[0], [0, 1]]
    complete = study.trials[1]
    assert complete.value == complete.intermediate_values[1]
    assert complete.value == pytest.approx(objective(fixed(**complete.params)), abs=1e-6)


def test_bad_trials_are_given_up_unless_told_otherwise(tool, tmp_path):
    import optuna

    for options, state in (([], 'PRUNED'), (['--no-prune'], 'COMPLETE')):
        args = ['config', 'weights', '--work-dir', str(tmp_path / state), *options]
        study = tool.open_study(tool.parse_args(args), 4)

        def value(trial):
            trial.report(-trial.number, 1)
            if trial.should_prune():
                raise optuna.TrialPruned
            return -trial.number

        study.optimize(value, 11)
        assert study.trials[-1].state.name == state


# The study


def numbers_study(location, count):
    """A study of a parabola; in memory without a location."""
    import optuna

    from mmpolar.cli.tuning.study import open_storage

    storage = open_storage(location) if location else None
    study = optuna.create_study(storage=storage, study_name='numbers', load_if_exists=True)
    study.optimize(lambda trial: -((trial.suggest_float('x', 0, 1, step=0.1) - 0.3) ** 2), count)
    return study


@pytest.mark.parametrize('name', ['study.db', 'study.journal'])
def test_studies_are_kept_on_disk(tool, tmp_path, name):
    from mmpolar.cli.tuning.study import ended_trials, read_result

    location = str(tmp_path / 'new' / name)
    numbers_study(location, 4)
    study = numbers_study(location, 3)
    assert len(ended_trials(study)) == 7
    assert read_result(study)['complete'] == 7
    with (tmp_path / 'new' / name).open('rb') as file:
        assert (file.read(6) == b'SQLite') == name.endswith('.db')


def test_a_study_measures_one_thing_only(tool):
    import optuna

    from mmpolar.cli.tuning.study import claim_study

    study = optuna.create_study()
    claim_study(study, dict(value_name='success', frames=12))
    claim_study(study, dict(value_name='success', frames=12))
    with pytest.raises(ValueError, match="value_name was 'success', now 'J_mean'.* --study-name"):
        claim_study(study, dict(value_name='J_mean', frames=12))


def test_a_study_of_the_last_release_goes_on(tool):
    import optuna

    from mmpolar.cli.tuning.study import claim_study

    study = optuna.create_study()
    study.set_user_attr('figure', 'success')
    claim_study(study, dict(value_name='success'))
    with pytest.raises(ValueError, match="value_name was 'success', now 'J_mean'"):
        claim_study(study, dict(value_name='J_mean'))


@pytest.mark.parametrize('lr', [0.3, 0.1])
def test_the_config_s_own_values_are_measured_once(objective, lr):
    """Also where one is out of its range."""
    import optuna

    from mmpolar.cli.tuning.study import enqueue_baseline, read_result

    own = dict(lr=lr, penalty_k=0.04, window_influence=0.4)
    study = optuna.create_study(direction='maximize')
    enqueue_baseline(study, own)
    enqueue_baseline(study, own)
    study.optimize(objective, 1)
    enqueue_baseline(study, own)
    (trial,) = study.trials
    assert trial.params == own
    assert trial.value == pytest.approx(objective(fixed(**own)))
    assert list(trial.intermediate_values) == [0, 1]
    assert read_result(study)['baseline'] == trial.value


def test_importance_tells_what_matters(tool):
    import optuna

    from mmpolar.cli.tuning.study import importances

    study = optuna.create_study(direction='maximize', sampler=optuna.samplers.RandomSampler(seed=0))

    def steep(trial):
        a, b = (trial.suggest_float(name, 0, 1) for name in 'ab')
        return 10 * a + 0.1 * b

    assert importances(study, ['a', 'b']) == {}
    study.optimize(steep, 30)
    shares = importances(study, ['a', 'b'])
    assert list(shares) == ['a', 'b']
    assert shares['a'] > 0.9
    assert sum(shares.values()) == pytest.approx(1)


def own_values(value):
    """A trial of the config's own values."""
    import optuna

    from mmpolar.cli.tuning.study import BASELINE

    return optuna.trial.create_trial(value=value, user_attrs={BASELINE: True})


def test_best_of_equals_are_the_config_s_own_values(tool):
    import optuna

    from mmpolar.cli.tuning.study import read_result

    study = optuna.create_study(direction='maximize')
    assert read_result(study) == {}
    study.add_trial(own_values(0.5))
    study.optimize(lambda trial: trial.suggest_float('x', 0.5, 0.5), 1)
    expected = dict(baseline=0.5, value=0.5, values={}, trial=0, complete=2, pruned=0)
    assert read_result(study) == expected


def test_rows_tell_trials_that_were_given_up(tool):
    import optuna

    from mmpolar.cli.tuning.study import trial_rows

    def value(trial):
        trial.suggest_float('x', 0.25, 0.25)
        trial.report(0.9, 0)
        trial.report(0.8, 1)
        raise optuna.TrialPruned

    study = optuna.create_study(direction='maximize')
    study.add_trial(own_values(0.5))
    study.optimize(value, 1)
    header, rows = trial_rows(study, ['x'], 'success')
    assert header == ['trial', 'kind', 'videos', 'success', 'x']
    assert rows[0][:4] == [0, 'config', 'all', 0.5]
    assert rows[1] == [1, 'pruned', 2, 0.8, 0.25]


def test_plot_of_a_study(tool, tmp_path):
    from mmpolar.cli.tuning.study import importances, plot_study

    study = numbers_study(None, 12)
    plot_study(study, ['x'], importances(study, ['x']), 'value', tmp_path / 'new' / 'tuning.png')
    plot = cv2.imread(str(tmp_path / 'new' / 'tuning.png'))
    assert plot.shape[1] > plot.shape[0] > 600
    colourful = np.ptp(plot.astype(int), axis=-1) > 40  # points, lines and bars, not axes and text
    assert 0.002 < colourful.mean() < 0.5
    assert (plot[[0, -1]] == 255).all()  # nothing is cut off at the edges
    assert (plot[:, [0, -1]] == 255).all()


# The command


def read_trials(folder):
    with (folder / 'trials.csv').open() as file:
        return list(csv.DictReader(file))


def test_command_tunes_goes_on_and_reports(tool, project, tmp_path, capsys):
    config, weights = map(str, project)
    arguments = [config, weights, '--work-dir', str(tmp_path), '--params', 'lr', 'penalty_k']
    tool.main([*arguments, '--trials', '2'])
    first = read_trials(tmp_path)
    assert [row['kind'] for row in first] == ['config', 'complete']
    capsys.readouterr()
    tool.main([*arguments, '--trials', '4'])
    trials = read_trials(tmp_path)
    assert trials[:2] == first
    assert len(trials) == 4
    best = json.loads((tmp_path / 'best.json').read_text())
    assert best['value'] == pytest.approx(max(float(row['success']) for row in trials), abs=1e-6)
    assert best['baseline'] == pytest.approx(float(trials[0]['success']), abs=1e-6)
    printed = capsys.readouterr().out
    assert (best['cfg_options'] or 'nothing is better') in printed
    assert cv2.imread(str(tmp_path / 'tuning.png')) is not None
    assert not list(tmp_path.glob('.*'))
    tool.main([*arguments, '--trials', '3'])
    assert 'has 4 trials already' in capsys.readouterr().out
    with pytest.raises(SystemExit) as error:
        tool.main([*arguments, '--metric', 'J_and_F'])
    assert error.value.code == 2
    assert "value_name was 'success', now 'J_and_F'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--metric', 'speed'], "no value 'speed'; it has track/success"),
        (['--params', 'speed'], 'no tracking parameter'),
        (['--max-frames', '1'], '2 or more'),
        (['--device', 'abacus'], 'no device "abacus"'),
    ],
)
def test_faults_are_told_in_one_line(tool, project, tmp_path, capsys, options, message):
    with pytest.raises(SystemExit) as error:
        tool.main([*map(str, project), '--work-dir', str(tmp_path), *options])
    assert error.value.code == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob('study*'))


def test_metrics_are_found_by_name_with_or_without_prefix(tool, project):
    cfg = Config.fromfile(str(project[0]))
    for name in ('J', 'track/J'):
        args = tool.parse_args([*map(str, project), '--metric', name])
        metric, value_name = tool.find_metric(cfg, args)
        assert (type(metric), value_name) == (TrackSegMetric, 'J')


@pytest.mark.slow
def test_threads_share_a_study(project, tmp_path):
    """As a program: several threads, more trials than threads, and none too many."""
    command = [sys.executable, str(FOLDER / 'tune_tracker.py'), *map(str, project)]
    command += ['--work-dir', str(tmp_path), '--storage', str(tmp_path / 'study.db')]
    done = subprocess.run(
        [*command, '--trials', '7', '--workers', '3', '--params', 'lr'],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    assert len(read_trials(tmp_path)) == 7


def run_trials(tool, study, objective, workers, tmp_path, value):
    """Let the command run six trials, each worth ``value(number)``."""

    class Numbers(type(objective)):
        def __call__(self, trial):
            return value(trial.number)

    options = ['--trials', '6', '--workers', str(workers), '--work-dir', str(tmp_path)]
    fields = {name: getattr(objective, name) for name in objective.__dataclass_fields__}
    tool.run_missing(Numbers(**fields), study, tool.parse_args(['config', 'weights', *options]))


@pytest.fixture
def study():
    """In memory."""
    import optuna

    return optuna.create_study()


@pytest.mark.parametrize('workers', [1, 2])
def test_a_trial_that_fails_is_told_and_ends_the_others(tool, study, objective, workers, tmp_path):
    def fail(number):
        raise ValueError('no space left')

    with pytest.raises(ValueError, match='no space left'):
        run_trials(tool, study, objective, workers, tmp_path, fail)
    assert len(study.trials) <= workers


def test_the_last_trial_of_several_threads_that_fails_is_told(tool, study, objective, tmp_path):
    def fail_late(number):
        if number == 5:
            time.sleep(0.1)
            raise ValueError('no space left')
        return 0.0

    with pytest.raises(ValueError, match='1 trials failed, see above'):
        run_trials(tool, study, objective, 2, tmp_path, fail_late)
    assert sorted(trial.state.name for trial in study.trials) == ['COMPLETE'] * 5 + ['FAIL']


def test_a_stop_ends_the_other_threads_after_their_trials(tool, study, objective, tmp_path, capsys):
    def stop_the_first(number):
        if number == 0:
            raise KeyboardInterrupt
        time.sleep(0.05)
        return 0.0

    run_trials(tool, study, objective, 2, tmp_path, stop_the_first)
    assert len(study.trials) < 5
    assert 'the same command goes on from here' in capsys.readouterr().out
