"""tools/analysis_tools/attribute_table.py on miniatures of OTB, VOT and DAVIS."""

import csv
import json

import benchmark_folders as folders
import pytest
from analysis_tools import load_tool
from stored_results import shifted, store_results
from tracked_davis import make_tracked_davis

from mmpolar.datasets import OTBDataset, VOTDataset

CONFIG = """
default_scope = 'mmpolar'
test_dataloader = dict(dataset=dict(type='{type}', data_root='{root}', test_mode=True))
"""


@pytest.fixture(scope='module')
def tool():
    return load_tool('attribute_table')


@pytest.fixture(scope='module')
def otb(tmp_path_factory):
    """Three sequences: a tracker follows two of them, and another one all but badly."""
    base = tmp_path_factory.mktemp('otb')
    rows = folders.as_rows(folders.moving_boxes(4))
    for name in ('Board', 'Car4', 'Deer'):
        root = folders.write_otb(base, name, range(1, 5), {'groundtruth_rect.txt': rows})
    #                                               IV OPR SV OCC DEF MB FM IPR OV BC LR
    folders.write_lines(root / 'att/board.txt', ['1,0,0,0,0,0,0,0,0,0,0'])
    folders.write_lines(root / 'att/car4.txt', ['1,0,0,1,0,0,0,0,0,0,0'])
    folders.write_lines(root / 'att/deer.txt', ['0,0,0,1,0,0,0,0,0,0,0'])
    config = base / 'otb.py'
    config.write_text(CONFIG.format(type='OTBDataset', root=root))
    dataset = OTBDataset(str(root), test_mode=True)
    good = base / 'good'
    store_results(dataset, good, shifted(0, masks=False), tracks=[0, 1])
    store_results(dataset, good, shifted(100, masks=False), tracks=[2])
    near = store_results(dataset, base / 'near', shifted(1, masks=False))
    return str(config), str(good), str(near)


def read(path):
    report = json.loads(path.read_text())
    table = {entry['attribute']: entry for entry in report['attributes']}
    with path.with_suffix('.csv').open() as file:
        return report, table, list(csv.DictReader(file))


def test_means_over_the_sequences_that_have_an_attribute(tool, otb, tmp_path, capsys):
    config, good, near = otb
    tool.main([config, good, f'other={near}', '--out', str(tmp_path / 'new' / 'table.json')])
    report, table, rows = read(tmp_path / 'new' / 'table.json')
    assert report['unit'] == 'sequences'
    assert list(table) == ['IV', 'OCC', 'all']
    assert [entry['count'] for entry in table.values()] == [2, 2, 3]
    assert table['OCC']['meaning'] == 'occlusion'
    success = {name: entry['trackers']['good']['success'] for name, entry in table.items()}
    perfect, lost = 20 / 21, 20 / 21 / 4  # a lost sequence of four frames has a hit in its first
    assert success['IV'] == pytest.approx(perfect)
    assert success['OCC'] == pytest.approx((perfect + lost) / 2)
    assert success['all'] == pytest.approx((2 * perfect + lost) / 3)
    assert table['all']['trackers']['other']['precision'] == 1
    assert [(row['attribute'], row['tracker']) for row in rows] == [
        (attribute, tracker) for attribute in table for tracker in ('good', 'other')
    ]
    assert float(rows[2]['success']) == pytest.approx(success['OCC'], abs=1e-6)
    printed = capsys.readouterr().out
    assert 'norm_precision' in printed
    assert 'illumination variation' in printed


def test_attributes_of_frames_are_pooled(tool, tmp_path):
    tags = {'occlusion.tag': [0, 0, 1, 1], 'size_change.tag': [0, 1, 0, 1]}
    root = folders.write_vot(tmp_path, {name: ['1,2,10,8'] * 4 for name in ('ball', 'ant')}, tags)
    config = tmp_path / 'vot.py'
    config.write_text(CONFIG.format(type='VOTDataset', root=root))
    dataset = VOTDataset(str(root), test_mode=True)
    store_results(dataset, tmp_path / 'ours', shifted(0, masks=False, lost_after=2), tracks=[0])
    store_results(dataset, tmp_path / 'ours', shifted(0, masks=False), tracks=[1])
    tool.main([str(config), str(tmp_path / 'ours'), '--out', str(tmp_path / 'table.json')])
    report, table, _ = read(tmp_path / 'table.json')
    assert report['unit'] == 'frames'
    assert {name: entry['count'] for name, entry in table.items()} == dict(
        occlusion=4, size_change=4, none=2, all=8
    )
    precision = {name: entry['trackers']['ours']['precision'] for name, entry in table.items()}
    # Lost in the last frame of one of the two sequences.
    assert precision == pytest.approx(dict(occlusion=3 / 4, size_change=3 / 4, none=1, all=7 / 8))


def test_own_attributes_and_common_sequences(tool, tmp_path):
    tracked = make_tracked_davis(tmp_path)
    path = tmp_path / 'mine.json'
    path.write_text(json.dumps(dict(bear=['dark'], camel=['dark', 'absent'])))
    arguments = [tracked.config, tracked.near, tracked.boxes, '--attributes', str(path)]
    tool.main([*arguments, '--out', str(tmp_path / 'table.json')])
    _, table, _ = read(tmp_path / 'table.json')
    assert table['absent']['count'] == 1
    assert set(table['dark']['trackers']) == {'near', 'boxes_only'}


def test_faults_are_told_in_one_line(tool, otb, tmp_path, capsys):
    tracked = make_tracked_davis(tmp_path)
    for arguments, message in (
        ([tracked.config, tracked.near], 'tells no attributes'),
        ([otb[0], otb[1], '--attributes', str(tmp_path / 'nowhere')], 'does not exist'),
        ([otb[0], otb[1], '--out', 'table.txt'], 'must end in .json'),
    ):
        with pytest.raises(SystemExit) as error:
            tool.main(arguments)
        assert error.value.code == 2
        assert message in capsys.readouterr().err
