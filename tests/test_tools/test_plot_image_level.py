"""tools/analysis_tools/plot_image_level.py on reports of ImageLevelMetric."""

import cv2
import numpy as np
import pytest
from analysis_tools import load_tool

from mmpolar.evaluation.functional import point_for_recall, pr_curve
from mmpolar.evaluation.image_level_report import ImageLevelReport


@pytest.fixture(scope='module')
def tool():
    return load_tool('plot_image_level')


@pytest.fixture
def reports(tmp_path):
    """Reports of a better and a worse detector."""
    rng, has_target = np.random.default_rng(0), np.arange(300) < 100
    paths = []
    for separation in (3, 1):
        curve = pr_curve(rng.normal(size=300) + separation * has_target, has_target)
        marks = {'recall 0.9': point_for_recall(curve, 0.9)}
        paths.append(tmp_path / f'{separation}' / 'image_level.json')
        ImageLevelReport(0.3, None, {}, {}, curve, marks).write(paths[-1], [])
    return paths


def test_one_report_is_plotted_beside_it(tool, reports, capsys):
    tool.main([str(reports[0])])
    out = reports[0].with_suffix('.png')
    assert f'written: {out}' in capsys.readouterr().out
    image = cv2.imread(str(out))
    assert image.shape[1] > image.shape[0] > 400


def test_several_reports_share_a_plot(tool, reports, tmp_path):
    one, both = tmp_path / 'one.png', tmp_path / 'new' / 'both.png'
    tool.main([str(reports[0]), '--out', str(one)])
    tool.main([f'mined={reports[0]}', f'random={reports[1]}', '--out', str(both)])
    plotted = [(cv2.imread(str(path)) != 255).any(axis=-1).sum() for path in (one, both)]
    assert plotted[1] > plotted[0]


def test_faults_are_told_in_one_line(tool, reports, tmp_path, capsys):
    first, second = map(str, reports)
    other = tmp_path / 'other.json'
    other.write_text('{}')
    for arguments, message in (
        ([first, second], 'several reports need --out'),
        ([f'a={first}', f'a={second}', '--out', 'x.png'], 'must differ in name'),
        ([str(other)], 'other.json is no report of ImageLevelMetric'),
        ([str(tmp_path / 'none.json')], 'No such file'),
        ([first, '--out', first], 'would write over the report'),
    ):
        with pytest.raises(SystemExit) as error:
            tool.main(arguments)
        assert error.value.code == 2
        assert message in capsys.readouterr().err
