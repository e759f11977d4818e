"""Make a release checkpoint of a training. See ``--help``."""

import argparse
import re
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import Tensor

from mmpolar.cli.arguments import tool_parser
from mmpolar.cli.publishing import (
    add_publishing_arguments,
    batch_norm_names,
    given_facts,
    load_exactly,
    release_path,
    run_publishing,
)
from mmpolar.datasets.synthetic import make_scene
from mmpolar.models.trackers import Ocean
from mmpolar.registry import MODELS
from mmpolar.structures.polar import mask_to_box
from mmpolar.tracking.crops import cut_search, cut_template
from mmpolar.utils.checkpoints import (
    CheckpointReadError,
    halve,
    read_checkpoint,
    read_release_checkpoint,
    read_untrusted_config,
    write_release_checkpoint,
)
from mmpolar.utils.shared_values import load_config

LICENCE = 'research use only'
REMEDY = 'give the config it was trained with as --config'
_START_TIME = re.compile(r'_?\d{8}_\d{6}$')
#: Largest differences that rounding may make, in scores and in pixels of the search crop.
TOLERANCES = dict(scores=0.02, ltrb=2.0, radii=2.0)
#: Generated videos that rounding is measured on, and the frame searched in.
_VIDEOS, _SEARCHED_FRAME = 6, 3

DESCRIPTION = """\
Write the weights of a training to mmpolar/model_zoo/<name of the config>.pth, from where init_tracker,
the demo and the export find them by that name:

  weights  the moving average if the training kept one; float16, but batch norm, of which two percent of
           the numbers are, stays float32: rounding it as well would add a quarter to the error
  config   the whole resolved config as text, without paths of this machine
  facts    epochs, steps, seed, date, data, machine, time, licence
  hash     of the weights, checked whenever they are loaded

What rounding changes in the maps is measured on generated videos and printed; if it is more than
tracking would bear, nothing is written. torch.load(weights_only=True) reads the file."""

EPILOG = """\
examples
  python tools/model_converters/publish_model.py work_dirs/NAME/epoch_18.pth \\
      --data '44,000 photographs and 95 videos' --machine '2 cores, AMD EPYC' \\
      --training-time '1 h 40 min'
  with tracking parameters that were chosen after the training:
    ... --cfg-options model.test_cfg.window_influence=0.3
  then the graphs for the runtime without PyTorch:
    python tools/deployment/export_model_zoo.py"""


def main(argv: list[str] | None = None) -> None:
    """Publish as the arguments say; ``argv`` defaults to those of the command line."""
    run_publishing(publish, parse_args(argv))


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG)
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='.pth file that training wrote')
    parser.add_argument(
        '--config', help='config to use instead of the one in the checkpoint; it gives the name'
    )
    add_publishing_arguments(parser)
    parser.add_argument('--licence', default=LICENCE, help='(default: %(default)s)')
    return parser.parse_args(argv)


def publish(args: argparse.Namespace) -> str:
    """Write the published file; a report of what is in it."""
    checkpoint = read_checkpoint(args.checkpoint)
    config, name = find_config(args, checkpoint)
    path = release_path(args, name)
    model = build(config)
    weights = checkpoint.get('state_dict', {})
    facts = given_facts(checkpoint, args, args.licence)
    load_exactly(model, weights, args.checkpoint, REMEDY)
    halved = halve(weights, exact=batch_norm_names(model))
    crops = tracking_crops(model)
    exact = find_maps(model, crops)
    load_exactly(model, halved, args.checkpoint, REMEDY)
    differences = compare(find_maps(model, crops), exact, args.checkpoint)
    write_release_checkpoint(path, halved, config, facts)
    return report(path, differences)


def find_config(args: argparse.Namespace, checkpoint: dict) -> tuple[Config, str]:
    """The config, and the model's name."""
    meta = checkpoint.get('meta') or {}
    if args.config is not None:
        if not Path(args.config).is_file():
            raise FileNotFoundError(f'no config at {args.config}; see the folder configs')
        config, name = load_config(args.config), Path(args.config).stem
    else:
        # MMEngine's name of an experiment is the config's, with the time of the start.
        name = _START_TIME.sub('', str(meta.get('experiment_name') or ''))
        if not name or 'cfg' not in meta:
            raise CheckpointReadError(f'{args.checkpoint} names no config; give it with --config')
        config = read_untrusted_config(meta['cfg'], args.checkpoint)
    config.merge_from_dict(args.cfg_options or {})
    if config.get('model', {}).get('type') != 'Ocean':
        raise CheckpointReadError(f'{args.checkpoint} is no checkpoint of an Ocean tracker')
    return config, name


def build(config: Config) -> Ocean:
    with DefaultScope.overwrite_default_scope('mmpolar'):
        return MODELS.build(config.model).eval()


def tracking_crops(model: Ocean) -> tuple[Tensor, Tensor]:
    """Template and search crops of generated videos, normalised: (N, 3, 127, 127), (N, 3, X, X)."""
    params = model.params
    templates, searches = [], []
    for number in range(_VIDEOS):
        scene = make_scene(seed=0, split='val', index=number)
        (first, mask), (later, _) = scene.render(0), scene.render(_SEARCHED_FRAME)
        box = mask_to_box(mask).astype(np.float64)
        border = tuple(first.mean((0, 1)))
        templates.append(cut_template(first, box, border, params))
        searches.append(cut_search(later, box, params.search_size, border, params)[0])
    return tuple(
        model.data_preprocessor.normalize(torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2))
        for crops in (templates, searches)
    )


@torch.no_grad()
def find_maps(model: Ocean, crops: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    """What decides about a target: scores, boxes and, if there is a contour, radii."""
    kernels = model.encode_template(crops[0])
    maps = model.search(kernels, crops[1])
    scores = maps.scores(model.params.score_ratio)
    found = dict(scores=scores, ltrb=maps.ltrb)
    if model.mask_head is not None:
        best = scores.flatten(1).argmax(1, keepdim=True)
        found['radii'] = model.radii_at(maps, kernels.prototypes, best)
    return found


def compare(got: dict[str, Tensor], expected: dict[str, Tensor], path: str) -> dict[str, float]:
    """Largest difference by kind.

    Raises:
        CheckpointReadError: If one is above its tolerance.
    """
    differences = {kind: float((got[kind] - expected[kind]).abs().max()) for kind in expected}
    for kind, difference in differences.items():
        if not difference <= TOLERANCES[kind]:
            raise CheckpointReadError(
                f'float16 changes the {kind} of {path} by {difference:.2g}, where '
                f'{TOLERANCES[kind]:g} is allowed; nothing was written. Did the training diverge?'
            )
    return differences


def report(path: Path, differences: dict[str, float]) -> str:
    """What was written, read back from the file."""
    published = read_release_checkpoint(path)
    facts = published.facts
    kind = 'moving average' if facts.averaged else 'last step'
    changes = ', '.join(f'{name} {value:.2g}' for name, value in differences.items())
    return '\n'.join(
        [
            f'wrote {path}, {path.stat().st_size / 1e6:.1f} MB, '
            f'{published.parameters / 1e6:.2f} million numbers',
            f'  {kind} after {facts.epochs} epochs, seed {facts.seed}, {facts.trained_on}',
            f'  licence: {facts.licence}',
            f'  sha256 of the weights: {published.weights_sha256}',
            f'  float16 changes at most: {changes}',
        ]
    )


if __name__ == '__main__':
    main()
