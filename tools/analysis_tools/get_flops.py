"""Count multiply-adds and parameters of a tracker, part by part. See ``--help``."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmpolar.apis import init_tracker
from mmpolar.cli.arguments import tool_parser
from mmpolar.cli.errors import run_or_explain
from mmpolar.cli.inputs import add_config_arguments, read_plain_config
from mmpolar.models.trackers import Ocean, TorchEngine
from mmpolar.tracking import SingleTargetTracker
from mmpolar.utils.module_meter import ModuleMeter
from mmpolar.utils.outputs import check_outputs
from mmpolar.utils.tables import text_table, write_csv, write_json

#: Parts of the head by the names of its modules; others go under their own names.
HEAD_PARTS = {
    'combination': ('cls_combination', 'reg_combination'),
    'towers': ('cls_tower', 'reg_tower', 'cls_pred', 'bbox_pred'),
    'object-aware': ('align_conv', 'align_pred'),
}
TOTAL = 'total'
OTHER = 'outside of modules'
TEMPLATE = 'template'

DESCRIPTION = """\
Count the multiply-adds and parameters of a tracker, part by part, for crops of given sizes.

template   once a target: what turns the template crop into correlation kernels
search     every frame: backbone, neck, the combination of both (three dilated correlations for
           classification and for regression), the towers with their predictions, the object-aware
           classifier, and the head of the contour

