"""Look at where a tracker fails: the worst frames of the worst sequences. See ``--help``."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mmpolar.cli.arguments import add_old_option, check_counts, tool_parser
from mmpolar.cli.errors import run_or_explain
from mmpolar.cli.inputs import add_input_arguments, build_dataset, open_results, read_plain_config
from mmpolar.datasets import BaseTrackDataset
from mmpolar.evaluation.failures import MEASURES, Failure, score_frames, worst_sequences
from mmpolar.evaluation.replay import TrackReplay, has_masks
from mmpolar.evaluation.result_folder import ResultFolder
from mmpolar.utils.image import write_image
from mmpolar.utils.progress import progress_bar
from mmpolar.utils.tables import text_table, write_csv
from mmpolar.visualization.draw import contact_sheet
from mmpolar.visualization.failure_row import draw_row

DESCRIPTION = """\
Draw the worst frames of the worst sequences as a contact sheet, a row a sequence: the course of the
metric over the frames with those shown marked in red, the frame in which the target was given, and the
worst frames in order of time. A cell shows the part of the frame that holds both targets.

green    ground truth: contour of the mask, and box where boxes rank or are all there is
orange   the tracker: box, contour, tinted mask

A sequence ranks by its mean metric, a frame by its own. Frames next to a worse one are passed over
(--gap), as they show the same failure. Beside the sheet: failures.csv, the metrics of the frames shown."""

EPILOG = """\
examples:
  python tools/test.py CONFIG CHECKPOINT --out results/a
  python tools/analysis_tools/browse_failures.py CONFIG results/a
  contours rather than boxes, more of them, one file a sequence:
    python tools/analysis_tools/browse_failures.py CONFIG results/a --by F --sequences 20 \\
        --frames 6 --single
  only the sequences named:
    python tools/analysis_tools/browse_failures.py CONFIG results/a --only bear camel

what to look for
  A metric that falls at once and stays at 0: the tracker went over to something else; look at the
  first frame of the fall. One that sags now and then: the box holds, the contour does not. Marks all
  over a level line: nothing is wrong here but the metric's own ceiling (docs/metrics.md)."""


def main(argv: Sequence[str] | None = None) -> None:
    """Draw as the arguments say; ``argv`` defaults to those of the command line."""
    run_or_explain(run, parse_args(argv))


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG)
    add_input_arguments(parser, several=False)
    parser.add_argument(
        '--by',
        choices=MEASURES,
        help='what ranks: overlap of the boxes, region similarity J or boundary accuracy F of the '
        'masks (default: J where there are masks, else iou)',
    )
    parser.add_argument(
        '--sequences', type=int, default=8, help='sequences to show (default: %(default)s)'
    )
    parser.add_argument(
        '--frames', type=int, default=4, help='frames of each sequence (default: %(default)s)'
    )
    parser.add_argument(
        '--gap',
        type=int,
        default=5,
        help='frames between two shown, at least (default: %(default)s)',
    )
    parser.add_argument(
        '--cell', type=int, default=320, metavar='PX', help='width of a cell (default: %(default)s)'
    )
    parser.add_argument('--only', nargs='+', metavar='SEQUENCE', help='sequences to choose from')
    parser.add_argument(
        '--single', action='store_true', help='also write a image for each sequence'
    )
    out = parser.add_argument(
        '--out',
        metavar='DIR',
        default='work_dirs/browse_failures',
        help='folder for failures.png and failures.csv (default: %(default)s)',
    )
    add_old_option(parser, '--out-dir', out)
    args = parser.parse_args(argv)
    check_counts(args, parser, 'sequences', 'frames', 'gap')
    if args.cell < 64:
        parser.error(f'--cell must be at least 64, got {args.cell}')
    return args


def run(args: argparse.Namespace) -> None:
    """Score, choose, draw and write."""
    dataset = build_dataset(read_plain_config(args), args.config)
    (folder,), tracks = open_results([args.results], dataset, args.common)
    tracks = select_tracks(dataset, tracks, args.only)
    masks = folder.has_masks and has_masks(dataset)
    if args.by in ('J', 'F') and not masks:
        raise ValueError(
            f'--by {args.by} needs masks, which the dataset or the results lack; say --by iou'
        )
    by = args.by or ('J' if masks else 'iou')
    scores = score_frames(dataset, folder, tracks, masks, args.workers)
    failures = worst_sequences(scores, by, args.sequences, args.frames, args.gap)
    if not failures:
        raise ValueError(f'no frame of the sequences has a value of {by}')
    write(failures, dataset, folder, by, args)


def select_tracks(
    dataset: BaseTrackDataset, tracks: Sequence[int], names: Sequence[str] | None
) -> list[int]:
    """The tracks of these names.

    Raises:
        ValueError: If there is no such track.
    """
    if names is None:
        return list(tracks)
    by_name = {dataset.get_track(index).video_name: index for index in tracks}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise ValueError(f'there is no sequence {", ".join(unknown)}; see {dataset.data_root}')
    return [by_name[name] for name in names]


def write(
    failures: Sequence[Failure],
    dataset: BaseTrackDataset,
    folder: ResultFolder,
    by: str,
    args: argparse.Namespace,
) -> None:
    """The sheet, the table and, if wanted, a image a sequence."""
    out_dir = Path(args.out)
    out_dir.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, failure in enumerate(progress_bar(failures, desc='drawing', unit='video'), start=1):
        replay = TrackReplay(dataset, failure.track_id, folder)
        cells, captions = draw_row(failure, replay, by, args.frames, args.cell)
        row = contact_sheet(cells, args.frames + 2, captions)
        rows.append(row)
        if args.single:
            write_image(out_dir / f'{number:03d}_{failure.name.replace("/", "_")}.png', row)
    write_image(out_dir / 'failures.png', np.vstack(rows))
    header = ['sequence', 'frame', *failures[0].values, 'score', 'image']
    table = [line for failure in failures for line in table_lines(failure, dataset, folder)]
    write_csv(out_dir / 'failures.csv', header, table)
    print(text_table(header[:-1], [line[:-1] for line in table]))
    print(f'{len(failures)} sequences by {by}; sheet and table: {out_dir}')


def table_lines(
    failure: Failure, dataset: BaseTrackDataset, folder: ResultFolder
) -> Iterator[list[str | int | float]]:
    """Metrics of the frames shown."""
    track = dataset.get_track(failure.track_id)
    scores = folder.read(failure.name, track.frames).scores
    for frame in failure.frames:
        metrics = [float(values[frame]) for values in failure.values.values()]
        score = float(scores[frame])
        yield [failure.name, frame, *metrics, score, track.frames[frame]]


if __name__ == '__main__':
    main()
