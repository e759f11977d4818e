"""Loading a tool of ``tools/analysis_tools`` without starting it."""

from pathlib import Path
from types import ModuleType

from scripts import load_script

FOLDER = Path(__file__).resolve().parents[2] / 'tools' / 'analysis_tools'


def load_tool(name: str) -> ModuleType:
    """The tool of that name."""
    return load_script(FOLDER / f'{name}.py')
