"""A config as text keeps its values, loses the machine's paths, and runs no code when read."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmpolar.utils.config_text import ConfigTextError, read_config_text, to_portable_text

CONFIGS = Path(__file__).parents[2] / 'configs'


@pytest.mark.parametrize(
    'name',
    [
        'ocean_polar/ocean-polar_effnet-lite0_natural.py',
        'hard_negative/ocean-polar_effnet-lite0_synthetic_mined.py',
    ],
)
def test_configs_of_the_project_come_back_as_they_are(name):
    cfg = Config.fromfile(CONFIGS / name)
    expected = cfg.to_dict()
    expected = {key: value for key, value in expected.items() if key not in ('load_from', 'resume')}
    assert read_config_text(to_portable_text(cfg)).to_dict() == expected


def test_text_is_one_that_mmengine_reads():
    cfg = Config(dict(model=dict(type='A', sizes=(1, -2.5), more={'stages.2': None}), flag=True))
    assert Config.fromstring(to_portable_text(cfg), '.py').to_dict() == cfg.to_dict()


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('/home/someone/clips/', 'data/clips/'),
        ('/mnt/my data/clips', 'data/clips'),
        ('../outside/clips', 'data/clips'),
        ('~/clips', 'data/clips'),
        (r'C:\Users\someone\clips', 'data/clips'),
        ('read from /home/someone/list.txt, then', 'read from data/list.txt, then'),
        ('data/natural/val', 'data/natural/val'),
        ('efficientnet-lite://lite0', 'efficientnet-lite://lite0'),
        ('https://example.org/a/b.pth', 'https://example.org/a/b.pth'),
        ('mmdet.ResNet', 'mmdet.ResNet'),
        ('a/b or c / d', 'a/b or c / d'),
    ],
)
def test_paths_of_the_machine_keep_their_last_part_alone(text, expected):
    cfg = Config(dict(nested=[dict(root=text)], work_dir='/x', load_from='/y.pth', launcher='none'))
    assert read_config_text(to_portable_text(cfg)).to_dict() == dict(nested=[dict(root=expected)])


def test_values_that_are_not_plain_are_refused():
    with pytest.raises(ConfigTextError, match='no config of plain values'):
        to_portable_text(Config(dict(value=float('nan'))))


@pytest.mark.parametrize(
    'text',
    [
        'a = open("x")',
        'import os',
        'a = dict(b=__import__("os"))',
        'a = dict([("b", 1)])',
        'a.b = 1',
        'a = b = 1',
        'a = [x for x in (1, 2)]',
        'a = ',
        'print(1)',
        'a = dict({}, b=1)',
    ],
)
def test_anything_but_assigned_values_is_refused(text):
    with pytest.raises(ConfigTextError, match='no config of plain values'):
        read_config_text(text)
