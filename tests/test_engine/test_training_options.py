"""The fragments in configs/_base_/options: that they compose, and what they do."""

import copy
import re
from collections import Counter
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from scripts import load_script
from torch import nn

import mmpolar.registry  # noqa: F401  (lets checkpoints be read)
from mmpolar.engine import Bfloat16OptimWrapper

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = ROOT / 'configs/_base_/options'
EXAMPLES = re.findall(
    r'```python\n(.*?)```', (ROOT / 'docs/training_options.md').read_text(), flags=re.DOTALL
)
ALL = """
_base_ = ['./../tests/small_ocean.py', {options}]
made = dict(data_root='{folder}/data', num_train=2, num_val=1, frames=3, size=(160, 120))
train_dataloader = dict(
    batch_size=2,
    dataset=dict(samples_per_epoch=6, datasets=[dict(type='SyntheticDataset', split='train', **made)]))
val_dataloader = dict(dataset=dict(**made))
test_dataloader = None
test_cfg = None
test_evaluator = None
param_scheduler = None
train_cfg = dict(max_epochs=5, val_interval=1)
work_dir = '{folder}/work'
optim_wrapper = dict(
    **_base_.mixed_precision_bfloat16,
    **_base_.gradient_clipping,
    **dict(_base_.gradient_accumulation, accumulative_counts=3))
# Nothing grows by 2, so that the second validation is the last.
custom_hooks = [
    _base_.ema_hook,
    dict(_base_.early_stopping_hook, min_delta=2, patience=1)]
"""


def read_config(text, folder):
    """Parse a config as if it lay in configs/."""
    path = folder / 'example.py'
    path.write_text(text.replace("'./", f"'{ROOT}/configs/"))
    return Config.fromfile(path)


def load_joint_worker():
    return load_script(ROOT / 'tests/test_distributed/joint_worker.py')


@pytest.mark.parametrize('example', EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_of_the_documentation_are_configs(example, tmp_path):
    cfg = read_config(example, tmp_path)
    assert cfg.model.type == 'Ocean'
    assert cfg.optim_wrapper.optimizer.type in ('AdamW', 'SGD')
    assert cfg.default_hooks.checkpoint.type == 'AtomicCheckpointHook'


def test_every_option_is_documented_and_used_in_an_example_or_the_training_below():
    page = (ROOT / 'docs/training_options.md').read_text()
    used = ' '.join(EXAMPLES) + ALL
    for file in OPTIONS.glob('*.py'):
        assert f'`{file.name}`' in page
        for piece in Config.fromfile(file):
            assert f'`{piece}`' in page
            assert f'_base_.{piece}' in used or piece == 'mixed_precision_float16'


def test_names_of_config_files_are_unique():
    names = Counter(path.name for path in (ROOT / 'configs').rglob('*.py'))
    assert [name for name, count in names.items() if count > 1] == []


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A training with everything that a CPU can do, and its newest checkpoint."""
    folder = tmp_path_factory.mktemp('options')
    options = ', '.join(f"'{path}'" for path in sorted(OPTIONS.glob('*.py')))
    runner = Runner.from_cfg(read_config(ALL.format(options=options, folder=folder), folder))
    runner.train()
    return runner, torch.load(folder / 'work/epoch_2.pth', weights_only=True)


def test_early_stopping_ends_the_training(trained):
    runner, _ = trained
    assert runner.max_epochs == 5
    assert runner.epoch == 2


def test_accumulation_makes_one_step_of_three_batches(trained):
    runner, checkpoint = trained
    assert isinstance(runner.optim_wrapper, Bfloat16OptimWrapper)
    assert runner.iter == 6
    assert {float(state['step']) for state in checkpoint['optimizer']['state'].values()} == {2.0}


def test_checkpoint_holds_the_average_and_the_weights_of_training(trained):
    runner, checkpoint = trained
    weights = dict(runner.model.named_parameters())
    average = checkpoint['state_dict']
    differing = 0
    for name, value in weights.items():
        assert torch.equal(checkpoint['ema_state_dict'][f'module.{name}'], value), name
        assert torch.isfinite(average[name]).all()
        differing += not torch.equal(average[name], value)
    assert differing > len(weights) / 2


def test_clipping_shortens_a_long_gradient_and_leaves_a_short_one(tmp_path):
    cfg = Config.fromfile(OPTIONS / 'gradient_clipping.py').gradient_clipping
    for length, expected in ((50.0, 10.0), (4.0, 4.0)):
        model = nn.Linear(1, 2, bias=False)
        before = model.weight.detach().clone()
        optimizer = dict(optimizer=dict(type='SGD', lr=1.0), **copy.deepcopy(cfg))
        wrapper = build_optim_wrapper(model, optimizer)
        wrapper.update_params((model.weight * torch.tensor([[0.6], [0.8]]) * length).sum())
        assert float((model.weight.detach() - before).norm()) == pytest.approx(expected, rel=1e-4)


def test_two_accumulated_batches_of_four_are_a_batch_of_eight():
    """With equally many positives in both halves, and batch norm at rest."""
    joint = load_joint_worker()
    inputs, samples = joint.build_batch('PBPN' 'NNNN')  # fmt: skip
    samples = samples[:4] * 2
    weights = []
    for parts in ([slice(0, 8)], [slice(0, 4), slice(4, 8)]):
        model = joint.build_model()
        optimizer = dict(type='SGD', lr=0.1, momentum=0.9)
        wrapper = build_optim_wrapper(
            model, dict(optimizer=optimizer, accumulative_counts=len(parts))
        )
        before = copy.deepcopy(model.state_dict())
        for part in parts:
            assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
            images = {name: value[part] for name, value in inputs.items()}
            losses = model(images, samples[part], mode='loss')
            wrapper.update_params(sum(losses.values()))
        weights.append(dict(model.named_parameters()))
    for name, whole in weights[0].items():
        step = float((whole - before[name]).detach().abs().max())
        difference = float((whole - weights[1][name]).detach().abs().max())
        assert difference <= 1e-4 * max(step, 1e-3), (name, difference, step)
        assert step > 0, name
