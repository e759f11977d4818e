"""Loading a script that lies outside of every package."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def load_script(path: Path) -> ModuleType:
    """Import the file as a module of its own, without running what stands under ``__main__``."""
    spec = importlib.util.spec_from_file_location(f'script_{path.stem}', path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def help_of(tool: ModuleType, capsys: pytest.CaptureFixture, *words: str) -> str:
    """What ``--help`` of a script prints; it must end well."""
    with pytest.raises(SystemExit) as error:
        tool.main([*words, '--help'])
    assert error.value.code == 0
    return capsys.readouterr().out
