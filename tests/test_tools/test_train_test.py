"""tools/train.py and tools/test.py as a user runs them."""

import json
import logging
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from scripts import load_script
from torch import nn

import mmpolar.registry  # noqa: F401  (lets checkpoints be read)

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


def load_tool(name):
    return load_script(TOOLS / f'{name}.py')


@pytest.fixture(scope='module')
def trained(toy_project):
    """The project after two epochs."""
    done = toy_project.run_tool('train.py', 'toy.py')
    assert done.returncode == 0, done.stderr
    return toy_project


def learned_left(path):
    """The answer of the model in a checkpoint; 10 is right."""
    return float(torch.load(path, weights_only=True)['state_dict']['corner'])


def test_train_writes_to_work_dir_named_after_the_config(trained):
    assert learned_left(trained.folder / 'work_dirs/toy/epoch_2.pth') == pytest.approx(10, abs=2)


def test_train_resumes_and_takes_options(trained):
    done = trained.run_tool(
        'train.py', 'toy.py', '--resume', '--cfg-options', 'train_cfg.max_epochs=3'
    )
    assert done.returncode == 0, done.stderr
    assert 'resumed epoch: 2, iter: 12' in done.stdout
    before = learned_left(trained.folder / 'work_dirs/toy/epoch_2.pth')
    after = learned_left(trained.folder / 'work_dirs/toy/epoch_3.pth')
    assert abs(after - 10) < abs(before - 10)


def test_test_measures_the_checkpoint_and_writes_results(trained, capsys, monkeypatch):
    checkpoint = 'work_dirs/toy/epoch_2.pth'
    done = trained.run_tool(
        'test.py',
        'toy.py',
        checkpoint,
        '--work-dir',
        'tested',
        '--out',
        'out',
        '--show-dir',
        'shown',
    )
    assert done.returncode == 0, done.stderr
    [report] = trained.folder.glob('tested/*/*.json')
    metrics = json.loads(report.read_text())
    left = learned_left(trained.folder / checkpoint)
    assert metrics['toy/left'] == pytest.approx(left, abs=1e-4)
    assert metrics['toy/frames'] == 6
    lines = (trained.folder / 'out/boxes/video1.txt').read_text().splitlines()
    assert len(lines) == 3
    assert float(lines[2].split(',')[0]) == pytest.approx(left + 0.5, abs=1e-3)
    assert len(list((trained.folder / 'shown').rglob('video*.png'))) == 2
    monkeypatch.syspath_prepend(Path(__file__).parent)
    again = [trained.config, str(trained.folder / checkpoint), '--out', str(trained.folder / 'out')]
    line = exit_line(load_tool('test'), again, capsys)
    assert 'out holds results of an older test' in line


def test_test_makes_a_submission_from_options_alone(trained):
    done = trained.run_tool(
        'test.py',
        'toy.py',
        'work_dirs/toy/epoch_2.pth',
        '--cfg-options',
        'test_evaluator._delete_=True',
        'test_evaluator.type=DumpSubmission',
        'test_evaluator.benchmark=trackingnet',
        'test_evaluator.out_dir=submitted',
    )
    assert done.returncode == 0, done.stderr
    assert 'submission submitted/trackingnet.zip: 0 errors, 0 notes' in done.stdout
    with zipfile.ZipFile(trained.folder / 'submitted/trackingnet.zip') as archive:
        assert archive.namelist() == ['video0.txt', 'video1.txt']
        lines = archive.read('video1.txt').decode().splitlines()
    assert lines == (trained.folder / 'submitted/boxes/video1.txt').read_text().splitlines()


@pytest.mark.parametrize(('benchmark', 'keeps'), [('davis2017', True), ('got10k', False)])
def test_a_submission_leaves_metrics_out_where_the_ground_truth_is_withheld(benchmark, keeps):
    cfg = Config(dict(test_evaluator=dict(type='A')))
    load_tool('test').add_results_dump(cfg, 'results', benchmark)
    dump = dict(type='DumpSubmission', out_dir='results', benchmark=benchmark)
    assert cfg.test_evaluator == ([dict(type='A'), dump] if keeps else [dump])


def test_a_submission_needs_a_folder_for_the_results(capsys):
    line = exit_line(load_tool('test'), ['c.py', 'c.pth', '--submission', 'got10k'], capsys)
    assert '--submission is made from the results that --out DIR writes' in line


