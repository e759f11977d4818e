"""The runs of an experiment: which are done, and the others in processes of their own."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Protocol, TypeVar

from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.progress import progress_bar

ROOT = Path(__file__).resolve().parents[2]
_LOG_LINES = 15


class NamedRun(Protocol):
    """A run, hashable."""

    @property
    def name(self) -> str:
        """What it is called in messages."""


Run = TypeVar('Run', bound=NamedRun)
Job = TypeVar('Job')


def fingerprint(settings: Any) -> str:
    """What tells the settings of a run from others.

    Args:
        settings: Plain values, such as a config's ``to_dict()``.

    Returns:
        SHA-256 in hexadecimal digits.
    """
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def has_mark(path: Path, wanted: str) -> bool:
    """Whether a file that :func:`write_mark` wrote is there and belongs to a fingerprint."""
    return path.is_file() and json.loads(path.read_text())['fingerprint'] == wanted


def write_mark(path: Path, own: str, **facts: Any) -> None:
    """Note that a run with a fingerprint has come this far.

    Args:
        path: JSON file, written in one step.
        own: Fingerprint of the run's settings.
        **facts: Further entries.
    """
    atomic_write(path, json.dumps(dict(facts, fingerprint=own), indent=1))


def do_runs(
    todo: Mapping[Run, Job],
    work: Callable[[Run, Job], int],
    log_of: Callable[[Run], Path],
    describe: Callable[[Run], str],
    jobs: int = 1,
) -> list[Run]:
    """Do runs, some at a time, and tell of each how it ended.

    Args:
        todo: What to do, by run.
        work: Does it; gives the exit status.
        log_of: The log of a run, whose end is shown if the run fails.
        describe: What to say of a run that is done.
        jobs: Runs at a time.

    Returns:
        The runs that failed.
    """
    failed = []
    with (
        ThreadPoolExecutor(jobs) as pool,
        progress_bar(total=len(todo), unit='run', shown=bool(todo)) as bar,
    ):
        running = {pool.submit(work, run, job): run for run, job in todo.items()}
        try:
            for future in as_completed(running):
                run = running[future]
                bar.update()
                if future.result() == 0:
                    bar.write(f'{run.name}: {describe(run)}')
                else:
                    failed.append(run)
                    bar.write(f'{run.name} failed; {log_of(run)} ends with')
                    bar.write(_last_lines(log_of(run)))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return failed


def end_if_failed(failed: Sequence[NamedRun]) -> None:
    """End the program with an error that names the runs that failed, if any has."""
    if failed:
        names = ', '.join(run.name for run in failed)
        raise SystemExit(f'error: {len(failed)} runs failed ({names}); start again to repeat them')


def python_module(name: str) -> list[str]:
    """The command that starts a module of this package, for :func:`call_logged`."""
    return [sys.executable, '-m', name]


def call_logged(
    command: Sequence[str],
    log: Path,
    env: Mapping[str, str] | None = None,
    take: Callable[[str], bool] = lambda line: False,
) -> int:
    """Run a command whose output, errors included, goes to a file; it can import this package.

    Args:
        command: The command.
        log: The file.
        env: Its environment; None for that of this process.
        take: Called with each line; one that it takes (True) is left out of the log.

    Returns:
        The exit status.
    """
    env = dict(os.environ if env is None else env)
    env['PYTHONPATH'] = os.pathsep.join(filter(None, [str(ROOT), env.get('PYTHONPATH')]))
    with (
        log.open('w', encoding='utf-8') as file,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
            text=True,
            encoding='utf-8',
            errors='replace',
        ) as process,
    ):
        for line in process.stdout:
            if not take(line):
                file.write(line)
                file.flush()
    return process.returncode


def _last_lines(path: Path) -> str:
    return '\n'.join(path.read_text(errors='replace').splitlines()[-_LOG_LINES:])
