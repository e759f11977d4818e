"""Starting several real processes on this machine."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TOY = ROOT / 'tests/test_tools'
TIMEOUT = 300


def environment(**more: str) -> dict[str, str]:
    """The environment of a child, in which the package and the helpers of the tests import."""
    paths = [ROOT, HERE, TOY, ROOT / 'tests/support', os.environ.get('PYTHONPATH', '')]
    fixed = dict(
        PYTHONPATH=os.pathsep.join(str(path) for path in paths if path),
        PYTHON=sys.executable,
        OMP_NUM_THREADS='1',
        CUDA_VISIBLE_DEVICES='',
    )
    return {**os.environ, **fixed, **more}


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return str(probe.getsockname()[1])


def start(command: list, **more: str) -> subprocess.Popen:
    """Start a child that leads a process group of its own and writes into files.

    A data loader's process outlives a killed parent and would keep a pipe open.
    """
    child = subprocess.Popen(
        [str(word) for word in command],
        stdout=(out := tempfile.TemporaryFile('w+')),  # noqa: SIM115 (finish closes it)
        stderr=(errors := tempfile.TemporaryFile('w+')),  # noqa: SIM115 (finish closes it)
        start_new_session=True,
        env=environment(**more),
    )
    child.out, child.errors = out, errors
    return child


def finish(child: subprocess.Popen) -> subprocess.CompletedProcess:
    """Wait for a child; one that hangs fails the test. What is left of its group is killed."""
    try:
        child.wait(timeout=TIMEOUT)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        texts = []
        for file in (child.out, child.errors):
            file.seek(0)
            texts.append(file.read())
            file.close()
    return subprocess.CompletedProcess(child.args, child.returncode, *texts)


class Processes:
    """What the tests of this folder start."""

    root = ROOT
    free_port = staticmethod(free_port)
    start = staticmethod(start)
    finish = staticmethod(finish)

    def run(self, *command, **more: str) -> subprocess.CompletedProcess:
        return finish(start(list(command), **more))

    def run_tool(self, name: str, *arguments) -> subprocess.CompletedProcess:
        return self.run(sys.executable, ROOT / 'tools' / name, *arguments)

    def run_script(self, name: str, *arguments, **more: str) -> subprocess.CompletedProcess:
        return self.run('bash', ROOT / 'tools' / name, *arguments, PORT=free_port(), **more)


@pytest.fixture(scope='session')
def processes() -> Processes:
    return Processes()