def test_test_refuses_a_checkpoint_of_another_model(tmp_path, capsys):
    checkpoint = tmp_path / 'other.pth'
    torch.save(dict(state_dict=nn.Linear(2, 3).state_dict()), checkpoint)
    runner = SimpleNamespace(model=nn.Linear(5, 3), logger=logging.getLogger())
    with pytest.raises(SystemExit) as stopped:
        load_tool('test').load_checkpoint(runner, str(checkpoint))
    assert stopped.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert str(checkpoint) in line
    assert 'weight (3x2 in the file, 3x5 in the model)' in line


@pytest.mark.parametrize('name', ['train', 'test'])
def test_missing_config_is_one_line_and_code_2(name, tmp_path, capsys):
    arguments = [str(tmp_path / 'none.py')] + (['x.pth'] if name == 'test' else [])
    assert exit_line(load_tool(name), arguments, capsys).startswith(
        f'error: no config at {tmp_path}/none.py; '
    )


def test_config_that_does_not_parse_names_the_file(tmp_path, capsys):
    config = tmp_path / 'broken.py'
    config.write_text('model = dict(\n')
    line = exit_line(load_tool('train'), [str(config)], capsys)
    assert line.startswith(f'error: cannot read the config {config}: ')


def test_config_without_training_names_what_is_absent(tmp_path, capsys):
    config = tmp_path / 'only_model.py'
    config.write_text("model = dict(type='x')\ntrain_cfg = dict()\n")
    line = exit_line(load_tool('train'), [str(config)], capsys)
    assert 'has no train_dataloader, optim_wrapper, which training needs' in line


def test_missing_checkpoint_says_where_they_are(toy_project, capsys, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    line = exit_line(load_tool('test'), [toy_project.config, 'none.pth'], capsys)
    assert line.startswith('error: no checkpoint at none.pth; ')
    assert 'work_dirs' in line


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--resume', 'none.pth'], 'no checkpoint at none.pth'),
        (['--auto-scale-lr'], 'needs auto_scale_lr.base_batch_size'),
        (['--cfg-options', 'train_cfg.max_epochs'], "takes key=value, got 'train_cfg.max_epochs'"),
        (['--launcher', 'slurm'], '--launcher slurm needs CUDA'),
    ],
)
def test_train_explains_arguments_that_cannot_work(
    toy_project, capsys, monkeypatch, arguments, message
):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    assert message in exit_line(load_tool('train'), [toy_project.config, *arguments], capsys)


@pytest.mark.parametrize(
    ('has_cuda', 'wrapper'), [(True, 'AmpOptimWrapper'), (False, 'Bfloat16OptimWrapper')]
)
def test_amp_fits_the_device(monkeypatch, has_cuda, wrapper):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: has_cuda)
    cfg = Config(dict(optim_wrapper=dict(type='OptimWrapper')))
    load_tool('train').enable_amp(cfg)
    assert cfg.optim_wrapper.type == wrapper


def test_resume_takes_a_path_or_the_newest(tmp_path):
    checkpoint = tmp_path / 'epoch_1.pth'
    checkpoint.touch()
    cfg = Config(dict(work_dir=str(tmp_path), load_from='pretrained.pth'))
    load_tool('train').set_resume(cfg, str(checkpoint))
    assert (cfg.resume, cfg.load_from) == (True, str(checkpoint))
    load_tool('train').set_resume(cfg, 'auto')
    assert (cfg.resume, cfg.load_from) == (True, None)


def test_where_there_is_nothing_to_resume_the_training_starts_from_its_weights(tmp_path):
    cfg = Config(dict(work_dir=str(tmp_path / 'new'), resume=False, load_from='mmpolar://one'))
    load_tool('train').set_resume(cfg, 'auto')
    assert (cfg.resume, cfg.load_from) == (False, 'mmpolar://one')


def test_out_and_show_dir_keep_what_the_config_has():
    tool = load_tool('test')
    cfg = Config(dict(test_evaluator=dict(type='A'), custom_hooks=[dict(type='H')]))
    tool.add_results_dump(cfg, 'results')
    tool.add_visualization(cfg, 'shown')
    assert cfg.test_evaluator == [dict(type='A'), dict(type='DumpTrackResults', out_dir='results')]
    assert cfg.custom_hooks == [
        dict(type='H'),
        dict(type='TrackVisualizationHook', out_dir='shown'),
    ]


def exit_line(tool, arguments, capsys):
    """The last line on stderr of a tool that ends with code 2."""
    with pytest.raises(SystemExit) as stopped:
        tool.main(arguments)
    assert stopped.value.code == 2
    return capsys.readouterr().err.strip().splitlines()[-1]
