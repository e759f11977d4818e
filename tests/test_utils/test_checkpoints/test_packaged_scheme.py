"""A training starts from a trained tracker by name."""

import json

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader

from mmpolar.model_zoo import (
    DEFAULT_MODEL,
    FOLDER_VARIABLE,
    PACKAGE_FOLDER,
    ModelNotFoundError,
    find_checkpoint,
    find_model_folder,
)
from mmpolar.utils.checkpoints import CheckpointReadError, read_checkpoint
from mmpolar.utils.shared_values import load_config

TINY = 'ocean-polar_effnet-lite0-tiny_natural'
OWN_DATA = 'configs/ocean_polar/ocean-polar_effnet-lite0_own-data.py'


def test_name_gives_the_weights_of_the_packaged_file():
    loaded = CheckpointLoader.load_checkpoint(f'mmpolar://{TINY}', map_location='cpu')
    weights = read_checkpoint(find_checkpoint(TINY))['state_dict']
    assert loaded['meta']['name'] == TINY
    assert loaded['state_dict'].keys() == weights.keys()
    for name, value in loaded['state_dict'].items():
        assert value.dtype in (torch.float32, torch.int64)
        assert torch.equal(value, weights[name].to(value.dtype))


def test_without_a_name_it_is_the_default_model():
    assert CheckpointLoader.load_checkpoint('mmpolar://')['meta']['name'] == DEFAULT_MODEL


def test_own_models_come_first(tmp_path, monkeypatch):
    content = torch.load(find_checkpoint(TINY), weights_only=True)
    content['meta'].pop('weights_sha256')
    content['state_dict'] = {'head.x': torch.ones(1, dtype=torch.float16)}
    torch.save(content, tmp_path / f'{TINY}.pth')
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert list(CheckpointLoader.load_checkpoint(f'mmpolar://{TINY}')['state_dict']) == ['head.x']


def test_unknown_name_lists_those_there_are():
    with pytest.raises(ModelNotFoundError, match=TINY):
        CheckpointLoader.load_checkpoint('mmpolar://ocean-of-dreams')


def test_changed_weights_are_refused(tmp_path, monkeypatch):
    content = torch.load(PACKAGE_FOLDER / f'{TINY}.pth', weights_only=True)
    next(iter(content['state_dict'].values())).add_(1)
    torch.save(content, tmp_path / 'changed.pth')
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(CheckpointReadError):
        CheckpointLoader.load_checkpoint('mmpolar://changed')


def test_training_on_own_data_starts_from_the_packaged_tracker(tmp_path):
    cfg = load_config(OWN_DATA)
    sections = ('model', 'load_from', 'default_scope')
    cfg = Config({name: cfg[name] for name in sections} | dict(work_dir=str(tmp_path)))
    assert cfg.load_from == f'mmpolar://{DEFAULT_MODEL}'
    cfg.model.backbone.init_cfg = None
    runner = Runner.from_cfg(cfg)
    runner.load_or_resume()
    weights = read_checkpoint(find_checkpoint(DEFAULT_MODEL))['state_dict']
    for name, value in runner.model.state_dict().items():
        if name in weights:
            torch.testing.assert_close(value, weights[name].to(value.dtype), rtol=0, atol=0)
    missing = set(runner.model.state_dict()) - set(weights)
    assert not [name for name in missing if not name.endswith('num_batches_tracked')]


def test_a_tracker_of_own_data_knows_when_it_is_lost_as_the_packaged_one_does():
    packaged = json.loads((find_model_folder(DEFAULT_MODEL) / 'model.json').read_text())
    model = load_config(OWN_DATA).model
    for name in ('score_slope', 'score_offset', 'lost_score', 'found_score'):
        assert model.test_cfg[name] == packaged['params'][name], name
    assert dict(model.mask_stage.params.presence) == packaged['mask_params']['presence']
