"""Renamed options of metrics keep their old names for a release."""

from pathlib import Path

import pytest

from mmpolar.registry import METRICS
from mmpolar.utils import deprecation


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
