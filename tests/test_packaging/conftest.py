"""A copy of the project, so that building it leaves the checkout alone."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COPIED = ('mmpolar', 'configs', 'tools', 'demo', 'requirements')


@pytest.fixture(scope='session')
def copy_project() -> Callable[[Path], Path]:
    """Copies the project as a clean checkout has it to ``folder/source``."""

    def copy(folder: Path) -> Path:
        source = folder / 'source'
        source.mkdir()
        for name in COPIED:
            shutil.copytree(
                ROOT / name, source / name, ignore=shutil.ignore_patterns('__pycache__', '.mim')
            )
        for path in ROOT.iterdir():
            if path.is_file():
                shutil.copy(path, source)
        return source

    return copy
