"""One word for one thing: words that are not used any more. docs/glossary.md has those that are."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ('mmpolar', 'tools', 'configs', 'docs', 'benchmarks', 'demo')
SUFFIXES = ('.py', '.md', '.sh', '.yml')
PAGES = ('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'Makefile', 'mkdocs.yml')

# A regular expression for what is not used any more, and what is said instead.
INSTEAD = {
    r'(?i)outline': 'contour',
    r'(?i)\belect(s|ed|ing|ion)?\b': 'select',
    r'(?i)\bdata sets?\b': 'dataset',
    r'(?i)out of sight': 'not visible, or lost',
    r'(?i)\bstrangers?\b': 'untrusted source',
    r'(?i)\bfool(s|ed|ing)?\b': 'hard negative, false alarm, has a high score',
    r'(?i)loss(es)? (that )?stands? still': 'converged',
    r'(?i)\bscreenplays?\b': 'scene',
    r'\btours?\b': 'permutation',
    r'(?i)handed on\b': 'release',
    r'(?i)\bmanieth\b': 'every `interval`-th',
    r'(?i)\bon end\b': 'consecutive',
    r'(?i)\bthrows (\S+ )?rays?\b': 'rays are cast',
    r'(?i)activates? in passing': 'fuses the activation',
    r'(?i)has a say\b': 'without',
    r'(?i)without a trace': 'restores the state',
    r'(?i)\bfindings?\b': 'issue, or what was found',
    r'(?i)(\b|_)figures?(\b|_)': 'image, plot, value or number',
    r'(?i)(\b|_)pictures?(\b|_)': 'image',
    r'(?i)(?<!in )(?<!in_)(\b|_)places?\b': 'location, position, path; once, one module',
    r'(?i)(?<!ground)(?<!ground[ _-])truth': 'ground truth',
    r'_draw_(?!mask|box|polygon|panel)\w+\(rng|drawn? (at random|blindly)|draws? (random|a pair)': 'sample',
}
# Old spellings that still work, formats that are still read, and names of others.
ALLOWED = (
    r'outline_share',
    r"'outline'",
    r'ModelManifest\.outline',
    r'def outline\b',
    r'from_outline',
    r'\bdraw_mask_outline\b',
    r'renamed_keywords\(outline=',
    r'[Oo]utline_?(Local)?_?[Vv]isualizer',
    r'was called outline',
    r"'\w*outline\w*': 'mmpolar\.",
    r"'mmpolar(\.\w+)+': ",
    r"'Finding': 'mmpolar\.",
    r'warn_deprecated\(.Issue\.place|def place\(self',
    r"renamed_keywords\(truth='",
    r'num_pictures=',
    r"content(\.pop\(|\[)'figures'|'figures' in content",
    r"figure='value_name'",
    r'was `\w+`',  # in CHANGELOG.md
    r'matplotlib\.figure import Figure|figure = Figure\(|\b(self\.)?figure(\.\w+\(| = |, self\.axes|\))|_FIGURE_INCHES|print_figure|\]\.figure',
    r"'figure\.[a-z_.]+': |figure\.canvas",  # of Matplotlib
    r'foolwood/SiamMask',
    r'outlined objects',  # in the metadata of released weights
)
_ALLOWED = re.compile('|'.join(ALLOWED))


def pages():
    """Files that are searched; those of a build that link to the checkout are left out."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob('*')):
            if path.suffix in SUFFIXES and '.mim' not in path.parts and path.is_file():
                yield path
    yield from (ROOT / name for name in PAGES)


@pytest.fixture(scope='module')
def lines():
    found = [
        (f'{path.relative_to(ROOT)}:{number}', line)
        for path in pages()
        for number, line in enumerate(path.read_text().splitlines(), 1)
    ]
    assert len(found) > 30_000
    return found


@pytest.mark.parametrize(('pattern', 'instead'), INSTEAD.items(), ids=INSTEAD.values())
def test_word_is_not_used_any_more(lines, pattern, instead):
    word = re.compile(pattern)
    used = [
        f'{place}: {line.strip()}' for place, line in lines if word.search(_ALLOWED.sub('', line))
    ]
    assert used == [], f'say {instead}'


def test_what_is_allowed_is_still_there(lines):
    """An alias that has left takes its entry in the list with it."""
    text = '\n'.join(line for _, line in lines)
    unused = [part for part in ALLOWED if not re.search(part, text)]
    assert unused == []
