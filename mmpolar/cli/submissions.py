"""What the commands for submissions have in common; PyTorch is loaded in functions only."""

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mmpolar.cli.arguments import read_options
from mmpolar.utils.issues import ERROR, Issue, format_summary, has_errors

if TYPE_CHECKING:
    from mmpolar.evaluation.submissions import ExpectedSequence, Submission

#: The dataset of each benchmark, and what may be said about it.
DATA_HELP = """\
what is expected
  got10k       the test split; --options split=val for the validation set
  trackingnet  the test set
  lasot        the test split; --options split=extension for the extension subset
  davis2016    the list ImageSets/2016/val.txt
  davis2017    the list ImageSets/2017/val.txt; --options ann_file=ImageSets/2017/test-dev.txt
  youtube_vos  the validation set; --options split=test"""


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which results are expected."""
    parser.add_argument('data_root', help='folder of the dataset, in its official form')
    add_options_argument(parser)
    parser.add_argument(
        '--foreground',
        type=int,
        help='davis2016: value of the target in the mask images (default: 1)',
    )
    parser.add_argument('--notes', action='store_true', help='print the notes too')


def add_options_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--options``; :func:`mmpolar.cli.arguments.read_options` reads what it gives."""
    parser.add_argument(
        '--options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='options of the dataset: of its class, see docs/datasets.md',
    )


def build_submission(args: argparse.Namespace, made: bool = False) -> 'Submission':
    """The benchmark that the arguments name.

    Args:
        args: Arguments, those of :func:`add_data_arguments` and ``benchmark`` among them.
        made: Whether a submission shall be made, which not all that can be checked can.

    Raises:
        ValueError: If there is no such benchmark, or an option does not fit it.
    """
    from mmpolar.evaluation.submissions import BENCHMARKS, TRACK_BENCHMARKS

    known = TRACK_BENCHMARKS if made else BENCHMARKS
    if args.benchmark not in known:
        raise ValueError(f'there is no benchmark {args.benchmark!r} here; give {", ".join(known)}')
    options = {}
    if args.foreground is not None:
        if args.benchmark != 'davis2016':
            raise ValueError('--foreground is for davis2016 only: elsewhere objects have ids')
        options['foreground'] = args.foreground
    return known[args.benchmark](**options)


def read_expected(
    submission: 'Submission', args: argparse.Namespace
) -> 'Sequence[ExpectedSequence]':
    """What is expected, from the dataset that the arguments name.

    Raises:
        ValueError: If the dataset cannot be read.
    """
    from mmpolar.evaluation.submissions import build_expected_dataset, expected_sequences

    try:
        options = read_options(args.options)
        return expected_sequences(build_expected_dataset(submission, args.data_root, options))
    except (OSError, TypeError, ValueError) as error:
        raise ValueError(f'the dataset cannot be read: {error}') from error


def print_issues(issues: Iterable[Issue], notes: bool) -> bool:
    """Print what is wrong and a summary.

    Args:
        issues: What a check found; they are printed as they come.
        notes: Whether to print the notes too.

    Returns:
        Whether there are errors.
    """
    found = []
    for issue in issues:
        found.append(issue)
        if issue.level == ERROR or notes:
            print(issue, flush=True)
    print(format_summary(found))
    return has_errors(found)
