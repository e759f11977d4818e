"""Scripts stand alone: what two of them share is in a package, found by its name."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = [path for name in ('tools', 'demo') for path in sorted((ROOT / name).rglob('*.py'))]


@pytest.mark.parametrize('path', SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_script_imports_another(path):
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {name.name.partition('.')[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add((node.module or '').partition('.')[0])
    assert not modules & ({script.stem for script in SCRIPTS} | {'benchmarks', 'tools', 'tests'})


def test_no_code_changes_where_python_looks_for_modules():
    folders = ('tools', 'demo', 'benchmarks', 'tests', 'mmpolar/cli')
    changes = ('.insert(', '.append(', '[:0]', ' = ', ' += ')
    found = [
        str(path.relative_to(ROOT))
        for folder in folders
        for path in (ROOT / folder).rglob('*.py')
        if any(f'sys.path{change}' in path.read_text() for change in changes)
    ]
    # A detector's file of the user finds what lies beside it, as if Python ran it.
    assert found == ['mmpolar/cli/score_jobs.py']
