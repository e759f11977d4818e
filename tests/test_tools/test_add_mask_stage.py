"""A released tracker with the mask stage of a training."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from scripts import load_script
from small_export import CONFIG, small_tracker, video

from mmpolar.apis import init_tracker
from mmpolar.registry import MODELS
from mmpolar.utils.checkpoints import (
    TrainingFacts,
    read_release_checkpoint,
    write_release_checkpoint,
)

tool = load_script(Path(__file__).parents[2] / 'tools/model_converters/add_mask_stage.py')
SAID = ['--data', 'photographs', '--machine', 'a small one', '--training-time', '2 h']
STAGE = dict(
    type='MaskStage',
    params=dict(crop_size=64),
    backbone=dict(type='EfficientNetLite0', out_indices=(0, 1, 2, 4, 6)),
)
FACTS = TrainingFacts(
    3, 30, 0, True, '2026-01-02', 'clips', 'a large one', '1 h', 'research use only', 'f00d'
)


@pytest.fixture
def released(tmp_path, monkeypatch):
    folder = tmp_path / 'zoo'
    folder.mkdir()
    config = Config.fromfile(CONFIG)
    weights = small_tracker().model.state_dict()
    write_release_checkpoint(folder / 'small.pth', weights, config, FACTS)
    monkeypatch.setenv('MMPOLAR_MODEL_ZOO', str(folder))
    return folder


def stage_checkpoint(path, **changes):
    torch.manual_seed(1)
    weights = MODELS.build(dict(STAGE, _scope_='mmpolar')).state_dict()
    meta = dict(epoch=5, iter=500, seed=0, time='20261129_080000', cfg=f'model = {STAGE!r}\n')
    torch.save(dict(meta=meta | changes, state_dict=weights), path)
    return path


def test_a_tracker_gets_a_stage_and_keeps_its_own_weights(released, tmp_path):
    before = torch.load(released / 'small.pth')['state_dict']
    checkpoint = stage_checkpoint(tmp_path / 'epoch_5.pth')
    changes = ['model.mask_stage.params.box_share=0.5', 'model.test_cfg.lost_score=0.2']
    options = ['--cfg-options', *changes, '--out', str(released)]
    tool.main(['small', str(checkpoint), *SAID, *options])
    after = torch.load(released / 'small.pth')['state_dict']
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert any(name.startswith('mask_stage.') for name in after)
    facts = read_release_checkpoint(released / 'small.pth').facts
    assert facts.data == 'clips; mask stage: photographs, 500 steps'
    assert facts.training_time == '1 h; mask stage: 2 h'
    assert facts.trained_on == '2026-11-29'
    tracker = init_tracker('small')
    assert tracker.model.mask_params.box_share == 0.5
    assert tracker.params.lost_score == 0.2
    tracker.init(video()[0], [100, 80, 180, 160])
    assert tracker.step(video()[1]).mask.shape == video()[1].shape[:2]


def test_a_stage_is_replaced(released, tmp_path):
    checkpoint = stage_checkpoint(tmp_path / 'epoch_5.pth')
    tool.main(['small', str(checkpoint), *SAID, '--out', str(released)])
    once = read_release_checkpoint(released / 'small.pth')
    tool.main(['small', str(checkpoint), *SAID, '--out', str(released)])
    assert read_release_checkpoint(released / 'small.pth').facts == once.facts
    assert read_release_checkpoint(released / 'small.pth').parameters == once.parameters


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(cfg='import os'), 'no config of plain values'),
        (dict(cfg="model = dict(type='Ocean')\n"), 'no checkpoint of a mask stage'),
        (
            dict(cfg=f'model = {dict(STAGE, match_channels=16)!r}\n'),
            'does not fit its config',
        ),
    ],
)
def test_other_checkpoints_are_refused(released, tmp_path, changes, message, capsys):
    checkpoint = stage_checkpoint(tmp_path / 'epoch_5.pth', **changes)
    before = (released / 'small.pth').read_bytes()
    with pytest.raises(SystemExit) as stopped:
        tool.main(['small', str(checkpoint), *SAID, '--out', str(released)])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
    assert (released / 'small.pth').read_bytes() == before
