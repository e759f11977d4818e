"""``mmpolar submit``: make a submission from the results of a test, and check it."""

import argparse
from pathlib import Path

from mmpolar.cli.requirements import require_training
from mmpolar.cli.submissions import (
    DATA_HELP,
    add_data_arguments,
    build_submission,
    print_issues,
    read_expected,
)

DESCRIPTION = """\
Make a submission to a benchmark from the results that "tools/test.py CONFIG CHECKPOINT --out RESULTS" has
written, and check it. Several objects of one video become one image a frame; where they overlap, the
one with the highest score is seen."""
EPILOG = f"""\
{DATA_HELP}

examples
  mmpolar submit got10k results data/got10k --out got10k.zip
  mmpolar submit davis2017 results data/DAVIS --out davis2017.zip \\
      --options ann_file=ImageSets/2017/test-dev.txt
  mmpolar submit lasot results data/lasot --out tracking_results/mmpolar_tracking_result

exit code: 0 all is well, 1 the submission has errors, 2 none was made

the rules and where they are from: docs/submissions.md
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the benchmark, the results and what to write."""
    parser.add_argument('benchmark', help='whose rules hold, see below')
    parser.add_argument('results', type=Path, help='folder that tools/test.py --out wrote')
    add_data_arguments(parser)
    parser.add_argument(
        '--out',
        type=Path,
        required=True,
        help='what to write: a zip archive if it ends in .zip, else a folder',
    )


def run(args: argparse.Namespace) -> int:
    """Make what the arguments say."""
    require_training('mmpolar submit')
    from mmpolar.evaluation.result_folder import ResultFolder
    from mmpolar.evaluation.submissions import check_submission, make_submission

    submission = build_submission(args, made=True)
    sequences = read_expected(submission, args)
    make_submission(submission, sequences, ResultFolder(args.results), args.out, progress=True)
    issues = check_submission(submission, sequences, args.out, progress=True)
    failed = print_issues(issues, args.notes)
    print(f'wrote {args.out}')
    return int(failed)
