"""python -m benchmarks.hard_negatives on a handful of generated images."""

import json
from pathlib import Path

import cv2
import pytest
from mmengine.config import Config
from scripts import help_of, load_script
from tiny_experiment import TINY

from benchmarks import hard_negatives

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def tool():
    return hard_negatives


@pytest.fixture(scope='module')
def out(tool, tmp_path_factory):
    """Two runs of the experiment, on 10 generated positives and 40 negatives."""
    out = tmp_path_factory.mktemp('experiment')
    maker = load_script(ROOT / 'tools' / 'dataset_converters' / 'make_hard_negative_data.py')
    maker.main(['--out', str(out / 'data'), '--positives', '10', '--negatives', '40'])
    tool.main(arguments(out))
    return out


def arguments(out, *more):
    chosen = ['--seeds', '3', '--arms', 'none', 'mined', '--composites', 'stitch', *more]
    return ['--out', str(out), *chosen, *TINY]


def test_each_run_makes_the_updates_and_mines_if_it_is_to(out):
    results = json.loads((out / 'results.json').read_text())
    runs = {run['arm']: run for run in results['runs']}
    assert set(runs) == {'none', 'mined'}
    assert {run['updates'] for run in runs.values()} == {4}
    assert runs['none']['mining'] == []
    [mined] = runs['mined']['mining']
    assert mined['num_picks'] == mined['num_new'] == 5
    assert results['data']['counts']['test']['negatives'] == dict(generated=16)


def test_values_are_those_of_the_scores(out):
    results = json.loads((out / 'results.json').read_text())
    for run in results['runs']:
        folder = out / 'runs' / f'{run["composites"]}-{run["arm"]}-{run["seed"]}'
        rows = [line.split(',') for line in (folder / 'test.csv').read_text().splitlines()[1:]]
        images = [(int(target), float(score)) for _, target, score in rows]
        assert len(images) == 20
        recall, alarms = [], {0.8: [], 0.95: []}
        for threshold in {score for _, score in images}:
            hits = sum(target for target, score in images if score >= threshold)
            false = sum(1 - target for target, score in images if score >= threshold)
            recall += [hits / 4] if hits >= 0.8 * (hits + false) else []
            for wanted, counts in alarms.items():
                counts += [false] if hits >= wanted * 4 else []
        assert run['recall_at_precision'] == max(recall, default=0)
        expected = [min(counts) / 16 * 10_000 for counts in alarms.values()]
        assert run['false_alarms_at_recall'] == pytest.approx(expected)
        assert sum(run['alarms_by_set'].values()) == min(alarms[0.8])


def test_results_are_told_in_a_table_and_a_plot(tool, out):
    text = (out / 'results.md').read_text()
    for arm in ('none', 'mined'):
        assert f'| stitch | {tool.ARMS[arm].meaning} |' in text
    assert 'recall 0.8 | false alarms per 10,000 at recall 0.95 | average' in text
    assert 'generated (16)' in text
    plot = cv2.imread(str(out / 'results.png'))
    assert plot.shape[1] > plot.shape[0] > 300
    assert plot.std() > 10


def test_done_runs_are_not_repeated_but_changed_ones_are(tool, out, capsys, tmp_path):
    marks = {path: path.stat().st_mtime_ns for path in out.glob('runs/*/done.json')}
    tool.main(arguments(out))
    assert '2 runs, 2 of them done before' in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in out.glob('runs/*/done.json')} == marks
    args = tool.parse_args(arguments(out))
    assert tool.write_config(tool.Run('stitch', 'mined', 3), args) is None
    args.cfg_options['custom_hooks.0.num_picks'] = 7
    args.out = tmp_path
    assert tool.write_config(tool.Run('stitch', 'mined', 3), args).is_file()


def test_arms_differ_in_the_negatives_alone(tool, tmp_path):
    args = tool.parse_args(['--out', str(tmp_path)])
    for composites in tool.CONFIGS:
        configs = {
            arm: tool.config_of(tool.Run(composites, arm, 1), args).to_dict()
            for arm in tool.DEFAULT_ARMS
        }
        hooks = {arm: config.pop('custom_hooks') for arm, config in configs.items()}
        assert hooks['none'] == hooks['all'] == []
        assert 'selection' not in hooks['mined'][0]
        assert hooks['random'] == [dict(hooks['mined'][0], selection='random')]
        for config in configs.values():
            assert config.pop('work_dir')
            assert config['test_evaluator'].pop('out_file')
        data = configs['none']['train_dataloader']['dataset']
        assert (data['num_negatives'], data['negatives']) == (0, None)
        data.update({k: configs['all']['train_dataloader']['dataset'][k] for k in data})
        assert configs['none'] == configs['all'] == configs['random'] == configs['mined']


