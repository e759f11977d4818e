"""From the checkpoint of a training to a file that needs nothing beside it."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from scripts import load_script
from small_export import CONFIG, small_tracker

from mmpolar.utils.checkpoints import read_release_checkpoint

tool = load_script(Path(__file__).parents[2] / 'tools/model_converters/publish_model.py')
SAID = [
    '--data',
    'clips',
    '--machine',
    'a small one',
    '--training-time',
    '1 h',
    '--licence',
    'none',
]


def training_checkpoint(path, **changes):
    """What MMEngine writes; changes go into its meta data."""
    cfg = Config.fromfile(CONFIG)
    cfg.work_dir = '/home/someone/work_dirs/small'
    cfg.train_dataloader.dataset.datasets[0].data_root = '/home/someone/clips'
    meta = dict(
        epoch=3,
        iter=30,
        seed=7,
        time='20261125_190639',
        experiment_name='small_ocean_20261125_185807',
        cfg=cfg.pretty_text,
    )
    weights = small_tracker().model.state_dict()
    latest = {f'module.{name}': value + 1 for name, value in weights.items()}
    content = dict(meta=meta | changes, state_dict=weights, ema_state_dict=latest, optimizer={})
    torch.save(content, path)
    return path


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    return training_checkpoint(tmp_path_factory.mktemp('training') / 'epoch_3.pth')


@pytest.fixture
def publish(tmp_path):
    def call(checkpoint, *more):
        tool.main([str(checkpoint), '--out', str(tmp_path), *SAID, *more])
        [path] = tmp_path.glob('*.pth')
        return path

    return call


def test_training_checkpoint_becomes_a_published_one(checkpoint, publish, capsys):
    path = publish(checkpoint)
    assert path.name == 'small_ocean.pth'
    published = read_release_checkpoint(path)
    assert published.facts.averaged
    assert (published.facts.epochs, published.facts.seed) == (3, 7)
    assert (published.facts.data, published.facts.licence) == ('clips', 'none')
    assert published.config.train_dataloader.dataset.datasets[0].data_root == 'data/clips'
    assert b'someone' not in path.read_bytes()
    said = capsys.readouterr().out
    assert published.weights_sha256 in said
    assert 'float16 changes at most: scores' in said


def test_weights_are_the_average_with_batch_norm_untouched(checkpoint, publish):
    weights = torch.load(publish(checkpoint), weights_only=True)['state_dict']
    model = small_tracker().model
    norms = tool.batch_norm_names(model)
    assert len(norms) > 50
    for name, value in model.state_dict().items():
        exact = name in norms or not value.is_floating_point()
        assert torch.equal(weights[name], value if exact else value.half()), name


def test_config_may_be_another_one_with_changes(checkpoint, publish):
    path = publish(checkpoint, '--config', str(CONFIG), '--cfg-options', 'model.test_cfg.lr=0.25')
    assert read_release_checkpoint(path).config.model.test_cfg.lr == 0.25


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(experiment_name='20261125_185807'), 'give it with --config'),
        (dict(cfg='import os'), 'no config of plain values'),
        (dict(cfg='a = 1'), 'no checkpoint of an Ocean tracker'),
        (dict(epoch=None), 'does not tell epochs'),
    ],
)
def test_unusable_checkpoint_is_told_in_one_line(tmp_path, publish, capsys, changes, message):
    checkpoint = training_checkpoint(tmp_path / 'epoch.ckpt', **changes)
    with pytest.raises(SystemExit) as caught:
        publish(checkpoint)
    assert caught.value.code == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert line.startswith('error: ')
    assert message in line
    assert not list(tmp_path.glob('*.pth'))


def test_weights_that_float16_spoils_are_not_published(checkpoint, publish, tmp_path, capsys):
    content = torch.load(checkpoint, weights_only=True)
    # Large numbers that cancel: their difference drowns in the rounding.
    content['state_dict']['head.bbox_pred.weight'] *= 2e4
    broken = tmp_path / 'broken.ckpt'
    torch.save(content, broken)
    with pytest.raises(SystemExit):
        publish(broken)
    assert 'float16 changes the' in capsys.readouterr().err
    assert not list(tmp_path.glob('*.pth'))


def test_file_that_is_not_there_is_named(publish, tmp_path, capsys):
    with pytest.raises(SystemExit):
        publish(tmp_path / 'gone.ckpt')
    assert 'no checkpoint at' in capsys.readouterr().err


@pytest.mark.parametrize('name', ['../escaped', '/abs/escaped', 'a\\b', '..'])
def test_a_name_in_the_checkpoint_never_leads_out_of_the_folder(tmp_path, capsys, name):
    path = training_checkpoint(tmp_path / 'e.pth', experiment_name=f'{name}_20261125_185807')
    with pytest.raises(SystemExit):
        tool.main([str(path), '--out', str(tmp_path / 'out'), *SAID])
    assert 'cannot name a file' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [path]


def test_the_checkpoint_itself_is_never_written_over(tmp_path, capsys):
    path = training_checkpoint(tmp_path / 'e.pth')
    before = path.read_bytes()
    with pytest.raises(SystemExit):
        tool.main([str(path), '--out', str(path), *SAID])
    assert 'would write over the checkpoint' in capsys.readouterr().err
    assert path.read_bytes() == before
