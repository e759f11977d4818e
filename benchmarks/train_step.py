"""Measure what a training step of a config costs on a CPU, and where the time goes.

See ``--help``.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, DictAction
from mmengine.device import get_device
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import nn

from benchmarks.shared.model_report import write_report
from benchmarks.speed.timing import Way, interleave, ratios, spread
from mmpolar.cli.arguments import check_counts, tool_parser
from mmpolar.registry import MODELS, OPTIM_WRAPPERS
from mmpolar.utils.freed_memory import keep_freed_memory
from mmpolar.utils.shared_values import load_config

DESCRIPTION = """\
Measure a training step of a config on one CPU thread, in processor seconds, so that other work on the
machine counts little: loading a batch in one process, then forward, backward and update in float32 and in
bfloat16 (tools/train.py --amp), first as the C library handles memory by itself, then with freed memory kept
(as tools/train.py does)."""

EPILOG = """\
examples
  python -m benchmarks.train_step configs/mask_stage/mask-stage_effnet-lite0_natural.py
  python -m benchmarks.train_step configs/ocean_polar/ocean-polar_effnet-lite0_synthetic.py --repeats 5 \\
      --out work_dirs/train_step.json"""

PRECISIONS = {'float32': 'OptimWrapper', 'bfloat16': 'Bfloat16OptimWrapper'}


def main(argv: list[str] | None = None) -> int:
    """Measure as the arguments say; returns the exit status."""
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    torch.set_num_threads(1)
    report = measure(cfg, args.repeats)
    for name, values in report.items():
        print(f'{name}: ' + ', '.join(f'{key} {value:.3g}' for key, value in values.items()))
    write_report(args.out, report)
    return 0


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG, 'python -m benchmarks.train_step')
    parser.add_argument('config', help='config file with a train_dataloader')
    parser.add_argument('--repeats', type=int, default=3, help='rounds (default: 3)')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='KEY=VALUE of the config'
    )
    parser.add_argument('--out', type=Path, metavar='FILE', help='write the report here, JSON')
    args = parser.parse_args(argv)
    check_counts(args, parser, 'repeats')
    return args


def measure(cfg: Config, repeats: int) -> dict[str, dict[str, float]]:
    """Processor seconds of a step, by what was measured: least, median and greatest, and ratios."""
    init_default_scope(cfg.get('default_scope', 'mmpolar'))
    batch, loading = read_batch(cfg)
    model = MODELS.build(cfg.model).to(get_device())
    model.init_weights()
    model.train()
    steps = {name: training_step(model, cfg, kind, batch) for name, kind in PRECISIONS.items()}
    before = interleave(steps, repeats)
    report = {'loading a batch': dict(seconds=loading)}
    report |= {name: _row(values, before['float32']) for name, values in before.items()}
    if keep_freed_memory():
        after = interleave(steps, repeats)
        report |= {
            f'{name}, freed memory kept': _row(values, before['float32'])
            for name, values in after.items()
        }
    return report


def read_batch(cfg: Config) -> tuple[Mapping[str, Any], float]:
    """The second batch of the config's training data, and the processor seconds that it took."""
    loader = dict(cfg.train_dataloader, num_workers=0, persistent_workers=False)
    batches = iter(Runner.build_dataloader(loader, seed=0))
    next(batches)
    begin = time.process_time()
    batch = next(batches)
    return batch, time.process_time() - begin


def training_step(model: nn.Module, cfg: Config, kind: str, batch: Mapping[str, Any]) -> Way:
    """A way that makes an update with an optimizer wrapper."""
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-8)
    clip = cfg.optim_wrapper.get('clip_grad')
    wrapper = OPTIM_WRAPPERS.build(dict(type=kind, optimizer=optimizer, clip_grad=clip))

    def run() -> float:
        begin = time.process_time()
        model.train_step(dict(batch), wrapper)
        return time.process_time() - begin

    return run


def _row(seconds: list[float], reference: list[float]) -> dict[str, float]:
    found = spread(seconds)
    return dict(
        seconds=found.median,
        least=found.minimum,
        greatest=found.maximum,
        times_as_fast=ratios(seconds, reference).median,
    )


if __name__ == '__main__':
    sys.exit(main())
