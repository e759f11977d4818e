"""python -m benchmarks.clicks: where it clicks, and what it prints."""

import numpy as np
from benchmark_folders import filled, write_davis

from benchmarks import clicks
from mmpolar.datasets.synthetic import photo_scene
from mmpolar.runtime import OnnxEngine


def test_a_click_lies_inside_and_is_scored():
    image, mask = photo_scene('flower-on-grass', 2).render(0)
    iou, seconds = clicks.click(OnnxEngine(threads=1), image, mask)
    assert 0.5 < iou <= 1
    assert seconds > 0


def test_a_click_that_finds_nothing_counts_as_nothing():
    mask = filled(10, 8, 30, 24)
    iou, _ = clicks.click(OnnxEngine(threads=1), np.zeros((*mask.shape, 3), np.uint8), mask)
    assert iou == 0


def test_a_row_for_each_set_and_one_for_all(tmp_path, capsys):
    folders = []
    for name in ('one', 'two'):
        masks = [filled(10, 8, 30, 24)] * 2
        folders.append(str(write_davis(tmp_path / name, {'a': masks, 'b': masks})))
    clicks.main(['--davis', *folders, '--objects', '1'])
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(' objects')[0] for line in lines] == [
        *(f'{folder}: 1' for folder in folders),
        'all: 2',
    ]


def test_objects_that_fill_the_image_are_left_out():
    full = np.ones((20, 20), np.uint8)
    assert not clicks.is_usable((np.zeros((20, 20, 3), np.uint8), full))
