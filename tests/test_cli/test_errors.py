"""What a command line says when something is wrong."""

from argparse import Namespace

import pytest

from mmpolar.cli.errors import USAGE_ERROR, report_error, run_or_explain, usage_error


def test_errors_are_one_line(capsys):
    assert report_error(ValueError('two\n  lines')) == USAGE_ERROR == 2
    assert capsys.readouterr().err == 'error: two lines\n'


def test_usage_errors_end_the_program(capsys):
    with pytest.raises(SystemExit) as error:
        usage_error('no such file')
    assert error.value.code == USAGE_ERROR
    assert capsys.readouterr().err == 'error: no such file\n'


@pytest.mark.parametrize('kind', [FileNotFoundError, ValueError])
def test_what_files_and_arguments_cause_is_explained(kind, capsys):
    def run(args):
        raise kind(f'{args.path} is wrong')

    with pytest.raises(SystemExit) as error:
        run_or_explain(run, Namespace(path='a.py'))
    assert error.value.code == USAGE_ERROR
    assert capsys.readouterr().err == 'error: a.py is wrong\n'


def test_faults_of_the_program_keep_their_traceback():
    def run(args):
        raise KeyError('bug')

    with pytest.raises(KeyError):
        run_or_explain(run, Namespace())
