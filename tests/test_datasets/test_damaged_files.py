"""Files damaged at random raise the documented errors and nothing else, in little memory."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / 'support/damaged_files.py'
COUNT = 80


def test_damaged_files_are_read_or_refused_with_a_documented_error(tmp_path):
    command = [sys.executable, str(SCRIPT), str(tmp_path), str(COUNT)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr[-4000:]
    outcomes = [json.loads(line) for line in found.stdout.splitlines()]
    assert len(outcomes) == 12
    for name, read, refused in outcomes:
        assert read + refused == COUNT, name
        assert refused > COUNT / 10, name
