"""Miniatures of the benchmarks, and submissions to them that a metric has made."""

from pathlib import Path

import pytest
from benchmark_folders import (
    filled,
    write_davis,
    write_got10k,
    write_lasot,
    write_trackingnet,
    write_youtube_vos,
)
from submission_cases import (
    LENGTH,
    ONE,
    TWO,
    YOUTUBE_OBJECTS,
    Case,
    answer_boxes,
    answer_masks,
    answer_youtube,
    measured,
)


@pytest.fixture(scope='module')
def _box_cases(tmp_path_factory) -> dict[str, Case]:
    root = tmp_path_factory.mktemp('boxes')
    names = ['boat-1', 'boat-2', 'cat-7']
    return {
        'got10k': Case('got10k', write_got10k(root, dict(test=LENGTH)), root / 'g'),
        'trackingnet': Case(
            'trackingnet', write_trackingnet(root, dict(TEST=['a_0', 'b_1']), LENGTH), root / 't'
        ),
        'lasot': Case(
            'lasot',
            write_lasot(root, names, LENGTH, lists={'testing_set.txt': names[1:]}),
            root / 'l',
        ),
    }


@pytest.fixture(scope='module')
def got10k(_box_cases) -> Case:
    _box_cases['got10k'].submit(answer_boxes, measured)
    return _box_cases['got10k']


@pytest.fixture(scope='module')
def trackingnet(_box_cases) -> Case:
    _box_cases['trackingnet'].submit(answer_boxes)
    return _box_cases['trackingnet']


@pytest.fixture(scope='module')
def lasot(_box_cases) -> Case:
    _box_cases['lasot'].submit(answer_boxes)
    return _box_cases['lasot']


@pytest.fixture(scope='module')
def davis_root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('davis')
    lists = {'2016/val.txt': ['one'], '2017/val.txt': ['two', 'one']}
    return write_davis(root, dict(two=TWO, one=ONE, unused=ONE), lists)


@pytest.fixture(scope='module')
def davis2017(davis_root) -> Case:
    case = Case('davis2017', davis_root, davis_root.parent / '2017')
    case.submit(answer_masks)
    return case


@pytest.fixture(scope='module')
def davis2016(davis_root) -> Case:
    case = Case('davis2016', davis_root, davis_root.parent / '2016')
    case.submit(answer_masks)
    return case


@pytest.fixture(scope='module')
def youtube_vos(tmp_path_factory) -> Case:
    root = tmp_path_factory.mktemp('youtube')
    masks = dict(late={'00005': filled(2, 2, 9, 9, 2), '00010': filled(20, 2, 29, 9, 4)})
    data = write_youtube_vos(root, 'valid', masks, YOUTUBE_OBJECTS)
    case = Case('youtube_vos', data, root / 'out', dict(all_frames=True))
    case.submit(answer_youtube)
    return case