def test_further_arms_change_what_they_say(tool, tmp_path):
    args = tool.parse_args(['--out', str(tmp_path)])
    configs = {arm: tool.config_of(tool.Run('stitch', arm, 1), args) for arm in tool.ARMS}
    mined = configs['mined']
    assert configs['sampled'].custom_hooks[0].selection == 'sampled'
    assert configs['newest'].custom_hooks[0].keep_rounds == 0 < mined.custom_hooks[0].keep_rounds
    assert configs['mixed'].train_dataloader.dataset.mined_share == 0.5
    assert configs['easing'].train_dataloader.dataset.mined_share == [1.0, 0.5, 0.25]
    assert configs['weighted'].model.bbox_head.loss_obj == dict(
        mined.model.bbox_head.loss_obj, loss_weight=0.5
    )
    for arm, loss in (('focal', 'FocalLoss'), ('ohem', 'mmpolar.OHEMBCELoss')):
        assert configs[arm].model.bbox_head.loss_obj.type == loss
        assert 'reduction' not in configs['ohem'].model.bbox_head.loss_obj
        assert configs[arm].custom_hooks == []
    shown = {arm: images_of(config) for arm, config in configs.items()}
    for arm in ('plain', 'plain_mixed', 'plain_all'):
        assert shown[arm] == shown['mined'] == (16, 16)
    assert shown['background'] == (16, 2)


def images_of(config):
    """Positives and negatives that an update shows."""
    loader = config.train_dataloader
    data = loader.dataset
    assert data.num_composites == loader.batch_size * 80
    return loader.batch_size * data.num_positives, loader.batch_size * data.num_negatives


def test_detectors_differ_in_the_model_alone(tool):
    yolox, rtmdet = (tool.parse_args(['--detector', name]) for name in tool.DETECTORS)
    assert (rtmdet.composites, rtmdet.out.name) == (['stitch'], 'hard_negative_rtmdet')
    run = tool.Run('stitch', 'mined', 1)
    yolox.out = rtmdet.out
    yolox.data_root = rtmdet.data_root
    one, other = (tool.config_of(run, args).to_dict() for args in (yolox, rtmdet))
    models = one.pop('model'), other.pop('model')
    assert one == other
    assert [model['type'] for model in models] == ['YOLOX', 'RTMDet']
    for name in ('backbone', 'neck', 'data_preprocessor'):
        assert models[0][name] == models[1][name]


@pytest.mark.slow
def test_another_detector_trains_and_is_judged(tool, out, tmp_path):
    chosen = ['--detector', 'rtmdet', '--seeds', '3', '--arms', 'mined', *TINY]
    tool.main(['--out', str(tmp_path), '--data-root', str(out / 'data'), *chosen])
    [run] = json.loads((tmp_path / 'results.json').read_text())['runs']
    assert len(run['mining']) == 1
    assert run['average_precision'] > 0


@pytest.mark.slow
def test_every_further_arm_trains_and_is_judged(tool, out, tmp_path):
    arms = [arm for arm in tool.ARMS if arm not in tool.DEFAULT_ARMS]
    chosen = ['--seeds', '3', '--composites', 'stitch', '--arms', *arms]
    tool.main(['--out', str(tmp_path), '--data-root', str(out / 'data'), *chosen, *TINY])
    runs = {run['arm']: run for run in json.loads((tmp_path / 'results.json').read_text())['runs']}
    assert set(runs) == set(arms)
    assert {arm for arm in arms if runs[arm]['mining']} == {
        *('sampled', 'mixed', 'easing', 'newest', 'weighted', 'plain', 'plain_mixed')
    }
    assert all(run['average_precision'] > 0 for run in runs.values())


def test_composites_of_both_kinds_show_equally_many_images(tool):
    shown = []
    for path in tool.CONFIGS.values():
        loader = Config.fromfile(path).train_dataloader
        data = loader.dataset
        assert data.num_composites % loader.batch_size == 0
        updates = data.num_composites // loader.batch_size
        counts = (data.num_positives, data.num_negatives)
        shown.append((updates, *(loader.batch_size * count for count in counts)))
    assert len(set(shown)) == 1


def test_failed_runs_are_named_and_the_others_counted(tool, out, tmp_path, capsys):
    broken = ['--out', str(tmp_path), '--data-root', str(out / 'data'), '--seeds', '0']
    broken += ['--arms', 'none', '--composites', 'stitch', '--cfg-options']
    with pytest.raises(SystemExit, match='stitch-none-0'):
        tool.main([*broken, 'model.backbone.type=NoSuchNet'])
    assert 'NoSuchNet' in capsys.readouterr().out
    assert not (tmp_path / 'results.md').exists()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--jobs', '0'], '--jobs must be at least 1'),
        (['--recall', '0.8', '1.5'], '--recall must be above 0'),
        (['--detector', 'rtmdet', '--arms', 'mined', 'focal'], 'rtmdet does not go with focal'),
        (['--detector', 'rtmdet', '--composites', 'overlay'], 'rtmdet does not go with overlay'),
        (['--seeds', '-1'], '--seeds must not be negative'),
    ],
)
def test_wrong_options_are_explained(tool, capsys, options, message):
    with pytest.raises(SystemExit) as error:
        tool.main(options)
    assert error.value.code == 2
    assert message in capsys.readouterr().err


def test_photographs_are_not_mixed_up_with_generated_images(tool, out, tmp_path, capsys):
    with pytest.raises(SystemExit):
        tool.main(['--out', str(out), '--data', str(tmp_path)])
    assert 'holds generated images alone' in capsys.readouterr().err


def test_help_teaches(tool, capsys):
    text = help_of(tool, capsys)
    for arm in tool.DEFAULT_ARMS:
        assert f'  {arm} ' in text
    for arm in tool.ARMS:
        assert arm in text
    assert '--data data/natural' in text
