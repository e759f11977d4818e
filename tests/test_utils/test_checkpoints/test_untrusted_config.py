"""A config from an untrusted source names registered components of known libraries, or is refused."""

import os
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader
from published_model import FACTS, SAID, publish_small
from scripts import load_script
from small_export import CONFIG, small_tracker

from mmpolar.apis import init_tracker
from mmpolar.registry import MODELS, registered_names
from mmpolar.utils.checkpoints import (
    CheckpointReadError,
    UnsafeConfigError,
    check_untrusted_config,
    load_trained_tracker,
    read_release_checkpoint,
    read_untrusted_config,
    write_release_checkpoint,
)

ROOT = Path(__file__).parents[3]


@cache
def small_config():
    return Config.fromfile(CONFIG)


def changed(place, value):
    """The config of the small tracker, as text, with one entry changed."""
    config = small_config().to_dict()
    *folders, last = place.split('.')
    entry = config
    for folder in folders:
        entry = entry.setdefault(folder, {})
    entry[last] = value
    return ''.join(f'{key} = {value!r}\n' for key, value in config.items())


def names_refused(text, place):
    with pytest.raises(UnsafeConfigError) as caught:
        read_untrusted_config(text, 'got.pth')
    message = str(caught.value)
    assert message.startswith(f'the config in got.pth is refused: {place} = ')
    return message


@pytest.mark.parametrize(
    'name',
    [
        'subprocess.Popen',
        'os.system',
        'builtins.exec',
        'torch.hub.load',
        'mmengine.Config.fromfile',
        'mmengine.Config',
        'mmengine.fileio.load',
        'mmdet.apis.init_detector',
        'mmpolar.utils.atomic_write.atomic_write',
        'mmpolar.os.system',
        'mmcv.os.system',
        'mmcv.imwrite',
        'mmtrack.os.system',
        'mmtrack.digit_version',
        'evil.Net',
        'antigravity',
        'NoSuchComponent',
        '__import__("os").system("true")',
        '',
        '.',
        'Ocean.',
        '.Ocean',
        ' Ocean',
    ],
)
@pytest.mark.parametrize(
    'place', ['model.backbone.type', 'model.type', 'train_dataloader.dataset.type', 'added.x.type']
)
def test_any_name_but_of_a_registered_component_is_refused_at_any_depth(name, place):
    message = names_refused(changed(place, name), place)
    assert repr(name) in message
    assert 'registered' in message


@pytest.mark.parametrize('value', [None, 3, ['subprocess.Popen'], ('os.system',), dict(a=1)])
def test_a_type_that_is_no_text_is_refused(value):
    names_refused(f'model = dict(type={value!r})', 'model.type')


@pytest.mark.parametrize(
    ('entry', 'place'),
    [
        (
            "model = dict(type='Ocean', a=[[dict(b=(dict(type='os.system'),))]])",
            'a[0][0].b[0].type',
        ),
        ("model = dict(type='Ocean', **{'a': dict(type='os.system')})", 'None.a.type'),
        ("model = dict(type='Ocean', a={3: dict(type='os.system')})", 'a.3.type'),
    ],
)
def test_the_place_is_named_in_lists_and_odd_keys(entry, place):
    names_refused(entry, f'model.{place}')


