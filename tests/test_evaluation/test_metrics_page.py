"""What docs/metrics.md tells to write works as it stands there, and names what there is."""

import re
from pathlib import Path

import pytest
from mmengine.config import Config

from mmpolar.evaluation import metrics
from mmpolar.evaluation.functional import EAO_INTERVALS
from mmpolar.registry import METRICS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / 'docs' / 'metrics.md').read_text()
BLOCKS = re.findall(r'^```python\n(.*?)^```', PAGE, re.M | re.S)


def test_config_builds_its_metrics(tmp_path):
    (block,) = [block for block in BLOCKS if block.startswith('_base_')]
    file = tmp_path / 'davis_test.py'
    file.write_text(block.replace("'./", f"'{ROOT}/configs/ocean_polar/"))
    built = [METRICS.build(cfg) for cfg in Config.fromfile(file).test_evaluator]
    assert [type(metric).__name__ for metric in built] == ['DavisMetric', 'SpeedMetric']


@pytest.mark.parametrize('block', [block for block in BLOCKS if not block.startswith('_base_')])
def test_examples_run(block):
    names = {}
    exec(block, names)
    if 'run' in names:
        assert names['run'].overlaps[1:] == pytest.approx(19 / 21)


def test_every_value_of_every_metric_is_explained():
    classes = [getattr(metrics, name) for name in metrics.__all__]
    benchmarks = [cls for cls in classes if getattr(cls, 'columns', ())]
    assert len(benchmarks) == 6
    for cls in benchmarks:
        assert f'## {cls.__name__}' in PAGE
        assert [name for name in cls.columns if f'`{name}`' not in PAGE] == []


def test_intervals_are_those_of_the_code():
    rows = re.findall(r'^\| ([\d, ]+) \| \w+ \| (\d+) to (\d+) \|$', PAGE, re.M)
    found = {int(y): (int(a), int(b)) for years, a, b in rows for y in years.split(',')}
    assert found == EAO_INTERVALS
