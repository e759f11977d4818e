"""Loading a tool of ``tools/analysis_tools`` as a program started in that folder would be."""

import sys
from pathlib import Path
from types import ModuleType

from scripts import load_script

FOLDER = Path(__file__).resolve().parents[2] / 'tools' / 'analysis_tools'


def load_tool(name: str) -> ModuleType:
    """The tool; the package beside it can be imported from now on."""
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))
    return load_script(FOLDER / f'{name}.py')
