"""python -m benchmarks.ablations: its arms on the real config, and trained on generated videos."""

import csv
import json
import math
import shutil
from importlib import import_module
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from scripts import help_of

from mmpolar.utils.shared_values import load_config

ROOT = Path(__file__).resolve().parents[2]
ARMS = [
    'base',
    'two-stages',
    'rays-18',
    'rays-36',
    'nearest',
    'no-centerness',
    'squared',
    'no-object-aware',
    'no-mining',
    'no-refinement',
    'no-cut-outs',
    'no-filling',
    'no-composites',
    'same-target',
    'same-target-blind',
    'focus-0',
    'focus-2',
]
#: Those that build other networks, data or trainings; the others set an option to another value.
BUILT = [
    'base',
    'two-stages',
    'rays-18',
    'nearest',
    'no-object-aware',
    'no-mining',
    'no-refinement',
    'same-target',
]
#: Those that train without mining.
UNMINED = ['no-mining', 'same-target-blind']


@pytest.fixture(scope='module')
def tool():
    return import_module('benchmarks.ablations.__main__')


@pytest.fixture(scope='module')
def base(tool):
    return load_config(tool.CONFIG)


@pytest.fixture(scope='module')
def tiny(tool, tmp_path_factory):
    """A config like the real one, for a tiny tracker on a handful of generated frames."""
    folder = tmp_path_factory.mktemp('ablation')
    cfg = load_config(tool.CONFIG)
    cfg.merge_from_dict(dict(model=Config.fromfile(ROOT / 'tests/small_ocean.py').model))
    cfg.model.backbone.update(out_indices=(1, 2), frozen_stages=5)
    cfg.model.mask_head.n_rays = 72
    cfg.model.refine_head.update(
        in_channels=[24],
        strides=[4],
        combined_channels=8,
        feat_channels=8,
        match_channels=4,
        dilations=(1,),
        n_samples=4,
    )
    made = dict(type='SyntheticDataset', data_root=str(folder / 'data'), frames=3, size=(96, 72))
    hook = cfg.custom_hooks[1]
    data = cfg.train_dataloader.dataset
    for pairs in (data.positives, data.negatives):
        pairs.update(datasets=[dict(made, num_train=3)], quotas=None)
    data.negatives.length = 3
    data.num_composites = data.positives.samples_per_epoch = 2
    hook.update(num_picks=2, begin=1, interval=1, batch_size=3, num_workers=0)
    cfg.train_dataloader.update(batch_size=2, num_workers=0, persistent_workers=False)
    cfg.test_dataloader.dataset.pop('data_root')
    cfg.test_dataloader.dataset.update(made, split='val', num_val=1)
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.train_cfg.max_epochs = 2
    cfg.param_scheduler[1].update(T_max=2, end=2)
    cfg.default_hooks.checkpoint.max_keep_ckpts = -1
    cfg.dump(folder / 'tiny.py')
    return folder / 'tiny.py'


def parsed(tool, *arguments):
    return tool.parse_args([str(argument) for argument in arguments])


def jobs_of(tool, *arguments):
    args = parsed(tool, *arguments)
    return tool.plan(*tool.read_base(args), args)


# arms


