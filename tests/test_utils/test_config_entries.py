"""Entries of configs that nothing reads are refused, with the nearest name."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.hooks import Hook

from mmpolar.registry import HOOKS
from mmpolar.utils.config_entries import UnknownEntryError, check_entries, check_options
from mmpolar.utils.shared_values import load_config

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
SYNTHETIC = CONFIGS / 'ocean_polar/ocean-polar_effnet-lite0_synthetic.py'


def refusal(option, path=SYNTHETIC):
    with pytest.raises(UnknownEntryError) as caught:
        check_entries(load_config(path, {option: 1}))
    return str(caught.value)


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('[!_]*/*.py')), ids=lambda path: path.stem)
def test_the_configs_of_the_package_pass(path):
    check_entries(load_config(path))


@pytest.mark.parametrize(
    ('option', 'nearest'),
    [
        ('train_dataloder.batch_size', 'train_dataloader'),
        ('load_form', 'load_from'),
        ('train_dataloader.batchsize', 'batch_size'),
        ('train_cfg.max_epoch', 'max_epochs'),
        ('train_dataloader.dataset.samples_per_epochs', 'samples_per_epoch'),
        ('train_dataloader.sampler.sed', 'seed'),
        ('train_dataloader.dataset.pipeline.1.template_siz', 'template_size'),
        ('model.backbone.frozen_stage', 'frozen_stages'),
        ('model.mask_head.nrays', 'n_rays'),
        ('optim_wrapper.optimiser.lr', 'optimizer'),
        ('default_hooks.checkpint.interval', 'checkpoint'),
        ('randomness.sed', 'seed'),
        ('env_cfg.mp_cgf.mp_start_method', 'mp_cfg'),
    ],
)
def test_a_slip_names_the_entry_that_was_meant(option, nearest):
    message = refusal(option)
    assert option.split('.')[0] in message
    assert message.endswith(f'did you mean {nearest}?')


def test_a_name_like_no_other_is_refused_too():
    assert refusal('foo') == 'foo is an unknown entry: the config has no foo'
    message = refusal('model.backbone.foo')
    assert message == 'model.backbone.foo is an unknown entry: EfficientNetLite0 has no foo'


@pytest.mark.parametrize(
    'option',
    [
        'model.test_cfg.lost_score',
        'train_dataloader.prefetch_factor',
        'train_cfg.val_begin',
        'custom_hooks.0.priority',
        'optim_wrapper.paramwise_cfg.custom_keys.backbone.lr_mult',
        'optim_wrapper.clip_grad.max_norm',
        'work_dir',
        'experiment_name',
        'auto_scale_lr.base_batch_size',
        'env_cfg.dist_cfg.timeout',
    ],
)
def test_entries_that_are_read_pass(option):
    check_entries(load_config(SYNTHETIC, {option: 1}))


def test_variables_of_a_config_pass():
    cfg = Config(dict(data_root='d', my_dataset=dict(type='x'), train_dataloader_2={}, lr=1))
    check_entries(cfg)
    check_options(cfg, {'lr': 2, 'my_dataset.foo': 3, 'resume': True})


def test_a_variable_that_is_nearly_an_entry_is_refused():
    with pytest.raises(UnknownEntryError, match='did you mean custom_hooks'):
        check_entries(Config(dict(custom_hoks=[])))


@HOOKS.register_module()
class HookForwarding(Hook):
    """Hands further keywords on to its base class, which takes none."""

    def __init__(self, every, **kwargs):
        super().__init__(**kwargs)


@HOOKS.register_module()
class HookKeeping(Hook):
    """Takes any keywords."""

    def __init__(self, every, **kwargs):
        self.options = kwargs


def test_keywords_that_go_to_the_base_class_are_looked_up_there():
    check_entries(Config(dict(custom_hooks=[dict(type='HookKeeping', every=1, evry=2)])))
    hooks = [dict(type='HookKeeping'), dict(type='HookForwarding', evry=2, priority='LOW')]
    with pytest.raises(UnknownEntryError, match=r'custom_hooks\.1\.evry .* did you mean every\?'):
        check_entries(Config(dict(custom_hooks=hooks)))


def test_old_spellings_pass():
    hook = dict(type='HardNegativeMiningHook', num_pictures=3)
    check_entries(Config(dict(custom_hooks=[hook])))


def test_names_are_those_of_the_default_scope():
    """MMDetection has a hook of this name too, with other parameters."""
    hooks = [dict(type='TrackVisualizationHook', draw=True)]
    check_entries(Config(dict(default_scope='mmdet', custom_hooks=hooks)))
    with pytest.raises(UnknownEntryError, match='no draw'):
        check_entries(Config(dict(default_scope='mmpolar', custom_hooks=hooks)))
