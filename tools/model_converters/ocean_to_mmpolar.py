"""Turn a checkpoint of Ocean's published code into one of mmpolar. See ``--help``."""

import argparse
import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmpolar.cli.arguments import tool_parser
from mmpolar.cli.errors import usage_error
from mmpolar.registry import MODELS
from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.checkpoints import CheckpointReadError, read_checkpoint
from mmpolar.utils.checkpoints.ocean_checkpoint import (
    ALIGN_PREFIX,
    OceanConversion,
    OceanConversionError,
    convert_ocean_weights,
    unwrap_ocean_weights,
)
from mmpolar.utils.outputs import OutputOverInputError, check_outputs
from mmpolar.version import __version__

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_CONFIG = ROOT / 'configs/ocean_polar/ocean-polar_r50_natural.py'
SEED = 0  # of the contour's head, so that the same source gives the same file

DESCRIPTION = """\
Turn a checkpoint of Ocean's published code (github.com/researchmm/TracKit, model "Ocean") into one
that mmpolar's ResNet-50 config loads. The maps that the network gives stay the same.

SOURCE is a .pth file in the published naming: a state dict (features.features.conv1.weight, ...,
connect_model.cls_pred.bias) or a training checkpoint that holds one as state_dict, model or net.
"module." in front of the names is removed. The object-aware branch (align_head.) is converted if
it is there. The file is read safely: it cannot run code.

Every tensor must be used. If one is missing, is unknown or has another shape, nothing is written and
the names and shapes are printed. A checkpoint of the variant that learns online holds a second third
stage, which tracking with mmpolar does not need: leave it out by name, see below.

Two things differ between the networks. The published tower convolutions have a bias before batch norm;
it moves into the running mean. The head that draws the contour is new: it keeps its initial values and
wants training. Without it (--no-mask-head) the tracker gives boxes alone, as the original does."""

EXAMPLES = """\
examples:
  boxes alone, as the original:
    python tools/model_converters/ocean_to_mmpolar.py OceanV.pth ocean_r50.pth --no-mask-head
  a start for the training of the contour:
    python tools/model_converters/ocean_to_mmpolar.py OceanV.pth ocean_r50.pth
    python tools/train.py configs/ocean_polar/ocean-polar_r50_natural.py \\
        --cfg-options load_from=ocean_r50.pth
  without the parts for learning online:
    python tools/model_converters/ocean_to_mmpolar.py OceanV19on.pth ocean_r50.pth \\
        --leave-out features.features.layeronline."""


def main(argv: list[str] | None = None) -> None:
    """Convert as the arguments say; ``argv`` defaults to those of the command line."""
    args = parse_args(argv)
    source, out = Path(args.source), Path(args.out)
    try:
        check_outputs({'OUT': out}, {'SOURCE': source, 'the config': args.config})
        weights, beside = unwrap_ocean_weights(read_checkpoint(source))
        cfg = adapt_config(args, weights)
        conversion = convert_ocean_weights(weights, build_state_dict(cfg), args.leave_out)
    except (FileNotFoundError, CheckpointReadError, OutputOverInputError) as error:
        usage_error(error)
    except OceanConversionError as error:
        usage_error(f'{source} was not converted: {error}')
    facts = describe(source, cfg, conversion, beside)
    try:
        write(out, dict(mmpolar_version=__version__, conversion=facts), conversion.weights)
    except OSError as error:
        usage_error(f'cannot write {out}: {error.strerror}')
    print(report(out, facts, conversion))


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EXAMPLES)
    parser.add_argument('source', metavar='SOURCE', help='checkpoint of the published code')
    parser.add_argument('out', metavar='OUT', help='file to write; an older one is replaced')
    parser.add_argument(
        '--config',
        default=str(DEFAULT_CONFIG),
        help="config with the published network's layout (default: ocean-polar_r50_natural.py)",
    )
    parser.add_argument(
        '--no-mask-head',
        action='store_true',
        help='write no weights for the contour; use the result with model.mask_head=None',
    )
    parser.add_argument(
        '--leave-out',
        nargs='+',
        default=[],
        metavar='BEGINNING',
        help='do not convert tensors whose published names begin so, e.g. align_head.',
    )
    return parser.parse_args(argv)


def adapt_config(args: argparse.Namespace, weights: Mapping[str, Any]) -> Config:
    """The config, with the branches that the result shall have."""
    if not Path(args.config).is_file():
        usage_error(f'no config at {args.config}; those that come with mmpolar are in configs/')
    cfg = Config.fromfile(args.config)
    if cfg.get('model', {}).get('type') != 'Ocean':
        usage_error(f'{args.config} is no config of an Ocean tracker')
    kept = [name for name in weights if not name.startswith(tuple(args.leave_out) or ('\0',))]
    cfg.model.head.with_align = any(name.startswith(ALIGN_PREFIX) for name in kept)
    if args.no_mask_head:
        cfg.model.mask_head = None
    return cfg


def build_state_dict(cfg: Config) -> dict[str, torch.Tensor]:
    """Initial weights of the config's model."""
    with torch.random.fork_rng(devices=[]), DefaultScope.overwrite_default_scope('mmpolar'):
        torch.manual_seed(SEED)
        return MODELS.build(cfg.model).state_dict()


def describe(
    source: Path, cfg: Config, conversion: OceanConversion, beside: list[str]
) -> dict[str, Any]:
    """Where the weights come from, in plain values: part of the checkpoint."""
    return dict(
        source=source.name,
        source_sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
        naming='researchmm/TracKit Ocean',
        config=Path(cfg.filename).name,
        with_align=bool(cfg.model.head.with_align),
        mask_head='none' if cfg.model.get('mask_head') is None else f'initialised, seed {SEED}',
        folded_biases=conversion.folded,
        left_out=conversion.left_out,
        entries_beside_weights=beside,
    )


def write(out: Path, meta: dict[str, Any], weights: dict[str, torch.Tensor]) -> None:
    """Write the checkpoint; an interruption leaves the older file, or none."""
    buffer = io.BytesIO()
    torch.save(dict(meta=meta, state_dict=weights), buffer)
    atomic_write(out, buffer.getvalue())


def report(out: Path, facts: dict[str, Any], conversion: OceanConversion) -> str:
    """What became of every tensor, and how to use the result."""
    options = [] if facts['with_align'] else ['model.head.with_align=False']
    options += ['model.mask_head=None'] if facts['mask_head'] == 'none' else []
    lines = [
        f'wrote {out} from {facts["source"]}',
        f'  {len(conversion.used)} tensors renamed, {len(conversion.folded)} biases of the towers '
        'moved into running means',
        f'  object-aware branch: {"converted" if facts["with_align"] else "none"}',
    ]
    if conversion.initialised:
        lines.append(
            f'  {len(conversion.initialised)} tensors of mask_head keep their initial values: the '
            'contour wants training'
        )
    for title, names in (
        ('step counters of batch norm that start at zero', conversion.counters),
        ('left out', conversion.left_out),
        ('not weights, not converted', facts['entries_beside_weights']),
    ):
        if names:
            lines.append(f'  {title}: {", ".join(names)}')
    lines.append(
        f'use it with the config {facts["config"]}'
        + (f' and --cfg-options {" ".join(options)}' if options else '')
    )
    return '\n'.join(lines)


if __name__ == '__main__':
    main()