@pytest.mark.parametrize(
    ('place', 'value'),
    [
        ('default_scope', 'evil'),
        ('default_scope', 'subprocess'),
        ('default_scope', 'mmpolar.utils'),
        ('model._scope_', 'evil'),
        ('model.head._scope_', 'mmyolo'),
        ('custom_imports', dict(imports=['evil'])),
        ('custom_imports', dict(imports='os', allow_failed_imports=True)),
        ('custom_imports', 'mmpolar_evil'),
        ('custom_imports', [3]),
        ('custom_hooks', [dict(type='os.system', command='true')]),
        ('custom_hooks', [dict(type='EMAHook', ema_type='subprocess.Popen')]),
        ('custom_hooks', [dict(type='EMAHook', ema_type='antigravity')]),
        ('optim_wrapper.constructor', 'os.system'),
        ('custom_hooks', [dict(type='EMAHook', warp_mode='exit(3)')]),
        ('model.backbone.init_cfg', dict(type='Pretrained', checkpoint='https://x.org/a.pth')),
        ('model.backbone.init_cfg', dict(type='Pretrained', checkpoint='/tmp/a.pth')),
        ('model.backbone.init_cfg', dict(type='Pretrained', checkpoint='a')),
        ('model.backbone.init_cfg', dict(type='Pretrained', checkpoint='mmpolar://other')),
        ('model.backbone.init_cfg', dict(type='Pretrained', checkpoint='torchvision://../a')),
        ('custom_hooks', [dict(type='EMAHook', init_cfg=dict(checkpoint='s3://a/b'))]),
        ('model.backbone.pretrained', 'weights'),
        ('model.teacher_config', 'teacher'),
        ('model.neck.file', 'a.pkl'),
        ('model.neck.file', '~'),
        ('model.neck.name', 'someone/model'),
        ('model.neck.name', r'\\host\share'),
    ],
)
def test_scopes_imports_hooks_and_files_are_refused(place, value):
    message = names_refused(changed(place, value), place + _below(value))
    assert 'a file of its own' in message


def _below(value):
    """Where in a value of the test above the fault is."""
    if isinstance(value, list) and isinstance(value[0], dict):
        entry = value[0]
        if 'init_cfg' in entry:
            return '[0].init_cfg.checkpoint'
        key = next((key for key in ('ema_type', 'warp_mode') if key in entry), 'type')
        return f'[0].{key}'
    return '.checkpoint' if isinstance(value, dict) and 'checkpoint' in value else ''


@pytest.mark.parametrize(
    'path',
    sorted([*(ROOT / 'configs').glob('ocean_polar/*.py'), *(ROOT / 'configs').glob('mm*/*.py')]),
    ids=lambda path: path.stem,
)
def test_configs_of_the_trackers_that_come_with_the_package_pass(path):
    config = Config.fromfile(path)
    config.pop('load_from', None)
    check_untrusted_config(config, path)


def test_names_with_the_scope_of_a_known_library_pass():
    config = Config(
        dict(
            model=dict(
                type='mmpolar.Ocean',
                a=dict(type='mmdet.ResNet', _scope_='mmdet'),
                b=dict(type='mmengine.BaseDataPreprocessor'),
                c=dict(type='Conv2d', nms=dict(type='soft_nms'), iou_type='bbox'),
                d=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
            ),
            custom_imports=dict(imports=['mmpolar.datasets', 'mmdet']),
            data_root='/anywhere/data',
        )
    )
    check_untrusted_config(config, 'got.pth')


def test_own_components_are_known_once_they_are_registered():
    assert 'OwnNeck' not in registered_names('mmpolar')
    config = Config(dict(model=dict(type='Ocean', neck=dict(type='OwnNeck'))))
    MODELS.register_module('OwnNeck', module=torch.nn.Identity)
    try:
        check_untrusted_config(config, 'own.pth')
    finally:
        MODELS.module_dict.pop('OwnNeck')


def test_nothing_is_imported_for_the_check(tmp_path, monkeypatch):
    marker = tmp_path / 'ran'
    (tmp_path / 'imported_evil.py').write_text(f'open({str(marker)!r}, "w")\n')
    monkeypatch.syspath_prepend(tmp_path)
    for place in ('model.type', 'default_scope', 'model._scope_', 'custom_imports'):
        for name in ('imported_evil', 'imported_evil.Net'):
            with pytest.raises(UnsafeConfigError):
                read_untrusted_config(changed(place, name), 'got.pth')
    assert not marker.exists()
    assert 'imported_evil' not in sys.modules


@pytest.mark.parametrize(
    'text',
    [
        'import os',
        'model = print(1)',
        'model = {[]: 1}',
        "filename = 'x'\nmodel = dict(type='Ocean')",
        'model = ' + '[' * 5000,
        'model = ' + '-' * 100000 + '1',
        'model = 1\0',
        3,
        None,
        "model = 'Ocean'",
    ],
)
def test_a_text_that_is_no_config_of_a_model_is_one_error(text):
    with pytest.raises(CheckpointReadError, match=r'the config in got\.pth'):
        read_untrusted_config(text, 'got.pth')


