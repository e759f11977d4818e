"""Modules of VOT's own toolkit, where it is installed."""

from importlib import import_module
from types import ModuleType

import pytest


def import_toolkit(name: str) -> ModuleType:
    """A module of the toolkit, whose own imports may fail in any way; the test is skipped then."""
    try:
        return import_module(name)
    except Exception as error:
        pytest.skip(f'vot-toolkit cannot be imported ({error!r})', allow_module_level=True)
