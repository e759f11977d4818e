"""Write docs/model_zoo.md from the published checkpoints and what was measured with them.

See ``--help``.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.shared.marked_part import MarkedPart
from mmpolar.cli.arguments import tool_parser
from mmpolar.cli.errors import usage_error
from mmpolar.model_zoo import PACKAGE_FOLDER
from mmpolar.utils.checkpoints import (
    CheckpointReadError,
    ReleaseCheckpoint,
    read_release_checkpoint,
)
from mmpolar.utils.tables import write_json

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / 'docs/model_zoo.md'
RESULTS = ROOT / 'docs/model_zoo.json'
#: Name of the part of the page that is written.
PART = 'models'

#: Columns of the tables of metrics, by their names in the report of TrackSegMetric.
METRICS = {
    'iou': 'box overlap',
    'J': 'J',
    'F': 'F',
    'T': 'T',
    'J_box': 'J of the filled box',
    'static_iou': 'box that never moves',
    'ceiling': 'ceiling of J',
}
#: What the benchmark of speed calls the configs.
SPEED_NAMES = {
    'ocean-polar_effnet-lite0_natural': 'lite0',
    'ocean-polar_effnet-lite0-tiny_natural': 'tiny',
    'ocean-polar_r50_natural': 'r50',
}
_STEP = 'tracking step at '
_MACHINE = ('processor', 'threads', 'torch', 'onnxruntime')
_NOT_MEASURED = 'not measured'
#: What tools/train.py --amp makes of the optimizer's wrapper.
_HALF_PRECISION = ('AmpOptimWrapper', 'Bfloat16OptimWrapper')

DESCRIPTION = """\
Write the part of docs/model_zoo.md between its marks: for each published checkpoint of the package what
it says about itself, and the metrics that were measured with it. They are kept in
docs/model_zoo.json with the hash of the weights they belong to; those of other weights are dropped.

--report takes what testing wrote; --speed takes what the benchmark wrote. The page has the commands."""

EPILOG = """\
examples
  after a checkpoint was published:
    python -m benchmarks.model_zoo_page
  after it was tested and timed:
    python -m benchmarks.model_zoo_page \\
        --report NAME=work_dirs/model_zoo/NAME.json --speed work_dirs/model_zoo/speed.json
  does the page agree with the files?
    python -m benchmarks.model_zoo_page --check"""


def main(argv: list[str] | None = None) -> int:
    """Write or check as the arguments say; returns the exit status."""
    args = parse_args(argv)
    try:
        models = [read_release_checkpoint(path) for path in sorted(Path(args.folder).glob('*.pth'))]
        results = current_results(models, read_json(Path(args.results)))
        for name, path in args.report.items():
            results[find(models, name).name]['validation'] = read_report(path)
        for path in args.speed:
            add_speed(results, read_json(path, required=True), path)
        text = MarkedPart(Path(args.page), PART).replaced(render(models, results))
    except (FileNotFoundError, CheckpointReadError, ValueError) as error:
        usage_error(error)
    if args.check:
        return check(text == Path(args.page).read_text(encoding='utf-8'), args.page)
    Path(args.page).write_text(text, encoding='utf-8')
    write_json(args.results, results)
    measured = sum('validation' in entry for entry in results.values())
    print(f'wrote {args.page}: {len(models)} models, {measured} of them with metrics')
    return 0


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG, 'python -m benchmarks.model_zoo_page')
    parser.add_argument(
        '--report',
        nargs='+',
        default=[],
        metavar='NAME=FILE',
        help='report of TrackSegMetric (its out_file) for a model, on the validation data',
    )
    parser.add_argument(
        '--speed', nargs='+', default=[], metavar='FILE', help='result of benchmarks.speed --json'
    )
    parser.add_argument(
        '--check', action='store_true', help='write nothing; status 1 if it differs'
    )
    parser.add_argument('--page', default=str(PAGE), help='(default: docs/model_zoo.md)')
    parser.add_argument('--results', default=str(RESULTS), help='(default: docs/model_zoo.json)')
    parser.add_argument(
        '--folder', default=str(PACKAGE_FOLDER), help='published checkpoints (default: the package)'
    )
    args = parser.parse_args(argv)
    pairs = [item.partition('=') for item in args.report]
    if not all(name and path for name, _, path in pairs):
        parser.error('--report takes NAME=FILE')
    args.report = {name: path for name, _, path in pairs}
    return args


def check(agrees: bool, page: str) -> int:
    """Say whether the page is up to date; the exit status."""
    if agrees:
        print(f'{page} agrees with the published checkpoints')
        return 0
    print(
        f'{page} does not agree with the published checkpoints; write it anew: '
        'python -m benchmarks.model_zoo_page',
        file=sys.stderr,
    )
    return 1


def current_results(
    models: Sequence[ReleaseCheckpoint], results: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Results of each model; those of other weights are left out."""
    current = {}
    for model in models:
        entry = results.get(model.name, {})
        of_these_weights = entry.get('weights_sha256') == model.weights_sha256
        current[model.name] = (
            dict(entry) if of_these_weights else dict(weights_sha256=model.weights_sha256)
        )
    return current