def expected_changes(base):
    """What each arm but two changes, in the words of ``differences``."""
    pipeline = base.train_dataloader.dataset.pipeline
    place = {
        step.type: f'train_dataloader.dataset.pipeline.{number}'
        for number, step in enumerate(pipeline)
    }
    target = place['GeneratePolarTarget']
    steps = {step.type: step for step in pipeline}
    filled = steps['PairComposite'].fill_outside.prob
    filling = f'{place["PairComposite"]}.fill_outside.prob: {filled} -> 0.0'
    ways = steps['PairComposite'].probs

    def given_to_positives(*taken):
        probs = f'{place["PairComposite"]}.probs'
        share = round(ways['positive'] + sum(ways[way] for way in taken), 9)
        return [
            f'{probs}.positive: {ways["positive"]} -> {share}',
            *(f'{probs}.{way}: {ways[way]} -> not there' for way in taken),
        ]

    def rays(number):
        rayed = ('model.mask_head', 'model.refine_head', target, 'test_evaluator')
        return [f'{part}.n_rays: {base.model.mask_head.n_rays} -> {number}' for part in rayed]

    same_target = 'train_dataloader.dataset.same_target: not there -> True'
    no_mining = 'custom_hooks.1: HardNegativeMiningHook -> not there'
    focus = f'model.head.loss_cls.focus: {base.model.head.loss_cls.focus}'
    return {
        'rays-18': rays(18),
        'rays-36': rays(36),
        'nearest': [
            f"{part}.crossing: not there -> 'nearest'" for part in (target, 'test_evaluator')
        ],
        'no-centerness': ['model.mask_head.centerness_weight: True -> False'],
        'squared': [
            f'model.{head}.loss_polar.squared: not there -> True'
            for head in ('mask_head', 'refine_head')
        ],
        'no-object-aware': ['model.head.with_align: True -> False'],
        'no-mining': [no_mining],
        'no-refinement': ['model.refine_head: ContourRefineHead -> None'],
        'no-cut-outs': given_to_positives('transplant', 'paste'),
        'no-filling': [filling],
        'no-composites': [
            filling,
            *given_to_positives('stitch', 'overlay', 'transplant', 'paste'),
        ],
        'same-target': [same_target],
        'same-target-blind': [same_target, no_mining],
        'focus-0': [f'{focus} -> 0.0'],
        'focus-2': [f'{focus} -> 2.0'],
    }


def test_these_are_the_arms(tool):
    fitting = [name for name, arm in tool.ARMS.items() if arm.model in (None, 'Ocean')]
    assert fitting == ARMS
    assert all('\n' not in arm.question and arm.question[-1] in '?.' for arm in tool.ARMS.values())


def test_an_arm_changes_one_thing_wherever_it_stands(tool, base):
    expected = expected_changes(base)
    assert set(ARMS) - set(expected) == {'base', 'two-stages'}
    jobs = jobs_of(tool)
    unchanged = jobs[tool.Run('base', 0)].stages[0].to_dict()
    for arm, lines in expected.items():
        [cfg] = jobs[tool.Run(arm, 0)].stages
        assert set(tool.differences(unchanged, cfg.to_dict())) == set(lines), arm


def test_two_stages_are_a_tracker_and_outlines_on_it(tool):
    base, both = jobs_of(tool, '--arms', 'base', 'two-stages').values()
    first, second = (
        set(tool.differences(base.stages[0].to_dict(), cfg.to_dict())) for cfg in both.stages
    )
    shortened = {
        'train_cfg.max_epochs: 6 -> 3',
        'param_scheduler.0.end: 30 -> 15',
        'param_scheduler.1.T_max: 6 -> 3',
        'param_scheduler.1.end: 6 -> 3',
        'custom_hooks.1.begin: 2 -> 1',
        'custom_hooks.1.interval: 2 -> 1',
    }
    tests = {line for line in first if line.startswith('test_')}
    assert all(line.endswith('-> None') for line in tests)
    assert first - tests - shortened == {
        'model.mask_head: PolarContourHead -> None',
        'model.refine_head: ContourRefineHead -> None',
    }
    seeds = {line for line in second if line.endswith('seed: 0 -> 1000')}
    assert second - seeds - shortened == {'custom_hooks.2: not there -> FreezeModulesHook'}
    assert shortened <= first & second
    # With the first stage's seed it would see the first stage's pairs again.
    assert 'train_dataloader.dataset.seed: 0 -> 1000' in seeds


def test_rays_that_disagree_are_refused(tool):
    options = ['--cfg-options', 'test_evaluator.n_rays=36']
    with pytest.raises(ValueError, match='PolarContourHead 72.*TrackSegMetric 36'):
        jobs_of(tool, '--arms', 'base', *options)


