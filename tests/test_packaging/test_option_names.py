"""Outputs have one name: ``--out`` on command lines, ``out_file`` and ``out_dir`` in Python and configs."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ('mmpolar', 'tools', 'benchmarks', 'demo', 'configs')
FILES = [path for name in FOLDERS for path in sorted((ROOT / name).rglob('*.py'))]
OTHER_NAMES = re.compile(
    r'(--)?(out(put)?|save|dst|dest)s?[-_]?(file|filename|path|dir|directory|folder)'
)


def argument_names(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Options of command lines as ``('option', name)``; parameters and keywords of Python as such."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            yield 'parameter', node.arg
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ''
        if name == 'add_argument':
            for argument in node.args:
                if isinstance(argument, ast.Constant):
                    yield 'option', argument.value
        if isinstance(node.func, ast.Name) and node.func.id == 'renamed_keywords':
            continue
        for keyword in node.keywords:
            yield 'keyword', keyword.arg or ''


def is_misspelt(kind: str, name: str) -> bool:
    if kind != 'option' and name in ('out_file', 'out_dir'):
        return False
    return OTHER_NAMES.fullmatch(name) is not None


@pytest.mark.parametrize('path', FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_outputs_are_called_out(path):
    found = [
        f'{kind} {name}'
        for kind, name in argument_names(ast.parse(path.read_text()))
        if is_misspelt(kind, name)
    ]
    assert found == []


def test_other_spellings_are_found():
    code = "parser.add_argument('-o', '--out-dir')\ndef save(outfile): ...\nmetric(output_path=1)"
    found = [name for kind, name in argument_names(ast.parse(code)) if is_misspelt(kind, name)]
    assert sorted(found) == ['--out-dir', 'outfile', 'output_path']
