"""Arguments that several programs have."""

import argparse
import warnings

import pytest

from mmpolar.cli.arguments import add_old_option
from mmpolar.utils import deprecation


@pytest.fixture(autouse=True)
def _no_warning_given_yet(monkeypatch):
    monkeypatch.setattr(deprecation, '_warned', set())


def parser_with_old_option(**options) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='draw')
    add_old_option(parser, '--out-dir', parser.add_argument('--out', **options))
    return parser


def test_old_option_sets_what_the_new_one_sets_and_warns_once():
    parser = parser_with_old_option(default='here', type=str.upper)
    with pytest.warns(deprecation.MMPolarDeprecationWarning, match='--out-dir of draw.*use --out'):
        assert parser.parse_args(['--out-dir', 'there']).out == 'THERE'
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert parser.parse_args(['--out-dir=again']).out == 'AGAIN'
        assert parser.parse_args(['--out', 'new']).out == 'NEW'


def test_old_option_leaves_the_default_and_the_help_alone():
    parser = parser_with_old_option(default='here')
    assert vars(parser.parse_args([])) == dict(out='here')
    assert '--out-dir' not in parser.format_help()
    assert '--out ' in parser.format_help()
