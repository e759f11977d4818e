"""The set-up script before and after its long work: what it accepts, and when it is done."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ABSENT_PACKAGE = 'a-package-that-is-not-there==0'


@pytest.fixture
def project(tmp_path):
    """The files that the script and the Makefile read, in a folder without .venv."""
    for name in ('Makefile', 'setup.py'):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / 'requirements', tmp_path / 'requirements')
    (tmp_path / 'tools').mkdir()
    shutil.copy(ROOT / 'tools' / 'setup_env.sh', tmp_path / 'tools')
    return tmp_path


def interpreter(path, version):
    """A program that answers --version as Python does, and fails at anything else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo "Python {version}" && exit 0\nexit 1\n'
    )
    path.chmod(0o755)
    return path


def set_up(project, *kind, **environment):
    return subprocess.run(
        ['bash', 'tools/setup_env.sh', *kind],
        cwd=project,
        env={**os.environ, 'PIP_REQUIRE_VIRTUALENV': '1', **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_unsuitable_python_is_named_with_the_remedy(project):
    python = interpreter(project / 'bin' / 'python3.9', '3.9.18')
    done = set_up(project, PYTHON=str(python))
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert f'PYTHON={python} is Python 3.9.18' in line
    assert '3.10, 3.11 or 3.12' in line
    assert 'make env PYTHON=' in line
    assert not (project / '.venv').exists()


def test_absent_python_is_named(project):
    done = set_up(project, PYTHON='/nowhere/python')
    assert done.returncode == 1
    assert 'PYTHON=/nowhere/python is not a Python that runs' in done.stderr


def test_no_suitable_python_on_the_path(project):
    folder = project / 'bin'
    interpreter(folder / 'python3', '3.8.1')
    for command in ('bash', 'cat', 'cksum', 'dirname', 'sh', 'rm'):
        (folder / command).symlink_to(shutil.which(command))
    done = set_up(project, PATH=str(folder), PYTHON='')
    assert done.returncode == 1
    assert 'python3 is Python 3.8.1' in done.stderr


def test_venv_of_another_python_is_not_removed(project):
    interpreter(project / '.venv' / 'bin' / 'python', '3.8.1')
    done = set_up(project, PYTHON=sys.executable)
    assert done.returncode == 1
    assert 'rm -r .venv' in done.stderr
    assert (project / '.venv' / 'bin' / 'python').exists()


def test_first_run_says_how_long_it_takes_and_why(project):
    done = set_up(project, PYTHON='/nowhere/python')
    assert '10-15 minutes' in done.stdout
    assert 'compiled on this machine' in done.stdout


def test_finished_set_up_ends_at_once_until_a_requirement_changes(project):
    finish(project)
    assert set_up(project, PYTHON='/nowhere/python').stdout == ''

    (project / 'requirements' / 'build.txt').write_text(f'{ABSENT_PACKAGE}\n')
    done = set_up(project, PIP_NO_INDEX='1')
    assert 'Setting up' in done.stdout
    assert done.returncode == 1


def test_failing_step_shows_the_log_and_can_be_repeated(project):
    (project / 'requirements' / 'build.txt').write_text(f'{ABSENT_PACKAGE}\n')
    for _ in range(2):
        done = set_up(project, PIP_NO_INDEX='1', PYTHON=sys.executable)
        assert done.returncode == 1
        assert '[1/5] build tools' in done.stdout
        assert ABSENT_PACKAGE in done.stderr
        assert 'run the same command again' in done.stderr
    assert not (project / '.venv' / '.mmpolar-ready').exists()


def test_light_environment_is_its_own_folder_and_is_announced_as_short(project):
    (project / 'requirements' / 'demo.txt').write_text(f'{ABSENT_PACKAGE}\n')
    done = set_up(project, 'light', PIP_NO_INDEX='1', PYTHON=sys.executable)
    assert done.returncode == 1
    assert 'Setting up .venv.light: no PyTorch, no compiler' in done.stdout
    assert '[1/1]' in done.stdout
    assert ABSENT_PACKAGE in done.stderr
    assert not (project / '.venv').exists()


def test_light_environment_has_all_that_the_runtime_asks_for():
    named = {
        name: set((ROOT / 'requirements' / f'{name}.txt').read_text().split('\n'))
        for name in ('demo', 'runtime')
    }
    wanted = {line for line in named['runtime'] if line and not line.startswith('#')}
    assert wanted <= named['demo']


def test_make_alone_lists_the_targets(project):
    listing = subprocess.run(['make'], cwd=project, capture_output=True, text=True).stdout
    for target in ('env', 'train-env', 'demo', 'quickstart', 'test', 'lint', 'clean'):
        assert f'make {target} ' in listing


def finish(project):
    """Leave the project as a finished set-up does."""
    (project / '.venv' / 'bin').mkdir(parents=True)
    os.symlink(sys.executable, project / '.venv' / 'bin' / 'python')
    names = sorted(str(path) for path in (project / 'requirements').glob('*.txt'))
    key = subprocess.run(
        ['bash', '-c', '{ pwd && cat "$@" setup.py tools/setup_env.sh; } | cksum', '-', *names],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (project / '.venv' / '.mmpolar-ready').write_text(key)
