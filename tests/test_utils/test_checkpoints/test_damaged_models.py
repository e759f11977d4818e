"""Checkpoints and model folders damaged at random raise the documented errors and nothing else."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / 'support/damaged_models.py'
COUNT = 60
KINDS = 9


def test_damaged_models_are_read_or_refused_with_a_documented_error(tmp_path):
    command = [sys.executable, str(SCRIPT), str(tmp_path), str(COUNT)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr[-4000:]
    outcomes = [json.loads(line) for line in found.stdout.splitlines() if line.startswith('["')]
    assert len(outcomes) == KINDS
    for name, read, refused in outcomes:
        assert read + refused == COUNT, name
        assert refused > COUNT / 4, name