@pytest.fixture
def evil(tmp_path):
    """An entry that would make a file, and that file."""
    marker = tmp_path / 'ran'
    command = f'{sys.executable} -c "open({os.fspath(marker)!r}, \'w\')"'
    return dict(type='subprocess.Popen', args=command, shell=True), marker


def test_every_reader_of_a_release_checkpoint_refuses_it_before_anything_is_built(
    evil, tmp_path, monkeypatch, capsys
):
    entry, marker = evil
    zoo = tmp_path / 'zoo'
    path = publish_small(zoo)
    content = torch.load(path, weights_only=True)
    content['meta']['cfg'] = changed('model.backbone', entry)
    torch.save(content, path)
    monkeypatch.setenv('MMPOLAR_MODEL_ZOO', str(zoo))
    for read in (lambda: read_release_checkpoint(path), lambda: init_tracker('small')):
        with pytest.raises(UnsafeConfigError, match=r'model\.backbone\.type'):
            read()
    for script, arguments in (
        ('tools/deployment/export_model_zoo.py', ['small']),
        ('tools/model_converters/add_mask_stage.py', ['small', str(path), *SAID]),
    ):
        with pytest.raises(SystemExit):
            load_script(ROOT / script).main(arguments)
        assert 'is refused: model.backbone.type' in capsys.readouterr().err
    assert not marker.exists()


@pytest.mark.parametrize(
    ('script', 'place'), [('publish_model', 'model.head'), ('add_mask_stage', 'model.backbone')]
)
def test_tools_refuse_the_config_in_a_training_checkpoint(
    script, place, evil, tmp_path, monkeypatch, capsys
):
    entry, marker = evil
    monkeypatch.setenv('MMPOLAR_MODEL_ZOO', str(publish_small(tmp_path / 'zoo').parent))
    config = Config(dict(model=dict(type='Ocean' if script == 'publish_model' else 'MaskStage')))
    config.merge_from_dict({place: entry})
    meta = dict(cfg=config.pretty_text, experiment_name='small', epoch=1, iter=1)
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(meta=meta, state_dict=small_tracker().model.state_dict()), path)
    first = [] if script == 'publish_model' else ['small']
    with pytest.raises(SystemExit):
        load_script(ROOT / f'tools/model_converters/{script}.py').main(
            [*first, str(path), *SAID, '--out', str(tmp_path / 'out')]
        )
    assert f'is refused: {place}.type' in capsys.readouterr().err
    assert not marker.exists()
    assert not (tmp_path / 'out').exists()


def test_a_file_that_could_not_be_read_again_is_not_written(tmp_path):
    config = Config(dict(model=dict(type='my_project.Tracker')))
    with pytest.raises(UnsafeConfigError, match='my_project'):
        write_release_checkpoint(tmp_path / 'own.pth', dict(a=torch.ones(1)), config, FACTS)
    assert not list(tmp_path.iterdir())


def test_entries_of_a_run_are_left_out():
    text = "load_from = 'https://x.org/a.pth'\nwork_dir = 'a'\nmodel = dict(type='Ocean')"
    assert read_untrusted_config(text, 'epoch_1.pth').to_dict() == dict(model=dict(type='Ocean'))


def test_the_config_that_mmengine_runs_on_resuming_is_removed(tmp_path, monkeypatch):
    path = publish_small(tmp_path)
    content = torch.load(path, weights_only=True)
    content['meta']['config'] = 'raise SystemExit'
    torch.save(content, path)
    monkeypatch.setenv('MMPOLAR_MODEL_ZOO', str(tmp_path))
    for checkpoint in (
        CheckpointLoader.load_checkpoint(str(path), 'cpu'),
        load_trained_tracker('mmpolar://small'),
    ):
        assert checkpoint['meta']['name'] == 'small'
        assert 'config' not in checkpoint['meta']
