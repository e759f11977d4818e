"""tools/analysis_tools/plot_results.py on two small videos and three trackers."""

import csv
import json

import cv2
import numpy as np
import pytest
from analysis_tools import load_tool
from scripts import help_of
from tracked_davis import make_tracked_davis

from mmpolar.evaluation.functional import SUCCESS_THRESHOLDS


@pytest.fixture(scope='module')
def tool():
    return load_tool('plot_results')


@pytest.fixture(scope='module')
def tracked(tmp_path_factory):
    return make_tracked_davis(tmp_path_factory.mktemp('tracked'))


@pytest.fixture(scope='module')
def run(tool, tracked, tmp_path_factory):
    """Image, table and report of all three trackers."""
    out = tmp_path_factory.mktemp('plots') / 'new' / 'plot.png'
    tool.main(
        [tracked.config, tracked.near, f'off={tracked.far}', tracked.boxes, '--out', str(out)]
    )
    with out.with_suffix('.csv').open() as file:
        rows = {row['tracker']: row for row in csv.DictReader(file)}
    return out, rows, json.loads(out.with_suffix('.json').read_text())


def test_image_has_six_panels(run):
    image = cv2.imread(str(run[0]))
    height, width = image.shape[:2]
    assert width > height > 800
    for row in np.array_split(image, 2):
        for panel in np.array_split(row, 3, axis=1):
            assert 0.01 < (panel != 255).any(axis=-1).mean() < 0.5


def test_values_are_those_of_hand(run):
    _, rows, report = run
    # 12 x 10 px boxes, 1 px and 4 px off: overlaps 11/13 and 8/16, frame 0 a hit.
    overlaps = dict(near=[11 / 13] * 11, off=[0.5] * 7 + [0.0] * 4)
    for tracker, of_frames in overlaps.items():
        shares = [np.mean(np.array([1, *of_frames]) > t) for t in SUCCESS_THRESHOLDS]
        bear = report['trackers'][tracker]['boxes']['sequences']['bear']
        assert bear['success'] == pytest.approx(np.mean(shares), abs=1e-4)
    assert float(rows['near']['J_mean']) == pytest.approx(
        (11 / 13 + (11 / 13 * 9 + 1) / 10) / 2, abs=1e-3
    )
    assert float(rows['near']['success']) > float(rows['off']['success'])
    assert float(rows['near']['precision']) == pytest.approx(1)


def test_trackers_without_masks_have_no_mask_values(run):
    _, rows, report = run
    assert rows['boxes_only']['J_mean'] == ''
    assert float(rows['boxes_only']['success']) > 0.5
    assert report['trackers']['boxes_only']['masks'] is None
    curves = {curve['title']: curve['y'] for curve in report['curves']}
    assert list(curves['success [mean]']) == ['near', 'off', 'boxes_only']
    assert list(curves['J [mean]']) == list(curves['J&F [mean]']) == ['near', 'off']


def test_curves_fall_with_the_threshold(run):
    for curve in run[2]['curves']:
        for y in curve['y'].values():
            steps = np.diff(y)
            is_distance = 'precision' in curve['title']
            assert (steps >= -1e-12).all() if is_distance else (steps <= 1e-12).all()


def test_sequences_without_a_value_come_last(tool):
    def of(*values):
        return [dict(values=dict(J_and_F=value)) for value in values]

    np.testing.assert_array_equal(
        tool.ranked(of(0.2, np.nan, 0.9, 0.5), 4), [0.9, 0.5, 0.2, np.nan]
    )
    np.testing.assert_array_equal(tool.ranked(of(0.3), 2), [0.3, 0.3])


def test_conventions_change_the_values(tool, tracked, tmp_path):
    def success(*options):
        out = tmp_path / 'plot.png'
        tool.main([tracked.config, tracked.near, '--out', str(out), '--show', 'box', *options])
        report = json.loads(out.with_suffix('.json').read_text())
        assert [curve['title'][:7] for curve in report['curves']] == [
            'success',
            'precisi',
            'normali',
        ]
        return report['trackers']['near']['boxes']['sequences']['camel']['success']

    plain = success()
    # One frame of twelve has no target.
    assert success('--absent', 'miss') == pytest.approx(plain * 11 / 12)
    assert success('--first-frame', 'skip') < plain


def test_common_sequences_only_where_asked(tool, tracked, tmp_path, capsys):
    from stored_results import shifted, store_results

    from mmpolar.datasets import DavisDataset

    root = tracked.config.replace('tiny.py', 'DAVIS')
    dataset = DavisDataset(root, test_mode=True)
    part = str(store_results(dataset, tmp_path / 'part', shifted(0), tracks=[1]))
    arguments = [tracked.config, tracked.near, part, '--out', str(tmp_path / 'plot.pdf')]
    with pytest.raises(SystemExit) as error:
        tool.main(arguments)
    assert error.value.code == 2
    assert 'results "part" lack 1 sequences (bear)' in capsys.readouterr().err
    tool.main([*arguments, '--common', '--title', 'one only'])
    assert '1 sequences' in capsys.readouterr().out
    report = json.loads((tmp_path / 'plot.json').read_text())
    assert list(report['trackers']['near']['masks']['sequences']) == ['camel']


@pytest.mark.parametrize(
    ('results', 'message'),
    [
        (['{near}', 'near={far}'], 'must differ in name'),
        (['{config}'], 'holds no results'),
        (['{boxes}', '--show', 'mask'], 'no masks to plot'),
    ],
)
def test_faults_are_told_in_one_line(tool, tracked, tmp_path, capsys, results, message):
    results = [text.format(**vars(tracked)) for text in results]
    with pytest.raises(SystemExit) as error:
        tool.main([tracked.config, *results, '--out', str(tmp_path / 'plot.png')])
    assert error.value.code == 2
    assert message in capsys.readouterr().err


def test_configs_without_tracks_are_refused(tool, tracked, tmp_path, capsys):
    config = tmp_path / 'images.py'
    for text, message in (
        ("model = dict(type='Ocean')", 'has no test_dataloader'),
        (
            "test_dataloader = dict(dataset=dict(type='ImageFolderDataset', data_root="
            f"'{tracked.near}/masks/bear'))",
            'ImageFolderDataset, which is no dataset of tracks',
        ),
    ):
        config.write_text(text)
        with pytest.raises(SystemExit) as error:
            tool.main([str(config), tracked.near, '--out', str(tmp_path / 'plot.png')])
        assert error.value.code == 2
        assert message in capsys.readouterr().err


def test_help_teaches(tool, capsys):
    text = help_of(tool, capsys)
    assert 'examples' in text
    assert '--absent miss' in text