def find(models: Sequence[ReleaseCheckpoint], name: str) -> ReleaseCheckpoint:
    """The model of that name.

    Raises:
        ValueError: If there is none.
    """
    for model in models:
        if model.name == name:
            return model
    names = ', '.join(model.name for model in models) or 'none'
    raise ValueError(f'there is no published model {name!r}; there are: {names}')


def read_json(path: str | Path, required: bool = False) -> dict[str, Any]:
    """Content of a file; empty if it need not be there and is not.

    Raises:
        FileNotFoundError: If it is required and not there.
        ValueError: If it is no JSON.
    """
    path = Path(path)
    if not path.is_file():
        if required:
            raise FileNotFoundError(f'there is no file {path}')
        return {}
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except json.JSONDecodeError as error:
        raise ValueError(f'{path} is no JSON: {error}') from error


def read_report(path: str) -> dict[str, Any]:
    """What the page shows of a report of TrackSegMetric.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is none, or has incomplete sequences.
    """
    report = read_json(path, required=True)
    if 'n_rays' not in report or 'sequences' not in report:
        raise ValueError(f'{path} is no report of TrackSegMetric; test with its out_file set')
    if report.get('incomplete'):
        raise ValueError(f'{path} lacks frames of {", ".join(report["incomplete"])}; test again')
    return dict(
        n_rays=report['n_rays'],
        mean=_rounded(report['mean']),
        intervals={
            name: [round(end, 4) for end in ends]
            for name, ends in report['intervals'].items()
            if name in METRICS and None not in ends
        },
        quarters={
            name: [round(mean, 4) for mean in means] for name, means in report['quarters'].items()
        },
        sequences=[
            dict(name=s['video_name'], frames=s['n_frames'], values=_rounded(s['values']))
            for s in report['sequences']
        ],
    )


def add_speed(
    results: Mapping[str, dict[str, Any]], benchmark: Mapping[str, Any], path: str
) -> None:
    """Take the tracking steps of the models out of a result of the benchmark.

    Raises:
        ValueError: If it is none, or times none of the models.
    """
    parts = {part['name']: part for part in benchmark.get('parts', [])}
    if not {'machine', 'tracking'} <= set(parts):
        raise ValueError(f'{path} is no result of benchmarks.speed --only tracking --json')
    machine = {key: value for key, value in parts['machine']['facts'].items() if key in _MACHINE}
    timed = 0
    for name, entry in results.items():
        start = f'{SPEED_NAMES.get(name, name)}, '
        rows = [
            dict(
                way=row['way'].removeprefix(start),
                size=row['task'].removeprefix(_STEP),
                **{key: round(value, 2) for key, value in row['spread'].items()},
            )
            for row in parts['tracking']['rows']
            if row['task'].startswith(_STEP) and row['way'].startswith(start)
        ]
        if rows:
            entry['speed'] = dict(machine=machine, rows=rows)
            timed += 1
    if not timed:
        raise ValueError(f'{path} times none of {", ".join(results) or "no models"}')


def render(models: Sequence[ReleaseCheckpoint], results: Mapping[str, Mapping[str, Any]]) -> str:
    """All that the page says about the models, in Markdown."""
    if not models:
        return 'No trained tracker is part of this copy of mmpolar.'
    parts = [_overview(models, results)]
    parts += [_section(model, results[model.name]) for model in models]
    return '\n\n'.join(parts)


