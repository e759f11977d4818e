"""docs/submissions.md names every benchmark and every issue, and its commands can be read."""

import re
import shlex
from pathlib import Path

import pytest
from scripts import load_script

from mmpolar.evaluation.submissions import BENCHMARKS
from mmpolar.registry import METRICS

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / 'docs' / 'submissions.md').read_text()
SOURCES = sorted((ROOT / 'mmpolar' / 'evaluation' / 'submissions').glob('*.py'))


def test_every_benchmark_is_in_the_table():
    assert [name for name in BENCHMARKS if f'`{name}`' not in PAGE] == []


def test_every_issue_is_explained():
    source = '\n'.join(path.read_text() for path in SOURCES)
    kinds = set(re.findall(r"Issue\(\s*(?:ERROR|NOTE), '([a-z ]+)'", source))
    kinds |= set(re.findall(r"wrong\['([a-z ]+)'\]", source))
    kinds |= set(re.findall(r"^    '([a-z ]+)': '", source, re.M))
    assert len(kinds) > 20
    table = PAGE.split('## What the check finds')[1].split('## ')[0]
    assert [kind for kind in sorted(kinds) if f'`{kind}`' not in table] == []
    assert sorted(set(re.findall(r'`([a-z ]+)`', table)) - kinds) == []


COMMANDS = [
    line
    for block in re.findall(r'^```bash\n(.*?)^```', PAGE, re.M | re.S)
    for line in block.replace('\\\n', ' ').splitlines()
]


def test_commands_are_of_two_kinds():
    """Those of ``mmpolar`` are tried by test_commands_in_docs."""
    assert {shlex.split(command)[0] for command in COMMANDS} == {'python', 'mmpolar'}


@pytest.mark.parametrize('command', [line for line in COMMANDS if line.startswith('python ')])
def test_commands_are_those_of_the_tools(command):
    _, script, *arguments = shlex.split(command)
    tool = load_script(ROOT / script)
    parser = tool.build_parser() if hasattr(tool, 'build_parser') else None
    args = parser.parse_args(arguments) if parser else tool.parse_args(arguments)
    assert args


def test_the_metric_that_is_named_exists():
    (name,) = set(re.findall(r"type='(\w+)'", PAGE))
    assert METRICS.get(name) is not None
