"""Plot several trackers' results in one plot. See ``--help``."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

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
from mmpolar.evaluation.functional import (
    NORMALIZED_THRESHOLDS,
    PRECISION_PIXELS,
    PRECISION_THRESHOLDS,
    SUCCESS_THRESHOLDS,
    scored_frames,
    success_curve,
)
from mmpolar.evaluation.metrics import DavisMetric, OPEMetric
from mmpolar.evaluation.replay import Summary, has_masks, score_results
from mmpolar.evaluation.result_folder import ResultFolder
from mmpolar.utils.outputs import check_outputs
from mmpolar.utils.tables import text_table, write_csv, write_json
from mmpolar.visualization.result_plots import ResultCurve, ResultPanel, plot_results

BOX, MASK = 'box', 'mask'
#: Quality J and F of a frame are in [0, 1], as an overlap is: they get the success plot's axis.
MASK_THRESHOLDS = SUCCESS_THRESHOLDS

DESCRIPTION = """\
Plot the results of several trackers on one dataset in one plot, with the means in the legends.

boxes   success over overlap thresholds [mean], precision over pixels [at 20 px], normalised precision
        [mean up to 0.5], as OTB, LaSOT, TrackingNet and UAV123 do
masks   share of frames above each J and each F [mean J, mean F], and J&F of the sequences from the best
        to the worst [mean]; drawn where the dataset has masks, of the trackers that drew some

