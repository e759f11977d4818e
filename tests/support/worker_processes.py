"""Runs a script in several processes that work together, and reads the metrics they print."""

import json
import os
import subprocess
import sys
from pathlib import Path

import mmpolar


def run_workers(
    script: str, folder: Path, count: int, *arguments: object, imports: Path | None = None
) -> list[str]:
    """Run ``count`` processes of a script; all must succeed.

    Args:
        script: Source text.
        folder: Where it is put.
        count: Processes.
        arguments: Arguments of each, after its rank.
        imports: Folder of modules that the script imports beside mmpolar and those here.

    Returns:
        What each process printed to stdout and stderr, joined.
    """
    path = folder / 'worker.py'
    path.write_text(script)
    folders = [Path(mmpolar.__file__).parents[1], Path(__file__).parent, *filter(None, [imports])]
    workers = [
        subprocess.Popen(
            [sys.executable, str(path), str(rank), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | dict(PYTHONPATH=os.pathsep.join(map(str, folders))),
        )
        for rank in range(count)
    ]
    outputs = [worker.communicate(timeout=300) for worker in workers]
    for worker, (_, errors) in zip(workers, outputs, strict=True):
        assert worker.returncode == 0, errors
    return ['\n'.join(output) for output in outputs]


def printed_metrics(outputs: list[str]) -> list[dict]:
    """The JSON of each line that begins with METRICS, in the order of the processes."""
    return [
        json.loads(line.removeprefix('METRICS '))
        for output in outputs
        for line in output.splitlines()
        if line.startswith('METRICS ')
    ]
