"""Attributes are read from the official files, and from files of one's own."""

import json

import benchmark_folders as folders
import numpy as np
import pytest

from mmpolar.datasets import (
    DavisDataset,
    GOT10kDataset,
    LaSOTDataset,
    OTBDataset,
    UAV123Dataset,
    VOTDataset,
)
from mmpolar.datasets.attributes import FORMATS, LONG_NAMES, read_attributes

ROWS = folders.as_rows(folders.moving_boxes(3))


@pytest.fixture
def otb(tmp_path):
    for name in ('Board', 'Car4'):
        root = folders.write_otb(tmp_path, name, range(1, 4), {'groundtruth_rect.txt': ROWS})
    targets = {f'groundtruth_rect.{number}.txt': ROWS for number in (1, 2)}
    return folders.write_otb(tmp_path, 'Jogging', range(1, 4), targets) and root


def write_otb_attributes(folder):
    #        IV OPR SV OCC DEF MB FM IPR OV BC LR
    folders.write_lines(folder / 'board.txt', ['0,1,1,0,0,0,0,0,0,0,0'])
    folders.write_lines(folder / 'car4.txt', ['1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0'])
    folders.write_lines(folder / 'jogging-1.txt', ['0,0,0,1,0,0,0,0,0,0,0'])
    folders.write_lines(folder / 'Jogging-2.txt', ['0,0,0,1,0,0,0,0,0,0,1'])


@pytest.mark.parametrize('place', ['anno/att', 'att'])
def test_otb(otb, place):
    write_otb_attributes(otb / place)
    found = read_attributes(
        OTBDataset(str(otb), sequences=['Board', 'Car4', 'Jogging-1', 'Jogging-2'])
    )
    assert {name: sorted(of) for name, of in found.items()} == {
        'IV': ['Car4'],
        'OPR': ['Board'],
        'SV': ['Board', 'Car4'],
        'OCC': ['Jogging-1', 'Jogging-2'],
        'LR': ['Jogging-2'],
    }
    assert list(found) == ['IV', 'OPR', 'SV', 'OCC', 'LR']
    assert found['IV']['Car4'] is None


def test_files_elsewhere(otb, tmp_path):
    dataset = OTBDataset(str(otb))
    with pytest.raises(FileNotFoundError, match=r'/att or .*/anno/att; put the files'):
        read_attributes(dataset)
    write_otb_attributes(tmp_path / 'toolkit')
    assert 'OPR' in read_attributes(dataset, tmp_path / 'toolkit')
    (tmp_path / 'toolkit' / 'car4.txt').unlink()
    with pytest.raises(FileNotFoundError, match=r'has no file Car4\.txt'):
        read_attributes(dataset, tmp_path / 'toolkit')


@pytest.mark.parametrize('numbers', ['1,0,1', ','.join('1' * 12), 'a,b'])
def test_files_of_another_benchmark_are_refused(otb, numbers):
    write_otb_attributes(otb / 'att')
    folders.write_lines(otb / 'att' / 'board.txt', [numbers])
    with pytest.raises(ValueError, match=r'board\.txt'):
        read_attributes(OTBDataset(str(otb)))


def test_lasot(tmp_path):
    root = folders.write_lasot(tmp_path, ['cat-1', 'cat-2'], 3)
    #        IV POC DEF MB CM ROT BC VC SV FOC FM OV LR ARC
    folders.write_lines(root / 'att/cat-1.txt', ['0,1,0,0,0,0,0,0,0,0,0,0,0,1'])
    folders.write_lines(root / 'att/cat-2.txt', ['0,1,0,0,0,0,0,0,0,1,0,0,0,0'])
    found = read_attributes(LaSOTDataset(str(root), split='all'))
    assert {name: list(of) for name, of in found.items()} == {
        'POC': ['cat-1', 'cat-2'],
        'FOC': ['cat-2'],
        'ARC': ['cat-1'],
    }


def test_uav123_knows_its_versions(tmp_path):
    boxes = {f'{version}/boat1.txt': ROWS for version in ('UAV123', 'UAV20L')}
    root = folders.write_uav123(tmp_path, dict(boat1=range(1, 4)), boxes)
    # The writer says 0,1,0,0,0,0,1,0,0,0,0,0: columns SV ARC LR FM FOC POC OV BC IV VC CM SOB.
    folders.write_lines(root / 'anno/UAV20L/att/boat1.txt', ['1,0,0,0,0,0,0,0,0,0,0,1'])
    assert list(read_attributes(UAV123Dataset(str(root)))) == ['ARC', 'OV']
    assert list(read_attributes(UAV123Dataset(str(root), version='UAV20L'))) == ['SV', 'SOB']


def test_vot_tags_belong_to_frames(tmp_path):
    tags = {
        'occlusion.tag': [0, 1, 1, 0],
        'camera_motion.tag': [0, 0, 1],
        'anchor.value': [1, 0, 0, -1],
    }
    root = folders.write_vot(tmp_path, dict(ball=['1,2,9,8'] * 4), tags)
    found = read_attributes(VOTDataset(str(root)))
    assert {name: of['ball'].tolist() for name, of in found.items()} == {
        'camera_motion': [False, False, True, False],
        'occlusion': [False, True, True, False],
        'none': [True, False, False, True],
    }


def test_json_suits_any_data_set(tmp_path):
    masks = [folders.filled(i, 2, i + 9, 11) for i in range(3)]
    root = folders.write_davis(tmp_path, dict(bear=masks, camel=masks))
    dataset = DavisDataset(str(root))
    path = tmp_path / 'mine.json'
    path.write_text(json.dumps(dict(bear=['fast', 'dark'], camel=['fast'], other=['x'])))
    found = read_attributes(dataset, path)
    assert {name: list(of) for name, of in found.items()} == dict(
        fast=['bear', 'camel'], dark=['bear']
    )
    path.write_text(json.dumps(dict(bear=['fast'])))
    with pytest.raises(ValueError, match="lacks 1 sequences, the first is 'camel'"):
        read_attributes(dataset, path)
    for text in ('["bear"]', '{"bear": 1}', 'nothing'):
        path.write_text(text)
        with pytest.raises(ValueError, match=r'mine\.json'):
            read_attributes(dataset, path)


def test_data_sets_without_attributes_are_refused(tmp_path):
    root = folders.write_got10k(tmp_path, dict(val=3))
    with pytest.raises(ValueError, match='tells no attributes; those of OTBDataset, LaSOTDataset'):
        read_attributes(GOT10kDataset(str(root), split='val'))


def test_every_short_name_has_a_long_one():
    names = {name for files in FORMATS.values() for name in files.names}
    assert names == set(LONG_NAMES)
    assert [len(files.names) for files in FORMATS.values()] == [11, 14, 12]
    assert all(len(set(files.names)) == len(files.names) for files in FORMATS.values())
    assert np.all([len(name) <= 4 for name in names])
