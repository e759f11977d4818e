import json
from pathlib import Path

import pytest

from benchmarks.train_step import main

CONFIG = 'tests/small_ocean.py'


def test_reports_loading_and_each_way_of_training(tmp_path, capsys):
    out = tmp_path / 'report.json'
    assert main([CONFIG, '--repeats', '1', '--out', str(out)]) == 0
    report = json.loads(out.read_text())
    assert {'loading a batch', 'float32', 'bfloat16'} <= set(report)
    assert all(row['seconds'] > 0 for row in report.values())
    assert report['float32']['times_as_fast'] == 1
    assert 'bfloat16' in capsys.readouterr().out


def test_the_targets_have_the_rays_of_the_model(tmp_path):
    config = tmp_path / 'config.py'
    config.write_text(
        f"_base_ = ['{Path(CONFIG).resolve()}']\nmodel = dict(mask_head=dict(n_rays=18))\n"
    )
    assert main([str(config), '--repeats', '1']) == 0


def test_refuses_no_rounds(capsys):
    with pytest.raises(SystemExit):
        main([CONFIG, '--repeats', '0'])
    assert '--repeats must be at least 1, got 0' in capsys.readouterr().err