Counted are convolutions and matrix products, in which nearly all the arithmetic is; activations, batch
norm (which folds into the convolutions), sampling and sums are not. A multiply-add is two floating-point
operations. The parameters are those of training, batch norm included. Weights play no part."""

EPILOG = """\
examples:
  python tools/analysis_tools/get_flops.py configs/ocean_polar/ocean-polar_r50_natural.py
  python tools/analysis_tools/get_flops.py CONFIG --search-sizes 255 287 319 --out flops.json
  what would half the rays bring?
    python tools/analysis_tools/get_flops.py CONFIG --cfg-options model.mask_head.n_rays=18"""


@dataclass(frozen=True)
class Count:
    """What one part of a network needs.

    Attributes:
        part: Name of the part.
        parameters: Numbers to be learnt.
        template: Multiply-adds for one template crop.
        search: Multiply-adds for one search crop, by its side in pixels.
    """

    part: str
    parameters: int
    template: int
    search: dict[int, int]


def main(argv: Sequence[str] | None = None) -> None:
    """Count as the arguments say; ``argv`` defaults to those of the command line."""
    run_or_explain(run, parse_args(argv))


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG)
    add_config_arguments(parser, 'config of the tracker')
    parser.add_argument(
        '--search-sizes',
        type=int,
        nargs='+',
        metavar='PX',
        help="sides of the search crop (default: the config's, for large and for small targets)",
    )
    parser.add_argument(
        '--template-size',
        type=int,
        metavar='PX',
        help="side of the template crop (default: the config's)",
    )
    parser.add_argument('--out', metavar='FILE.json', help='write the table; also as FILE.csv')
    args = parser.parse_args(argv)
    if args.out is not None and not args.out.endswith('.json'):
        parser.error(f'--out must end in .json, got {args.out!r}')
    return args


def run(args: argparse.Namespace) -> None:
    """Count, print and write."""
    check_outputs({'--out': args.out}, {'the config': args.config})
    model = init_tracker(read_plain_config(args), optimize='none').model
    if not isinstance(model, Ocean):
        raise ValueError(
            f'{args.config} has a {type(model).__name__}; this tool counts trackers, for detectors '
            'use "mim run mmdet get_flops"'
        )
    template = args.template_size or model.params.template_size
    sizes = args.search_sizes or [model.params.search_size, model.params.small_target_search_size]
    sizes = sorted(set(sizes))
    counts = count_parts(model, template, sizes)
    print(text_table(*table_of(counts, template, sizes, 1e6), total=True))
    print('multiply-adds and parameters in millions (M)')
    if args.out is not None:
        write_json(args.out, [vars(count) for count in counts])
        write_csv(args.out.removesuffix('.json') + '.csv', *table_of(counts, template, sizes, 1))
        print(f'written: {args.out} and the same as .csv')


def count_parts(model: Ocean, template_size: int, search_sizes: Sequence[int]) -> list[Count]:
    """What each part of a tracker needs, and all together in the last row.

    Args:
        model: The tracker, in test mode and not folded.
        template_size: Side of the template crop in pixels.
        search_sizes: Sides of the search crop in pixels.

    Raises:
        ValueError: If a size does not suit the network.
    """
    parts = find_parts(model)
    template = count_template(model, parts, template_size)
    searches = {size: count_search(model, parts, template_size, size) for size in search_sizes}
    parameters = dict.fromkeys(parts, 0) | {OTHER: 0}
    owner = {module: name for name, modules in parts.items() for module in modules}
    for module in model.modules():
        own = sum(parameter.numel() for parameter in module.parameters(recurse=False))
        parameters[owner.get(module, OTHER)] += own
    counts = [
        Count(name, parameters[name], template[name], {s: c[name] for s, c in searches.items()})
        for name in (*parts, OTHER)
    ]
    total = Count(
        TOTAL,
        sum(count.parameters for count in counts),
        sum(count.template for count in counts),
        {size: sum(count.search[size] for count in counts) for size in search_sizes},
    )
    is_used = [count.parameters or count.template or any(count.search.values()) for count in counts]
    return [count for count, used in zip(counts, is_used, strict=True) if used] + [total]


def find_parts(model: nn.Module) -> dict[str, list[nn.Module]]:
    """Modules of each part of a tracker; a module belongs to exactly one part."""
    parts: dict[str, list[nn.Module]] = {}
    for name, child in model.named_children():
        if name == 'data_preprocessor':
            continue
        if name != 'head':
            parts[name.replace('_', ' ')] = list(child.modules())
            continue
        for own_name, own in child.named_children():
            part = next((part for part, names in HEAD_PARTS.items() if own_name in names), None)
            parts.setdefault(part or own_name.replace('_', ' '), []).extend(own.modules())
        # Its own parameters scale the boxes that the towers predict.
        parts.setdefault('towers', []).append(child)
    return parts


def count_template(
    model: Ocean, parts: dict[str, list[nn.Module]], template_size: int
) -> dict[str, int]:
    """Multiply-adds of each part for one template crop."""
    crop = torch.zeros(1, 3, template_size, template_size)
    return count_call(parts, lambda: model.encode_template(crop))


def count_search(
    model: Ocean, parts: dict[str, list[nn.Module]], template_size: int, search_size: int
) -> dict[str, int]:
    """Multiply-adds of each part for one search crop, the selected location's contour included."""
    kept = model.params
    model.params = replace(
        kept,
        template_size=template_size,
        search_size=search_size,
        small_target_search_size=search_size,
        lost_score=0.0,
    )
    frame = np.zeros((240, 320, 3), np.uint8)
    try:
        tracker = SingleTargetTracker(TorchEngine(model))
        tracker.init(frame, [120, 80, 200, 160])
        return count_call(parts, lambda: tracker.step(frame))
    finally:
        model.params = kept


def count_call(parts: dict[str, list[nn.Module]], call: Callable[[], Any]) -> dict[str, int]:
    """Multiply-adds of each part in a call, and of what lies outside of them.

    Raises:
        ValueError: If the network cannot compute crops of this size.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        with ModuleMeter(parts, counter.get_total_flops) as meter:
            try:
                call()
            except RuntimeError as error:
                reason = str(error).splitlines()[0]
                raise ValueError(
                    f'the network does not take crops of this size: {reason}'
                ) from error
        total = counter.get_total_flops()
    used = {name: round(flops) // 2 for name, flops in meter.used.items()}
    return used | {OTHER: total // 2 - sum(used.values())}


def table_of(
    counts: Sequence[Count], template: int, sizes: Sequence[int], unit: float
) -> tuple[list[str], list[list[str | int | float]]]:
    """Header and rows in units of so many multiply-adds or parameters."""
    header = ['part', 'parameters', f'template {template} px', *(f'search {s} px' for s in sizes)]
    rows = []
    for count in counts:
        numbers = (count.parameters, count.template, *(count.search[size] for size in sizes))
        rows.append([count.part, *(n if unit == 1 else n / unit for n in numbers)])
    return header, rows


if __name__ == '__main__':
    main()
