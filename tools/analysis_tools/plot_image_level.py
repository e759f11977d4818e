"""Plot what ImageLevelMetric has reported. See ``--help``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmpolar.cli.arguments import tool_parser
from mmpolar.cli.errors import run_or_explain
from mmpolar.evaluation.image_level_report import read_pr_curve
from mmpolar.utils.outputs import check_outputs
from mmpolar.visualization import plot_pr_curves

DESCRIPTION = """\
Plot precision, and false alarms per 10,000 negatives, over recall: the curves of one or more reports that
ImageLevelMetric wrote to its out_file. The thresholds, precisions and recalls that the config asks for are
marked."""

EPILOG = """\
examples:
  python tools/analysis_tools/plot_image_level.py work_dirs/mined/image_level.json
  python tools/analysis_tools/plot_image_level.py mined=a/image_level.json random=b/image_level.json \\
      --out curves.png"""


def main(argv: Sequence[str] | None = None) -> None:
    """Plot as the arguments say; ``argv`` defaults to those of the command line."""
    run_or_explain(run, parse_args(argv))


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG)
    parser.add_argument(
        'reports',
        nargs='+',
        metavar='NAME=REPORT',
        help='a report, .json; without NAME= its path names the curve',
    )
    parser.add_argument(
        '--out',
        metavar='FILE',
        help="plot: .png, .pdf or .svg (default: the only report's name, as .png)",
    )
    args = parser.parse_args(argv)
    if args.out is None and len(args.reports) > 1:
        parser.error('several reports need --out FILE')
    return args


def run(args: argparse.Namespace) -> None:
    """Read, plot and say where the plot is."""
    paths = dict(split_name(text) for text in args.reports)
    if len(paths) < len(args.reports):
        raise ValueError('the curves must differ in name; say NAME=REPORT')
    out = args.out or Path(*paths.values()).with_suffix('.png')
    check_outputs({'--out': out}, {f'the report {path}:': path for path in paths.values()})
    curves, marks = {}, {}
    for name, path in paths.items():
        label = name if len(paths) > 1 else ''
        curves[label], points = read_pr_curve(path)
        marks |= {f'{label} {title}'.strip(): point for title, point in points.items()}
    plot_pr_curves(curves, out, marks)
    print(f'written: {out}')


def split_name(text: str) -> tuple[str, str]:
    """Name and path that ``NAME=REPORT`` or ``REPORT`` means."""
    name, sign, path = text.partition('=')
    return (name, path) if sign and not Path(text).exists() else (text, text)


if __name__ == '__main__':
    main()
