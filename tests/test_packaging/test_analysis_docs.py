"""What the guide to the analysis tools tells to type is understood by them."""

import re
import shlex
from pathlib import Path

import pytest
from analysis_tools import load_tool

PAGE = (Path(__file__).resolve().parents[2] / 'docs' / 'analysis.md').read_text()
COMMANDS = re.findall(r'^python tools/analysis_tools/(\w+)\.py (.*?)(?: +#.*)?$', PAGE, re.M)


def test_every_tool_has_a_command():
    assert [name for name, _ in COMMANDS] == [
        'plot_results', 'browse_failures', 'attribute_table', 'tune_tracker', 'get_flops',
    ]  # fmt: skip


@pytest.mark.parametrize(('name', 'arguments'), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_commands_are_understood(name, arguments):
    assert load_tool(name).parse_args(shlex.split(arguments)).config == 'CONFIG'


def test_options_that_the_page_names_exist(capsys):
    helps = ''
    for name, _ in COMMANDS:
        with pytest.raises(SystemExit) as error:
            load_tool(name).main(['--help'])
        assert error.value.code == 0
        helps += capsys.readouterr().out
    named = set(re.findall(r'`(--[a-z-]+)', PAGE))
    assert len(named) > 10
    assert [option for option in sorted(named) if option not in helps] == []
