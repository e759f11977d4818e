"""Every ``mmpolar`` command that a page shows is understood by the command as it is."""

import re
import shlex
from pathlib import Path

import pytest

from mmpolar.cli.arguments import join_box_words
from mmpolar.cli.main import build_parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / 'README.md', ROOT / 'README_zh-CN.md', *sorted((ROOT / 'docs').glob('*.md'))]
_SHELL = {'|', '&&', ';', '>'}


def commands(text):
    """Words of each command of ours in the blocks of shell."""
    for block in re.findall(r'^```bash\n(.*?)^```', text, re.M | re.S):
        for line in block.replace('\\\n', ' ').splitlines():
            words = []
            for word in [*shlex.split(line, comments=True), '|']:
                if word in _SHELL:
                    if words[:1] == ['mmpolar']:
                        yield words[1:]
                    words = []
                else:
                    words.append(word)


SHOWN = [
    pytest.param(words, id=f'{page.stem}: {shlex.join(words)[:60]}')
    for page in PAGES
    for words in commands(page.read_text())
]


@pytest.mark.parametrize('words', SHOWN)
def test_command_is_understood(words):
    words = join_box_words(words)
    if '--help' in words:
        words = [word for word in words if word != '--help']
        assert words[0] in build_parser(words).format_help()
    else:
        build_parser(words).parse_args(words)


def test_pages_show_commands():
    assert len(SHOWN) > 25


def test_questions_have_a_command_each():
    page = (ROOT / 'docs/faq.md').read_text()
    answers = page.split('\n## ')[1:]
    assert len(answers) >= 15
    for answer in answers:
        assert answer.count('```bash') == 1, answer.splitlines()[0]