def test_a_default_that_disagrees_is_refused_too(tool, base):
    cfg = Config(base.to_dict())
    del cfg.test_evaluator['n_rays']
    budget = tool.Budget.of(cfg)
    with pytest.raises(ValueError, match='TrackSegMetric 36'):
        tool.stage_configs(cfg, tool.ARMS['base'], budget, 0)


def test_an_arm_that_changes_nothing_is_left_out(tool, capsys):
    options = ['--cfg-options', 'model.head.loss_cls.focus=2.0']
    jobs = jobs_of(tool, '--arms', 'focus-0', 'focus-2', *options)
    assert [run.arm for run in jobs] == ['focus-0']
    assert 'focus-2 is left out' in capsys.readouterr().out


# budgets and seeds


@pytest.mark.parametrize(('epochs', 'pairs'), [(6, 1024), (7, 500), (2, 16)])
def test_budgets_are_equal(tool, epochs, pairs):
    jobs = jobs_of(tool, '--epochs', epochs, '--pairs-per-epoch', pairs)
    assert [run.arm for run in jobs] == ARMS
    assert {tool.count_updates(job.stages) for job in jobs.values()} == {epochs * (pairs // 16)}
    for job in jobs.values():
        assert sum(cfg.train_cfg.max_epochs for cfg in job.stages) == epochs
        for cfg in job.stages:
            data = cfg.train_dataloader.dataset
            assert data.num_composites == data.positives.samples_per_epoch == pairs


def test_the_budget_of_the_config_leaves_it_as_it_is(tool, base):
    [job] = jobs_of(tool, '--arms', 'base').values()
    [cfg] = job.stages
    for part in ('model', 'train_cfg', 'param_scheduler', 'optim_wrapper'):
        assert cfg[part] == base[part]
    mining = dict(cfg.custom_hooks[1])
    assert {name: mining[name] for name in ('begin', 'interval', 'num_picks')} == dict(
        begin=2, interval=2, num_picks=300
    )


def test_schedules_and_mining_keep_their_proportions(tool):
    [job] = jobs_of(tool, '--arms', 'base', '--epochs', 12, '--pairs-per-epoch', 512).values()
    [cfg] = job.stages
    warm_up, cosine = cfg.param_scheduler
    assert (warm_up.begin, warm_up.end) == (0, 30)
    assert (cosine.T_max, cosine.end) == (12, 12)
    assert (cfg.custom_hooks[1].begin, cfg.custom_hooks[1].interval) == (4, 4)


@pytest.mark.parametrize('epochs', [2, 3, 6])
def test_mining_comes_in_time_in_every_stage(tool, epochs):
    for job in jobs_of(tool, '--epochs', epochs).values():
        for cfg in job.stages:
            for hook in tool.nodes_of_type(cfg.custom_hooks, 'HardNegativeMiningHook'):
                assert hook.begin < cfg.train_cfg.max_epochs


def test_all_that_is_random_has_the_seed(tool):
    jobs = jobs_of(tool, '--seeds', 5, 3)
    assert [run.seed for run in jobs] == [5] * len(ARMS) + [3] * len(ARMS)
    for run, job in jobs.items():
        for number, cfg in enumerate(job.stages):
            data = cfg.train_dataloader.dataset
            seeds = [cfg.randomness.seed, data.seed, data.positives.seed, data.negatives.seed]
            for hook in tool.nodes_of_type(cfg.custom_hooks, 'HardNegativeMiningHook'):
                seeds.append(hook.seed)
            assert set(seeds) == {run.seed + 1000 * number}


def test_the_pool_that_is_scored_is_the_one_that_is_drawn_from(tool):
    for job in jobs_of(tool, '--epochs', 3).values():
        for cfg in job.stages:
            for hook in tool.nodes_of_type(cfg.custom_hooks, 'HardNegativeMiningHook'):
                # Without these the hook takes the negatives of the training data.
                assert not {'pool', 'pipeline'} & set(hook)


# training


@pytest.fixture(scope='module')
def out(tool, tiny, tmp_path_factory):
    """A folder in which the base was trained and tested with seed 0."""
    folder = tmp_path_factory.mktemp('out')
    train(tool, tiny, folder, 'base')
    return folder


def train(tool, tiny, out, arm):
    """Do a run in this process; gives its job."""
    [job] = jobs_of(tool, '--config', tiny, '--arms', arm, '--out', out).values()
    tool.prepare(job)
    tool.train_and_test(job.folder, 2)
    return job


@pytest.mark.parametrize(
    'arm', [arm if arm in BUILT else pytest.param(arm, marks=pytest.mark.slow) for arm in ARMS]
)
def test_every_arm_trains_two_iterations_and_is_tested(tool, tiny, out, arm):
    [job] = jobs_of(tool, '--config', tiny, '--arms', arm, '--out', out).values()
    if job.state != tool.DONE:
        train(tool, tiny, out, arm)
    result = tool.RunResult.read(job.folder)
    assert (result.updates, result.pairs) == (2, 4)
    assert result.seconds > 0
    assert {'J', 'F', 'iou', 'ceiling'} <= set(result.metrics)
    assert all(0 <= value <= 1 for value in result.metrics.values())
    report = json.loads((job.folder / 'test.json').read_text())
    assert report['mean']['J'] == pytest.approx(result.metrics['J'])
    assert report['n_rays'] == job.stages[-1].model.mask_head.n_rays
    assert report['crossing'] == ('nearest' if arm == 'nearest' else 'farthest')
    is_mined = bool(list(job.folder.glob('stage_*/mining/round_*.json')))
    assert is_mined == (arm not in UNMINED)
    assert job.state == tool.DONE
    if arm == 'two-stages':
        check_two_stages(job.folder)


def check_two_stages(folder):
    """The second stage keeps the first one's tracker, statistics included, and adds the outline."""
    tracker, whole = (
        torch.load(folder / f'stage_{number}/epoch_1.pth', weights_only=True)['state_dict']
        for number in (1, 2)
    )
    assert {name.split('.')[0] for name in tracker} == {'backbone', 'neck', 'head'}
    for name, value in tracker.items():
        torch.testing.assert_close(whole[name], value, rtol=0, atol=0)
    added = {name: value for name, value in whole.items() if name not in tracker}
    assert {name.split('.')[0] for name in added} == {'mask_head', 'refine_head'}
    assert {int(n) for name, n in added.items() if name.endswith('num_batches_tracked')} == {1}


def test_what_is_done_is_not_repeated_and_the_rest_is(tool, tiny, out, tmp_path, capsys):
    marks = {path: path.stat().st_mtime_ns for path in out.glob('runs/base-*/*')}
    page = tmp_path / 'page.md'
    page.write_text(PAGE)
    arguments = ['--config', tiny, '--out', out, '--arms', 'base', 'no-mining', '--page', page]
    (out / 'runs/no-mining-0/result.json').unlink(missing_ok=True)
    tool.main([str(argument) for argument in arguments])
    printed = capsys.readouterr().out
    assert '2 runs, 1 done before' in printed
    assert {path: path.stat().st_mtime_ns for path in out.glob('runs/base-*/*')} == marks
    log = (out / 'runs/no-mining-0/log.txt').read_text()
    assert 'Epoch(test)' in log
    assert '~t' not in log
    metrics = {
        arm: tool.RunResult.read(out / f'runs/{arm}-0').metrics for arm in ('base', 'no-mining')
    }
    for arm, values in metrics.items():
        [row] = [line for line in printed.splitlines() if line.startswith(f'| {arm} ')]
        assert f'{values["J"]:.3f}' in row
        assert f'{values["iou"]:.3f}' in row
    assert f'{metrics["no-mining"]["J"] - metrics["base"]["J"]:+.3f}' in row
    assert printed.splitlines()[-2] in (out / 'results.txt').read_text()
    assert (out / 'results.md').read_text() in page.read_text()


def test_an_interrupted_run_goes_on_and_ends_the_same(tool, tiny, out):
    arm = 'base'
    folder = out / f'runs/{arm}-0'
    if not (folder / 'result.json').is_file():
        train(tool, tiny, out, arm)
    before = tool.RunResult.read(folder)
    (folder / 'result.json').unlink()
    (folder / 'stage_1/epoch_2.pth').unlink()
    (folder / 'stage_1/last_checkpoint').write_text('/a/former/place/epoch_1.pth')
    [job] = jobs_of(tool, '--config', tiny, '--arms', arm, '--out', out).values()
    assert job.state == tool.BEGUN
    train(tool, tiny, out, arm)
    # The second iteration was done again, the first was not. (Within one process MMEngine goes on
    # writing into the first run's file.)
    logs = folder.glob('stage_1/*/vis_data/scalars.json')
    assert sorted(step for log in logs for step in steps_in(log)) == [1, 2, 2]
    after = tool.RunResult.read(folder)
    assert after.metrics == pytest.approx(before.metrics, abs=1e-6)
    assert (after.updates, after.pairs, after.seconds) == (2, 4, None)


def steps_in(log):
    records = [json.loads(line) for line in log.read_text().splitlines()]
    return [record['step'] for record in records if 'loss' in record]


def test_a_finished_stage_is_not_trained_again(tool, tiny, out):
    folder = out / 'runs/two-stages-0'
    if not (folder / 'result.json').is_file():
        train(tool, tiny, out, 'two-stages')
    first = (folder / 'stage_1/epoch_1.pth').stat().st_mtime_ns
    (folder / 'result.json').unlink()
    (folder / 'stage_2/epoch_1.pth').unlink()
    (folder / 'stage_2/last_checkpoint').unlink()
    train(tool, tiny, out, 'two-stages')
    assert (folder / 'stage_1/epoch_1.pth').stat().st_mtime_ns == first
    assert len(list((folder / 'stage_1').glob('*/vis_data'))) == 1
    assert tool.RunResult.read(folder).updates == 2
    check_two_stages(folder)


def test_a_run_with_other_settings_is_done_anew(tool, tiny, out, tmp_path):
    shutil.copytree(out, tmp_path / 'copy')
    arguments = ['--config', tiny, '--arms', 'base', '--out', tmp_path / 'copy']
    [same] = jobs_of(tool, *arguments).values()
    assert same.state == tool.DONE
    [other] = jobs_of(tool, *arguments, '--epochs', 3).values()
    assert other.state == tool.OUTDATED
    tool.prepare(other)
    assert other.state == tool.BEGUN
    assert not list((tmp_path / 'copy/runs/base-0').rglob('*.pth'))


@pytest.mark.slow
def test_failed_runs_are_named(tool, tiny, tmp_path, capsys):
    options = ['--cfg-options', 'model.backbone.type=NoSuchNet']
    with pytest.raises(SystemExit, match='1 runs failed .base-0.'):
        tool.main(['--config', str(tiny), '--out', str(tmp_path), '--arms', 'base', *options])
    assert 'NoSuchNet' in capsys.readouterr().out
    assert not (tmp_path / 'results.md').exists()


# tables

PAGE = """# Ablations

<!-- ablation table: begin -->
| an | old | table |
<!-- ablation table: end -->

The end.
"""


@pytest.fixture
def fabricated(tool):
    """Results whose means, deviations and differences are plain."""

    def result(j, iou, updates=384):
        metrics = dict(J=j, F=j - 0.125, iou=iou, precision=0.9)
        return tool.RunResult(updates, 16 * updates, None, metrics)

    return dict(
        squared={1: result(0.5, 0.75)},
        nearest={0: result(0.25, 0.75), 1: result(0.75, 0.25), 2: result(0.5, 0.5)},
        base={0: result(0.5, 0.5), 1: result(0.625, 0.5)},
    )


@pytest.fixture
def tables(tool, fabricated, tmp_path):
    text = tool.write_tables(tmp_path, fabricated, dict(config='a.py'))
    assert (tmp_path / 'results.txt').read_text() == text + '\n'
    return tmp_path


def test_table_for_the_terminal(tables):
    rows = [
        [cell.strip() for cell in line.strip('|').split('|')]
        for line in (tables / 'results.txt').read_text().splitlines()
        if line.startswith('| ')
    ]
    assert rows == [
        ['arm', 'J', 'F', 'iou', 'J - base', 'seeds'],
        # The deviation of .5 and .625 is .125 / sqrt(2).
        ['base', '0.562 ± 0.088', '0.438 ± 0.088', '0.500 ± 0.000', '', '2'],
        # Differences by seed: -.25 and +.125; the base has no seed 2.
        ['nearest', '0.500 ± 0.250', '0.375 ± 0.250', '0.500 ± 0.250', '-0.062 ± 0.265', '3'],
        ['squared', '0.500', '0.375', '0.750', '-0.125', '1'],
    ]


def test_table_for_a_spreadsheet(tables):
    with (tables / 'results.csv').open(newline='') as file:
        base, nearest, squared = csv.DictReader(file)
    assert base['arm'] == 'base'
    assert float(base['J_mean']) == 0.5625
    assert float(base['J_std']) == pytest.approx(0.125 / math.sqrt(2), abs=1e-6)
    assert base['difference_mean'] == base['difference_std'] == ''
    assert nearest['seeds'] == '3'
    assert float(nearest['difference_mean']) == -0.0625
    assert (squared['J_mean'], squared['J_std']) == ('0.500000', '')
    assert 'precision_mean' not in base


def test_json_has_every_run(tables, tool):
    report = json.loads((tables / 'results.json').read_text())
    assert (report['config'], report['compared_metric']) == ('a.py', 'J')
    nearest = report['arms'][1]
    assert nearest['question'] == tool.ARMS['nearest'].question
    assert nearest['metrics']['J'] == dict(mean=0.5, std=0.25)
    assert nearest['difference']['mean'] == -0.0625
    assert [run['seed'] for run in nearest['runs']] == [0, 1, 2]
    assert nearest['runs'][1]['metrics']['precision'] == 0.9
    assert report['arms'][2]['metrics']['J'] == dict(mean=0.5, std=None)


def test_fragment_for_a_page(tables, tool):
    lines = (tables / 'results.md').read_text().splitlines()
    assert lines[0] == '| arm | what it asks | J | F | box IoU | J minus that of `base` |'
    assert {line.count('|') for line in lines[:5]} == {7}
    question = tool.ARMS['squared'].question
    assert lines[4] == f'| `squared` | {question} | 0.500 | 0.375 | 0.750 | -0.125 |'
    assert lines[6] == (
        'Each run: 384 updates with 6144 pairs. Mean ± sample standard deviation over the seeds '
        '0, 1, 2; differences are taken seed by seed.'
    )


def test_one_seed_says_that_its_spread_is_unknown(tool, fabricated, tmp_path):
    tool.write_tables(tmp_path, dict(squared=fabricated['squared']), {})
    assert 'One seed (1): nothing is known' in (tmp_path / 'results.md').read_text()


def test_boxes_are_compared_where_there_are_no_masks(tool, fabricated):
    for runs in fabricated.values():
        for run in runs.values():
            del run.metrics['J'], run.metrics['F']
    assert tool.compared_metric(fabricated) == 'iou'
    fabricated['base'][0].metrics.clear()
    with pytest.raises(ValueError, match='none of the metrics'):
        tool.compared_metric(fabricated)


def test_runs_with_another_budget_are_not_compared(tool, fabricated, tmp_path):
    fabricated['squared'][1] = tool.RunResult(400, 6400, None, dict(J=0.5))
    with pytest.raises(ValueError, match='squared-1 400 with 6400'):
        tool.write_tables(tmp_path, fabricated, {})


def test_a_page_gets_the_table_between_its_marks(tool, tmp_path):
    page = tmp_path / 'page.md'
    page.write_text(PAGE)
    for fragment in ('| first |\n', '| second |\n'):
        page.write_text(tool.MarkedPart(page, tool.PAGE_PARTS['Ocean']).replaced(fragment))
        assert page.read_text() == PAGE.replace('| an | old | table |\n', fragment)


def test_a_page_without_marks_is_refused_before_anything_is_trained(tool, tiny, tmp_path, capsys):
    page = tmp_path / 'page.md'
    page.write_text('# Ablations')
    arguments = ['--config', tiny, '--out', tmp_path / 'out', '--arms', 'base', '--page', page]
    with pytest.raises(SystemExit):
        tool.main([str(argument) for argument in arguments])
    assert 'must have the lines' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


# the command


def test_list_says_what_each_arm_asks(tool, capsys):
    tool.main(['--list'])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(tool.ARMS)
    for line, arm in zip(lines, tool.ARMS.values(), strict=True):
        assert line.endswith(arm.question)


def test_dry_run_shows_changes_budgets_and_what_is_done(tool, tiny, out, capsys):
    arguments = ['--config', tiny, '--out', out, '--arms', 'base', 'rays-36', '--seeds', 0, 7]
    before = sorted(out.rglob('*'))
    tool.main(['--dry-run', *(str(argument) for argument in arguments)])
    base, rays = capsys.readouterr().out.strip().split('\n\n')
    assert base.splitlines() == [
        f'base: {tool.ARMS["base"].question}',
        '  2 updates with 4 pairs; seed 0 done, seed 7 to do',
    ]
    assert '    test_evaluator.n_rays: 72 -> 36' in rays.splitlines()
    assert 'seed: ' not in rays
    assert sorted(out.rglob('*')) == before


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--seeds', '-1'], '--seeds must not be negative, got -1'),
        (['--epochs', '0'], '--epochs must be at least 1, got 0'),
        (['--pairs-per-epoch', '0'], '--pairs-per-epoch must be at least 1, got 0'),
        (['--epochs', '1'], 'two-stages needs at least 2 epochs, got 1'),
        (['--pairs-per-epoch', '15'], '15 pairs an epoch are less than a batch of 16'),
        (['--config', 'none.py'], 'no config at none.py'),
        (['--cfg-options', 'test_evaluator.type=OPEMetric'], 'must be, or hold, a TrackSegMetric'),
        (['--cfg-options', 'train_dataloader.dataset.type=Other'], 'train_dataloader has a Other'),
    ],
)
def test_what_cannot_work_is_explained(tool, capsys, arguments, message):
    with pytest.raises(SystemExit) as error:
        tool.main(['--dry-run', *arguments])
    assert error.value.code == 2
    assert message in capsys.readouterr().err


def test_page_lists_the_arms_and_has_room_for_the_table(tool, base):
    page = ROOT / 'docs/ablations.md'
    text = page.read_text()
    for arm in tool.ARMS.values():
        assert f'| `{arm.name}` | {arm.question} |' in text
    budget = tool.Budget.of(base)
    assert f'{budget.epochs} epochs of {budget.pairs_per_epoch} pairs' in text
    head, tail = tool.MarkedPart(page, tool.PAGE_PARTS['Ocean']).split()
    assert '## Results' in head
    assert '## How to read the table' in tail


def test_help_teaches(tool, capsys):
    assert '--dry-run --arms rays-18 two-stages' in help_of(tool, capsys)