Beside the plot, with its name: .csv, a row a tracker, and .json with curves and the metrics of each
sequence. The metrics are those of OPEMetric and DavisMetric (docs/metrics.md)."""

EPILOG = """\
examples:
  python tools/test.py CONFIG_A CHECKPOINT_A --out results/a
  python tools/test.py CONFIG_B CHECKPOINT_B --out results/b
  python tools/analysis_tools/plot_results.py CONFIG_A results/a results/b --out plots/both.png
  names of your own, all conventions of LaSOT's toolkit, in a format for papers:
    python tools/analysis_tools/plot_results.py CONFIG ours=results/a theirs=results/b \\
        --absent miss --out plots/lasot.pdf"""


@dataclass(frozen=True)
class TrackerScores:
    """What one tracker reached; ``masks`` is None where masks were not scored.

    Each is what a metric gave: ``sequences``, a list, and ``means``.
    """

    name: str
    boxes: dict[str, Any] | None
    masks: dict[str, Any] | None


def main(argv: Sequence[str] | None = None) -> None:
    """Plot as the arguments say; ``argv`` defaults to those of the command line."""
    run_or_explain(run, parse_args(argv))


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG)
    add_input_arguments(parser, several=True)
    parser.add_argument('--out', required=True, metavar='FILE', help='plot: .png, .pdf or .svg')
    parser.add_argument(
        '--show',
        nargs='+',
        choices=(BOX, MASK),
        default=(BOX, MASK),
        help='what to plot (default: all that there is)',
    )
    parser.add_argument('--title', default='', help='heading of the plot')
    add_ope_arguments(parser)
    parser.add_argument_group('conventions of masks').add_argument(
        '--keep-last',
        action='store_true',
        help="count the last frame too, which DAVIS's toolkits leave out",
    )
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> None:
    """Score, draw, write and print."""
    table, numbers = (Path(args.out).with_suffix(suffix) for suffix in ('.csv', '.json'))
    check_outputs(
        {'--out': args.out, 'its table': table, 'its numbers': numbers}, {'the config': args.config}
    )
    dataset = build_dataset(read_plain_config(args), args.config)
    folders, tracks = open_results(args.results, dataset, args.common)
    trackers = [score(folder, dataset, tracks, args) for folder in folders]
    panels = box_panels(trackers) + mask_panels(trackers, not args.keep_last)
    if not panels:
        raise ValueError('there are no masks to plot; leave out "--show mask"')
    plot_results(panels, args.out, title=args.title)
    header, rows = metric_table(trackers)
    write_csv(table, header, rows)
    write_json(numbers, report(trackers, panels, args))
    print(text_table(header, rows))
    print(f'{len(tracks)} sequences; plot, .csv and .json: {args.out}')


def score(
    folder: ResultFolder, dataset: BaseTrackDataset, tracks: list[int], args: argparse.Namespace
) -> TrackerScores:
    """Metrics of one tracker."""
    metrics = {}
    if BOX in args.show:
        metrics[BOX] = OPEMetric(absent=args.absent, first_frame=args.first_frame)
    if MASK in args.show and folder.has_masks and has_masks(dataset):
        metrics[MASK] = DavisMetric(skip_last=not args.keep_last)
    scored = score_results(
        dataset,
        folder,
        list(metrics.values()),
        masks=MASK in metrics,
        tracks=tracks,
        workers=args.workers,
    )
    found = {
        kind: dict(sequences=sequences, means=metric.average(sequences))
        for (kind, metric), sequences in zip(metrics.items(), scored, strict=True)
    }
    return TrackerScores(folder.name, found.get(BOX), found.get(MASK))


def box_panels(trackers: Sequence[TrackerScores]) -> list[ResultPanel]:
    """Success, precision and normalised precision; none if boxes were not scored."""
    scored = [(one.name, one.boxes) for one in trackers if one.boxes is not None]
    if not scored:
        return []
    layout = (
        ('success', 'success [mean]', 'overlap', SUCCESS_THRESHOLDS, None),
        (
            'precision',
            f'precision [at {PRECISION_PIXELS:.0f} px]',
            'distance of the centres in pixels',
            PRECISION_THRESHOLDS,
            PRECISION_PIXELS,
        ),
        (
            'norm_precision',
            'normalised precision [mean]',
            'distance in sizes of the target',
            NORMALIZED_THRESHOLDS,
            None,
        ),
    )
    return [
        ResultPanel(
            title,
            x_label,
            'share of frames',
            thresholds,
            [
                ResultCurve(name, boxes['means'][key], mean_curve(boxes['sequences'], key))
                for name, boxes in scored
            ],
            mark,
        )
        for key, title, x_label, thresholds, mark in layout
    ]


def mean_curve(sequences: Sequence[Summary], key: str) -> np.ndarray:
    """Mean of a curve over the sequences that have one, (N,)."""
    curves = np.array([sequence['curves'][key] for sequence in sequences])
    known = curves[~np.isnan(curves).any(axis=1)]
    return known.mean(axis=0) if len(known) else np.full(curves.shape[1], np.nan)


def mask_panels(trackers: Sequence[TrackerScores], skip_last: bool) -> list[ResultPanel]:
    """Shares of frames over J and F, and J&F of the sequences; none if masks were not scored."""
    scored = [(one.name, one.masks) for one in trackers if one.masks is not None]
    if not scored:
        return []
    panels = [
        ResultPanel(
            f'{key} [mean]',
            f'{key} of a frame',
            'share of frames above',
            MASK_THRESHOLDS,
            [
                ResultCurve(
                    name,
                    masks['means'][f'{key}_mean'],
                    share_above(masks['sequences'], key, skip_last),
                )
                for name, masks in scored
            ],
        )
        for key in ('J', 'F')
    ]
    count = max(2, len(scored[0][1]['sequences']))
    by_rank = [
        ResultCurve(name, masks['means']['J_and_F'], ranked(masks['sequences'], count))
        for name, masks in scored
    ]
    title, x_label = 'J&F [mean]', 'share of sequences, the best first'
    panels.append(ResultPanel(title, x_label, 'J&F', np.linspace(0, 1, count), by_rank))
    return panels


def share_above(sequences: Sequence[Summary], key: str, skip_last: bool) -> np.ndarray:
    """Mean over the sequences of the share of frames above each threshold, (21,)."""
    curves = []
    for sequence in sequences:
        values = sequence['frames'][key]
        curves.append(success_curve(np.array(values[scored_frames(len(values), skip_last)])))
    return np.nanmean(curves, axis=0)


def ranked(sequences: Sequence[Summary], count: int) -> np.ndarray:
    """J&F of the sequences, the highest first, then NaN, (count,); one alone is a level line."""
    values = np.array([sequence['values']['J_and_F'] for sequence in sequences])
    if len(values) == 1:
        return np.repeat(values, count)
    return np.concatenate([-np.sort(-values[~np.isnan(values)]), values[np.isnan(values)]])


def metric_table(
    trackers: Sequence[TrackerScores],
) -> tuple[list[str], list[list[str | float]]]:
    """Header and rows: all metrics of each tracker, NaN where it has none."""
    columns = [
        *(OPEMetric.columns if any(one.boxes for one in trackers) else ()),
        *(DavisMetric.columns if any(one.masks for one in trackers) else ()),
    ]
    rows = []
    for one in trackers:
        means: dict[str, float] = {}
        for part in filter(None, (one.boxes, one.masks)):
            means |= part['means']
        rows.append([one.name, *(means.get(column, float('nan')) for column in columns)])
    return ['tracker', *columns], rows


def report(
    trackers: Sequence[TrackerScores], panels: Sequence[ResultPanel], args: argparse.Namespace
) -> dict[str, Any]:
    """All metrics, of each sequence too, and the curves as drawn."""
    conventions = dict(
        absent=args.absent, first_frame=args.first_frame, skip_last=not args.keep_last
    )
    curves = [
        dict(
            title=panel.title,
            x=panel.x.tolist(),
            y={curve.name: curve.y.tolist() for curve in panel.curves},
        )
        for panel in panels
    ]
    return dict(
        config=args.config,
        conventions=conventions,
        trackers={one.name: dict(boxes=_metrics(one.boxes), masks=_metrics(one.masks))
                  for one in trackers},
        curves=curves,
    )  # fmt: skip


def _metrics(scored: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if scored is None:
        return None
    sequences = {one['video_name']: one['values'] for one in scored['sequences']}
    return dict(mean=scored['means'], sequences=sequences)


if __name__ == '__main__':
    main()
