"""Metrics of several trackers by attribute of the sequences. See ``--help``."""

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmpolar.cli.arguments import tool_parser
from mmpolar.cli.errors import run_or_explain
from mmpolar.cli.inputs import (
    add_input_arguments,
    add_ope_arguments,
    build_dataset,
    open_results,
    read_plain_config,
)
from mmpolar.datasets import BaseTrackDataset
from mmpolar.datasets.attributes import LONG_NAMES, Attributes, read_attributes
from mmpolar.evaluation.metrics import OPEMetric
from mmpolar.evaluation.replay import TrackReplay, score_results
from mmpolar.evaluation.result_folder import ResultFolder
from mmpolar.utils.outputs import check_outputs
from mmpolar.utils.progress import progress_bar
from mmpolar.utils.tables import text_table, write_csv, write_json

#: Row with the metrics of all sequences.
ALL = 'all'
SHOWN = ('success', 'precision', 'norm_precision')

DESCRIPTION = """\
Success and precision of several trackers for each attribute of the sequences, such as occlusion.

OTB, LaSOT, UAV123   an attribute belongs to a sequence; a row is the mean over the sequences that have
                     it. The files are those of the benchmark's toolkit, a 0 or 1 a column, one file a
                     sequence, in DATA_ROOT/att (OTB, LaSOT), where UAV123 has them
                     (DATA_ROOT/anno/UAV123/att), or in the folder that --attributes names.
VOT                  an attribute belongs to a frame (occlusion.tag and so on); a row is the mean of
                     all those frames together, whichever sequence they are in; "none" has the frames
                     without any.
your own data        --attributes FILE.json with {"sequence": ["attribute", ...], ...}

The metrics are those of OPEMetric (docs/metrics.md). --out FILE.json writes all of them, and FILE.csv."""

EPILOG = """\
examples:
  python tools/analysis_tools/attribute_table.py CONFIG results/a results/b
  python tools/analysis_tools/attribute_table.py CONFIG ours=results/a theirs=results/b \\
      --attributes LaSOT_Evaluation_Toolkit/annos/att --absent miss --out tables/lasot.json"""

#: Metrics by attribute, then by tracker, then by name.
Table = dict[str, dict[str, dict[str, float]]]


def main(argv: Sequence[str] | None = None) -> None:
    """Compute the table as the arguments say; ``argv`` defaults to those of the command line."""
    run_or_explain(run, parse_args(argv))


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG)
    add_input_arguments(parser, several=True)
    parser.add_argument(
        '--attributes',
        metavar='PATH',
        help='folder with the files of the attributes, or a JSON file',
    )
    parser.add_argument('--out', metavar='FILE.json', help='write the table; also as FILE.csv')
    add_ope_arguments(parser)
    args = parser.parse_args(argv)
    if args.out is not None and not args.out.endswith('.json'):
        parser.error(f'--out must end in .json, got {args.out!r}')
    return args


def run(args: argparse.Namespace) -> None:
    """Read, score, print and write."""
    check_outputs({'--out': args.out}, {'the config': args.config, '--attributes': args.attributes})
    dataset = build_dataset(read_plain_config(args), args.config)
    attributes = read_attributes(dataset, args.attributes)
    folders, tracks = open_results(args.results, dataset, args.common)
    metric = OPEMetric(absent=args.absent, first_frame=args.first_frame)
    table: Table = {}
    for folder in folders:
        by_attribute = score_attributes(dataset, folder, tracks, attributes, metric, args.workers)
        for attribute, values in by_attribute.items():
            table.setdefault(attribute, {})[folder.name] = values
    counts = count_members(dataset, tracks, attributes)
    unit = 'frames' if belongs_to_frames(attributes) else 'sequences'
    print_tables(table, counts, unit)
    if args.out is not None:
        write(table, counts, unit, args.out)
        print(f'written: {args.out} and {Path(args.out).with_suffix(".csv")}')


def belongs_to_frames(attributes: Attributes) -> bool:
    """Whether attributes belong to frames; otherwise to sequences."""
    return any(frames is not None for of in attributes.values() for frames in of.values())


