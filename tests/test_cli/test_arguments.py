"""Arguments that several programs have."""

import argparse
import warnings

import numpy as np
import pytest

from mmpolar.cli.arguments import (
    add_box_argument,
    add_old_option,
    check_counts,
    join_box_words,
    read_boxes,
)
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


@pytest.mark.parametrize(
    'words',
    [
        ['--box', '10,20,30,40', '--box', '-5,0.5,3,4', '0'],
        ['--box', '10', '20', '30', '40', '--box', '-5', '.5', '3', '4', '0'],
        ['0', '--box=10,20,30,40', '--box=-5, 0.5, 3, 4'],
    ],
    ids=['commas', 'words', 'equals'],
)
def test_boxes_are_read_from_commas_and_from_words(words):
    parser = argparse.ArgumentParser()
    parser.add_argument('source')
    add_box_argument(parser)
    args = parser.parse_args(join_box_words(words))
    assert args.source == '0'
    np.testing.assert_array_equal(read_boxes(args.box), [[10, 20, 40, 60], [-5, 0.5, -2, 4.5]])


@pytest.mark.parametrize(
    'words', [['10,20,30'], ['10', '20', '30'], ['10', '20', '30', '40,50'], ['a,b,c,d'], ['']]
)
def test_a_box_of_other_than_four_numbers_is_refused(words):
    parser = argparse.ArgumentParser()
    add_box_argument(parser)
    args, _ = parser.parse_known_args(join_box_words(['--box', *words]))
    with pytest.raises(ValueError, match='left,top,width,height'):
        read_boxes(args.box)


@pytest.mark.parametrize('given', [[], ['--max-files', '1']])
def test_counts_may_be_left_out(given):
    parser = argparse.ArgumentParser()
    parser.add_argument('--max-files', type=int)
    check_counts(parser.parse_args(given), parser, 'max_files')


def test_a_count_below_1_is_named_as_on_the_command_line(capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument('--max-files', type=int)
    with pytest.raises(SystemExit):
        check_counts(parser.parse_args(['--max-files', '0']), parser, 'max_files')
    assert '--max-files must be at least 1, got 0' in capsys.readouterr().err
