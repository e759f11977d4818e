"""Tests a checkpoint with the data and metrics of its config. See ``--help``."""

import argparse
import os
from pathlib import Path

from mmengine.config import Config
from mmengine.model import is_model_wrapper
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmpolar.cli.arguments import tool_parser
from mmpolar.cli.errors import usage_error
from mmpolar.cli.training import (
    add_common_arguments,
    read_config,
    require_sections,
    start_cpu_processes,
)
from mmpolar.evaluation.result_folder import holds_results
from mmpolar.evaluation.submissions import TRACK_BENCHMARKS
from mmpolar.utils.checkpoints import CheckpointMismatchError, CheckpointReadError, load_weights
from mmpolar.utils.outputs import OutputOverInputError, check_outputs

EXAMPLES = """
examples:
  python tools/test.py CONFIG work_dirs/NAME/epoch_20.pth
  python tools/test.py CONFIG CHECKPOINT --out results     also write each video's track
  python tools/test.py CONFIG CHECKPOINT --out results --submission got10k
                                                           also make results/got10k.zip to upload
  python tools/test.py CONFIG CHECKPOINT --show-dir shown  also draw boxes and contours
  bash tools/dist_test.sh CONFIG CHECKPOINT 4              four processes, one GPU each
"""


def main(argv: list[str] | None = None) -> None:
    """Test as the arguments say; ``argv`` defaults to those of the command line."""
    args = parse_args(argv)
    cfg = read_config(args)
    require_sections(cfg, args.config, ('test_dataloader', 'test_cfg', 'test_evaluator'), 'testing')
    if not Path(args.checkpoint).is_file():
        usage_error(
            f'no checkpoint at {args.checkpoint}; training writes them to the work directory, '
            'e.g. work_dirs/<name of the config>/epoch_20.pth'
        )
    try:
        check_outputs(
            {'--out': args.out, '--show-dir': args.show_dir},
            {'CONFIG': args.config, 'CHECKPOINT': args.checkpoint},
        )
    except OutputOverInputError as error:
        usage_error(error)
    if args.out is not None:
        refuse_older_results(args.out)
        add_results_dump(cfg, args.out, args.submission)
    if args.show_dir is not None:
        add_visualization(cfg, args.show_dir)
    cfg.load_from = None
    start_cpu_processes(cfg)
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    load_checkpoint(runner, args.checkpoint)
    runner.test()


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = tool_parser(
        'Test a checkpoint: print the metrics of the config on its test data.', EXAMPLES
    )
    parser.add_argument('config', help='config that the checkpoint was trained with')
    parser.add_argument('checkpoint', help='.pth file; its weights must fit the model exactly')
    parser.add_argument('--out', metavar='DIR', help='write the track of every video to DIR')
    parser.add_argument(
        '--submission',
        choices=TRACK_BENCHMARKS,
        help='with --out: also make a submission to this benchmark from the results, and check it; '
        "without the config's metrics where the benchmark withholds the ground truth",
    )
    parser.add_argument('--show-dir', metavar='DIR', help='write frames with the contour to DIR')
    add_common_arguments(parser)
    args = parser.parse_args(argv)
    if args.submission is not None and args.out is None:
        parser.error('--submission is made from the results that --out DIR writes; give both')
    return args


def refuse_older_results(out_dir: str) -> None:
    """End the program if a folder holds results: those of two models would be mixed.

    Of several processes only the first looks, before the others can have written anything.
    """
    rank = os.environ.get('RANK') or os.environ.get('SLURM_PROCID') or '0'
    if rank == '0' and holds_results(out_dir):
        usage_error(
            f'--out {out_dir} holds results of an older test, which would be mixed with those of this '
            'one; give another folder, or delete it'
        )


def add_results_dump(cfg: Config, out_dir: str, benchmark: str | None = None) -> None:
    """Add the metric that writes results, or results and a submission.

    The config's own metrics stay, but where the benchmark withholds the ground truth that they need.
    """
    evaluator = cfg.test_evaluator
    metrics = list(evaluator) if isinstance(evaluator, list | tuple) else [evaluator]
    dump = dict(type='DumpTrackResults', out_dir=out_dir)
    if benchmark is not None:
        dump.update(type='DumpSubmission', benchmark=benchmark)
        metrics = [] if TRACK_BENCHMARKS[benchmark].withholds_ground_truth else metrics
    cfg.test_evaluator = [*metrics, dump]


def add_visualization(cfg: Config, out_dir: str) -> None:
    """Add the hook that draws results; the config's own hooks stay."""
    hooks = cfg.get('custom_hooks') or []
    cfg.custom_hooks = [*hooks, dict(type='TrackVisualizationHook', out_dir=out_dir)]


def load_checkpoint(runner: Runner, path: str) -> None:
    """Fill the runner's model; a checkpoint that does not fit ends the program with code 2.

    The runner's own loading only logs a warning about missing weights and goes on.
    """
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    try:
        load_weights(model, path)
    except (CheckpointReadError, CheckpointMismatchError) as error:
        usage_error(error)
    runner.logger.info(f'Tested checkpoint: {path}')


if __name__ == '__main__':
    main()
