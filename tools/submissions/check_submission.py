"""List everything that is wrong with a submission. See ``--help``."""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from mmpolar.cli.errors import report_error
from mmpolar.cli.submissions import (
    DATA_HELP,
    add_data_arguments,
    build_submission,
    print_issues,
    read_expected,
)
from mmpolar.evaluation.submissions import BENCHMARKS, check_submission
from mmpolar.utils.issues import Issue

DESCRIPTION = """\
List everything that is wrong with a submission, without stopping at the first mistake: sequences, files
or frames that are missing, files that do not belong there, numbers of lines, numbers that are not finite,
times that are missing or impossible, pictures of another size, mode or palette, objects that do not exist
or that appear before they are given. The dataset says what is expected. Nothing is changed."""
EPILOG = f"""\
{DATA_HELP}
  vot_reset    the sequences of list.txt, in the protocol of VOT2013 to VOT2019; the submission is the
               folder of an experiment, results/<tracker>/<experiment> of a workspace
  vot_anchor   the same in the protocol of VOT2020 to VOT2022

examples
  python tools/submissions/check_submission.py got10k work_dirs/got10k/got10k.zip data/got10k
  python tools/submissions/check_submission.py davis2017 davis2017.zip data/DAVIS \\
      --options ann_file=ImageSets/2017/test-dev.txt --notes

exit code: 0 no error, 1 errors, 2 wrong usage

the rules and where they are from: docs/submissions.md
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Check as the arguments say; returns the exit status."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if not args.submission.exists():
        parser.error(f'there is no submission at {args.submission}')
    submission = build_submission(args, parser)
    sequences = read_expected(submission, args, parser)
    kept: list[Issue] = []
    issues = check_submission(submission, sequences, args.submission, progress=True)
    try:
        failed = print_issues(_keep(issues, kept), args.notes)
    except ValueError as error:
        return report_error(error)
    if args.json:
        args.json.write_text(json.dumps([asdict(issue) for issue in kept], indent=1))
    return int(failed)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('benchmark', choices=BENCHMARKS, help='whose rules hold')
    parser.add_argument('submission', type=Path, help='its zip file or folder')
    add_data_arguments(parser)
    parser.add_argument('--json', type=Path, metavar='FILE', help='also write all issues to FILE')
    return parser


def _keep(issues: Iterator[Issue], kept: list[Issue]) -> Iterator[Issue]:
    for issue in issues:
        kept.append(issue)
        yield issue


if __name__ == '__main__':
    raise SystemExit(main())