def count_members(
    dataset: BaseTrackDataset, tracks: Sequence[int], attributes: Attributes
) -> dict[str, int]:
    """How many of the sequences, or of their frames, have each attribute, and all of them."""
    lengths = {
        dataset.get_track(index).video_name: dataset.get_len_per_video(index) for index in tracks
    }
    if belongs_to_frames(attributes):
        total = sum(lengths.values())
        counts = {
            attribute: sum(int(f.sum()) for name, f in of.items() if name in lengths)
            for attribute, of in attributes.items()
        }
    else:
        total = len(lengths)
        counts = {
            attribute: sum(name in lengths for name in of) for attribute, of in attributes.items()
        }
    return counts | {ALL: total}


def score_attributes(
    dataset: BaseTrackDataset,
    folder: ResultFolder,
    tracks: Sequence[int],
    attributes: Attributes,
    metric: OPEMetric,
    workers: int,
) -> dict[str, dict[str, float]]:
    """Metrics of one tracker by attribute; those of all sequences come last."""
    if belongs_to_frames(attributes):
        return score_frames(dataset, folder, tracks, attributes, metric)
    (sequences,) = score_results(
        dataset, folder, [metric], masks=False, tracks=tracks, workers=workers
    )
    found = {}
    for attribute, members in attributes.items():
        chosen = [one for one in sequences if one['video_name'] in members]
        found[attribute] = metric.average(chosen) if chosen else unknown_metrics()
    return found | {ALL: metric.average(sequences)}


def score_frames(
    dataset: BaseTrackDataset,
    folder: ResultFolder,
    tracks: Sequence[int],
    attributes: Attributes,
    metric: OPEMetric,
) -> dict[str, dict[str, float]]:
    """Metrics of one tracker over the frames of each attribute, pooled over the sequences."""
    replays = [TrackReplay(dataset, index, folder, masks=False) for index in tracks]
    states = {attribute: metric.start(replays[0][0]) for attribute in (*attributes, ALL)}
    for frames in progress_bar(replays, desc=folder.name, unit='video'):
        members = {name: of.get(frames.name) for name, of in attributes.items()}
        for number, frame in enumerate(frames):
            metric.add(states[ALL], frame)
            for attribute, chosen in members.items():
                if chosen is not None and chosen[number]:
                    metric.add(states[attribute], frame)
    return {name: metric.summarize(state)['values'] for name, state in states.items()}


def unknown_metrics() -> dict[str, float]:
    """The metrics of no sequence."""
    return dict.fromkeys(OPEMetric.columns, math.nan)


def print_tables(table: Table, counts: Mapping[str, int], unit: str) -> None:
    """One table a metric: a row an attribute, a column a tracker."""
    trackers = list(table[ALL])
    for name in SHOWN:
        rows = [
            [
                attribute,
                LONG_NAMES.get(attribute, ''),
                counts[attribute],
                *(table[attribute][tracker][name] for tracker in trackers),
            ]
            for attribute in table
        ]
        print(f'\n{name}')
        print(text_table(['attribute', 'meaning', unit, *trackers], rows, total=True))


def write(table: Table, counts: Mapping[str, int], unit: str, out: str) -> None:
    """The table as JSON, and as CSV with a row for each attribute and tracker."""
    content = [
        dict(
            attribute=attribute,
            meaning=LONG_NAMES.get(attribute, ''),
            count=counts[attribute],
            trackers=of_trackers,
        )
        for attribute, of_trackers in table.items()
    ]
    write_json(out, dict(unit=unit, attributes=content))
    rows = [
        [attribute, counts[attribute], tracker, *(metrics[key] for key in OPEMetric.columns)]
        for attribute, of_trackers in table.items()
        for tracker, metrics in of_trackers.items()
    ]
    header = ['attribute', unit, 'tracker', *OPEMetric.columns]
    write_csv(Path(out).with_suffix('.csv'), header, rows)


if __name__ == '__main__':
    main()
