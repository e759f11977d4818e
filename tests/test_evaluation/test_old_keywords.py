"""Renamed options and attributes keep their old names for a release."""

from pathlib import Path

import pytest

from mmpolar.evaluation.vot_runs import run_with_resets
from mmpolar.registry import METRICS
from mmpolar.structures.vot_region import parse_region
from mmpolar.utils import deprecation
from mmpolar.utils.issues import ERROR, Issue


@pytest.mark.parametrize(
    'config',
    [
        dict(type='TrackSegMetric'),
        dict(type='DavisMetric'),
        dict(type='OPEMetric'),
        dict(type='GOT10kMetric'),
        dict(type='SpeedMetric'),
        dict(type='VOTMetric', protocol='reset', year=2018),
    ],
    ids=lambda config: config['type'],
)
def test_outfile_is_out_file(config, monkeypatch):
    monkeypatch.setattr(deprecation, '_warned', set())
    with pytest.warns(deprecation.MMPolarDeprecationWarning, match='outfile of .*use out_file'):
        metric = METRICS.build(dict(config, outfile='report.json'))
    assert metric.out_file == Path('report.json')


def test_truth_is_gt_regions(monkeypatch):
    monkeypatch.setattr(deprecation, '_warned', set())
    region = parse_region('10,10,20,20')
    with pytest.warns(deprecation.MMPolarDeprecationWarning, match='use gt_regions'):
        run = run_with_resets(truth=[region] * 3, start=lambda frame: None, step=lambda _: region)
    assert run.overlaps[1:].tolist() == [1, 1]


def test_place_of_an_issue_is_where(monkeypatch):
    monkeypatch.setattr(deprecation, '_warned', set())
    issue = Issue(ERROR, 'no target', 'video', 'no frame shows the target')
    with pytest.warns(deprecation.MMPolarDeprecationWarning, match=r'use Issue\.where'):
        assert issue.place == issue.where == 'video'
