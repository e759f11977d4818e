"""Make a submission from the results of a test. See ``--help``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmpolar.cli.errors import report_error
from mmpolar.cli.submissions import (
    DATA_HELP,
    add_data_arguments,
    build_submission,
    print_issues,
    read_expected,
)
from mmpolar.evaluation.result_folder import ResultFolder
from mmpolar.evaluation.submissions import TRACK_BENCHMARKS, check_submission, make_submission

DESCRIPTION = """\
Make a submission to a benchmark from the results that "tools/test.py CONFIG CHECKPOINT --out RESULTS" has
written, and check it. Several objects of one video become one picture a frame; where they overlap, the
one with the highest score is seen."""
EPILOG = f"""\
{DATA_HELP}

examples
  python tools/submissions/make_submission.py got10k results data/got10k --out got10k.zip
  python tools/submissions/make_submission.py davis2017 results data/DAVIS --out davis2017.zip \\
      --options ann_file=ImageSets/2017/test-dev.txt
  python tools/submissions/make_submission.py lasot results data/lasot \\
      --out tracking_results/mmpolar_tracking_result

exit code: 0 all is well, 1 the submission has errors, 2 none was made

the rules and where they are from: docs/submissions.md
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Make what the arguments say; returns the exit status."""
    parser = build_parser()
    args = parser.parse_args(argv)
    submission = build_submission(args, parser)
    sequences = read_expected(submission, args, parser)
    try:
        results = ResultFolder(args.results)
        make_submission(submission, sequences, results, args.out, progress=True)
    except (OSError, ValueError) as error:
        return report_error(error)
    issues = check_submission(submission, sequences, args.out, progress=True)
    failed = print_issues(issues, args.notes)
    print(f'wrote {args.out}')
    return int(failed)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('benchmark', choices=TRACK_BENCHMARKS, help='whose rules hold')
    parser.add_argument('results', type=Path, help='folder that tools/test.py --out wrote')
    add_data_arguments(parser)
    parser.add_argument(
        '--out',
        type=Path,
        required=True,
        help='what to write: a zip archive if it ends in .zip, else a folder',
    )
    return parser


if __name__ == '__main__':
    raise SystemExit(main())