def _overview(models: Sequence[ReleaseCheckpoint], results: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [['model', 'licence', 'numbers', 'file', *METRICS.values(), 'ms a frame']]
    for model in models:
        entry = results[model.name]
        means = entry.get('validation', {}).get('mean', {})
        rows.append(
            [
                f'[`{model.name}`](#{model.name})',
                model.facts.licence,
                f'{model.parameters / 1e6:.2f} M',
                f'{model.path.stat().st_size / 1e6:.1f} MB',
                *(_share(means.get(name)) for name in METRICS),
                _first_speed(entry),
            ]
        )
    return _table(rows)


def _section(model: ReleaseCheckpoint, entry: Mapping[str, Any]) -> str:
    facts = model.facts
    config = f'configs/ocean_polar/{model.name}.py'
    kind = 'moving average of the weights' if facts.averaged else 'weights of the last step'
    said = [
        ['config', f'[`{config}`](../{config}); the file holds it resolved{_calibration(model)}'],
        ['data', facts.data],
        ['training', f'{facts.epochs} epochs, {facts.iterations} steps, seed {facts.seed}; {kind}'],
        ['time and machine', f'{facts.training_time}; {facts.machine}; {facts.trained_on}'],
        ['weights', f'sha256 `{model.weights_sha256}`'],
        ['published by', f'mmpolar {model.mmpolar_version}'],
        ['licence of the weights', facts.licence],
    ]
    lines = [f'## {model.name}', _table([['', ''], *said])]
    half = ' --amp' if model.config.optim_wrapper.type in _HALF_PRECISION else ''
    lines.append(_code(f'python tools/train.py {config}{half}', 'trains it'))
    lines += _validation(model.name, config, entry.get('validation'))
    lines += _speed(model.name, entry.get('speed'))
    return '\n\n'.join(lines)


def _calibration(model: ReleaseCheckpoint) -> str:
    """What was fitted to the weights after the training and is in the file alone."""
    tracking = model.config.model.get('test_cfg') or {}
    fitted = {
        name: tracking[f'score_{name}']
        for name in ('slope', 'offset')
        if f'score_{name}' in tracking
    }
    listed = ', '.join(f'{name} {value:g}' for name, value in fitted.items())
    return f', with the calibration of its score ({listed})' if fitted else ''


def _validation(name: str, config: str, validation: Mapping[str, Any] | None) -> list[str]:
    command = (
        f'python tools/test.py {config} mmpolar/model_zoo/{name}.pth \\\n'
        f'    --cfg-options test_evaluator.out_file=work_dirs/model_zoo/{name}.json'
    )
    shown = [_code(command, 'gives the metrics below, on the validation data of the config')]
    if validation is None:
        return [*shown, f'Metrics: {_NOT_MEASURED}.']
    rows = [['sequence', 'frames', *METRICS.values()]]
    for sequence in validation['sequences']:
        cells = (_share(sequence['values'].get(key)) for key in METRICS)
        rows.append([f'`{sequence["name"]}`', str(sequence['frames']), *cells])
    total = sum(sequence['frames'] for sequence in validation['sequences'])
    means = (_share(validation['mean'].get(key)) for key in METRICS)
    rows.append(['**mean**', str(total), *means])
    ends = (validation['intervals'].get(key) for key in METRICS)
    cells = ('' if pair is None else f'{_share(pair[0])} to {_share(pair[1])}' for pair in ends)
    rows.append(['95 % interval', '', *cells])
    note = (
        "From the first frame's box, frame 0 left out. The ceiling is the J of a perfect contour of "
        f'{validation["n_rays"]} rays. The interval is a bootstrap over the sequences; T is the temporal '
        'stability, lower is steadier.'
    )
    quarters = [['', 'first quarter', 'second', 'third', 'last quarter']]
    for key, values in validation['quarters'].items():
        quarters.append([METRICS[key], *map(_share, values)])
    return [*shown, _table(rows), note, _table(quarters)]


def _speed(name: str, speed: Mapping[str, Any] | None) -> list[str]:
    key = SPEED_NAMES.get(name, name)
    command = (
        f'python -m benchmarks.speed --only tracking --models {key} \\\n'
        f'    --checkpoint {key}=mmpolar/model_zoo/{name}.pth --json work_dirs/model_zoo/speed.json'
    )
    shown = [_code(command, 'gives the speed')]
    if speed is None:
        return [*shown, f'Speed: {_NOT_MEASURED}.']
    rows = [['tracking step', 'frame', 'ms: median (min .. max)']]
    for row in speed['rows']:
        middle = f'{row["median"]:g} ({row["minimum"]:g} .. {row["maximum"]:g})'
        rows.append([row['way'], row['size'], middle])
    machine = ', '.join(f'{key} {value}' for key, value in speed['machine'].items())
    return [*shown, _table(rows), f'Measured with: {machine}.']


def _first_speed(entry: Mapping[str, Any]) -> str:
    if 'speed' not in entry:
        return _NOT_MEASURED
    row = entry['speed']['rows'][0]
    return f'{row["median"]:g} ({row["way"]}, {row["size"]})'


def _share(value: float | None) -> str:
    """A share without the zero before the point."""
    return _NOT_MEASURED if value is None else f'{value:.3f}'.removeprefix('0')


def _rounded(values: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: None if values.get(name) is None else round(values[name], 4) for name in METRICS}


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = (f'| {" | ".join(row)} |' for row in rows)
    return '\n'.join([head, '|' + '---|' * len(rows[0]), *body])


def _code(command: str, what: str) -> str:
    return f'```bash\n# {what}\n{command}\n```'


if __name__ == '__main__':
    sys.exit(main())
