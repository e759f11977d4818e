"""tools/analysis_tools/browse_failures.py on two small videos."""

import csv

import benchmark_folders as folders
import cv2
import numpy as np
import pytest
from analysis_tools import load_tool
from stored_results import shifted, store_results
from tracked_davis import make_tracked_davis

from mmpolar.datasets import OTBDataset
from mmpolar.visualization import GROUND_TRUTH_COLOR, PREDICTION_COLOR
from mmpolar.visualization.failure_row import MARK_COLOR


@pytest.fixture(scope='module')
def tool():
    return load_tool('browse_failures')


@pytest.fixture(scope='module')
def tracked(tmp_path_factory):
    return make_tracked_davis(tmp_path_factory.mktemp('tracked'))


def run(tool, folder, *arguments):
    """Sheet, and rows of the table."""
    tool.main([*arguments, '--out', str(folder), '--cell', '200'])
    with (folder / 'failures.csv').open() as file:
        return cv2.imread(str(folder / 'failures.png')), list(csv.DictReader(file))


def amount(img, color):
    return int((np.abs(img.astype(int) - color).max(axis=-1) < 40).sum())


def test_worst_frames_of_the_worst_sequence_come_first(tool, tracked, tmp_path, capsys):
    sheet, rows = run(
        tool, tmp_path / 'new', tracked.config, tracked.far, '--frames', '2', '--gap', '2'
    )
    # The target of one sequence is away in a frame, in which nothing was found: J is 1 there.
    assert [row['sequence'] for row in rows] == ['bear', 'bear', 'camel', 'camel']
    assert [int(row['frame']) for row in rows] == [8, 10, 8, 10]
    assert [float(row['J']) for row in rows] == [0] * 4
    assert rows[0]['score'] == ''
    assert rows[0]['image'].endswith('bear/00008.jpg')
    height, width = sheet.shape[:2]
    assert width == 4 * 200 + 5 * 4
    assert 2 * 145 < height < 2 * 200
    assert '2 sequences by J' in capsys.readouterr().out


def test_ground_truth_and_answer_are_drawn(tool, tracked, tmp_path):
    sheet, _ = run(tool, tmp_path, tracked.config, tracked.near, '--frames', '1', '--only', 'bear')
    course, first, worst = np.array_split(sheet[4:-4], 3, axis=1)
    assert amount(course, PREDICTION_COLOR) > 50
    assert amount(course, MARK_COLOR) > 10
    for cell in (first, worst):
        assert amount(cell, GROUND_TRUTH_COLOR) > 50
        assert amount(cell, PREDICTION_COLOR) > 50
    lost, _ = run(tool, tmp_path, tracked.config, tracked.far, '--frames', '1', '--only', 'bear')
    assert amount(np.array_split(lost[4:-4], 3, axis=1)[2], PREDICTION_COLOR) == 0


def test_true_boxes_are_drawn_where_boxes_rank(tool, tracked, tmp_path):
    def green(by):
        sheet, _ = run(tool, tmp_path, tracked.config, tracked.far, '--by', by, '--only', 'bear')
        return amount(sheet, GROUND_TRUTH_COLOR)

    assert green('iou') > 1.2 * green('J')


def test_ranking_can_be_chosen(tool, tracked, tmp_path):
    _, by_iou = run(tool, tmp_path, tracked.config, tracked.near, '--by', 'iou', '--sequences', '1')
    assert set(by_iou[0]) == {'sequence', 'frame', 'iou', 'J', 'F', 'score', 'image'}
    assert len(by_iou) <= 4
    _, by_f = run(tool, tmp_path, tracked.config, tracked.near, '--by', 'F', '--sequences', '1')
    assert float(by_f[0]['F']) == 1  # 1 px off is within the tolerance
    run(tool, tmp_path, tracked.config, tracked.near, '--single')
    assert sorted(path.name[:3] for path in tmp_path.glob('0*.png')) == ['001', '002']


def test_boxes_alone(tool, tracked, tmp_path, capsys):
    sheet, rows = run(tool, tmp_path, tracked.config, tracked.boxes, '--frames', '1')
    assert 'J' not in rows[0]
    assert amount(sheet, GROUND_TRUTH_COLOR) > 50
    with pytest.raises(SystemExit) as error:
        run(tool, tmp_path, tracked.config, tracked.boxes, '--by', 'J')
    assert error.value.code == 2
    assert 'say --by iou' in capsys.readouterr().err


def test_box_data_sets(tool, tmp_path):
    rows = folders.as_rows(folders.moving_boxes(6))
    root = folders.write_otb(tmp_path, 'Board', range(1, 7), {'groundtruth_rect.txt': rows})
    config = tmp_path / 'otb.py'
    config.write_text(
        f"test_dataloader = dict(dataset=dict(type='OTBDataset', data_root='{root}', test_mode=True))"
    )
    dataset = OTBDataset(str(root), test_mode=True)
    results = store_results(dataset, tmp_path / 'ours', shifted(3, masks=False))
    sheet, table = run(tool, tmp_path / 'out', str(config), str(results), '--frames', '2')
    assert [int(row['frame']) for row in table] == [1]
    assert amount(sheet, GROUND_TRUTH_COLOR) > 50


def test_unknown_sequences_and_arguments_are_refused(tool, tracked, tmp_path, capsys):
    for options, message in (
        (['--only', 'zebra'], 'there is no sequence zebra'),
        (['--gap', '0'], 'must be at least 1'),
    ):
        with pytest.raises(SystemExit) as error:
            tool.main([tracked.config, tracked.near, '--out', str(tmp_path), *options])
        assert error.value.code == 2
        assert message in capsys.readouterr().err
