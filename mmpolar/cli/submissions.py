"""What the commands for submissions have in common."""

import argparse
from collections.abc import Iterable, Sequence

from mmengine.config import DictAction

from mmpolar.evaluation.submissions import (
    BENCHMARKS,
    ExpectedSequence,
    Submission,
    build_expected_dataset,
    expected_sequences,
)
from mmpolar.utils.issues import ERROR, Issue, format_summary, has_errors

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
    parser.add_argument(
        '--options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='options of the dataset: of its class, see docs/datasets.md',
    )
    parser.add_argument(
        '--foreground',
        type=int,
        help='davis2016: value of the target in the pictures (default: 1)',
    )
    parser.add_argument('--notes', action='store_true', help='print the notes too')


def build_submission(args: argparse.Namespace, parser: argparse.ArgumentParser) -> Submission:
    """The benchmark that the arguments name."""
    options = {}
    if args.foreground is not None:
        if args.benchmark != 'davis2016':
            parser.error('--foreground is for davis2016 only: elsewhere objects have ids')
        options['foreground'] = args.foreground
    try:
        return BENCHMARKS[args.benchmark](**options)
    except ValueError as error:
        parser.error(str(error))


def read_expected(
    submission: Submission, args: argparse.Namespace, parser: argparse.ArgumentParser
) -> Sequence[ExpectedSequence]:
    """What is expected, from the dataset that the arguments name."""
    try:
        dataset = build_expected_dataset(submission, args.data_root, args.options)
        return expected_sequences(dataset)
    except (OSError, TypeError, ValueError) as error:
        parser.error(f'the dataset cannot be read: {error}')


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
