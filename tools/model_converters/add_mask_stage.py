"""Give a released tracker a mask stage. See ``--help``."""

import argparse
from dataclasses import replace
from pathlib import Path

from mmengine.registry import DefaultScope

from mmpolar.cli.arguments import tool_parser
from mmpolar.cli.publishing import (
    add_publishing_arguments,
    batch_norm_names,
    given_facts,
    load_exactly,
    release_path,
    run_publishing,
)
from mmpolar.model_zoo import find_checkpoint
from mmpolar.registry import MODELS
from mmpolar.tracking.params import current_spelling
from mmpolar.utils.checkpoints import (
    CheckpointReadError,
    TrainingFacts,
    halve,
    read_checkpoint,
    read_release_checkpoint,
    read_untrusted_config,
    write_release_checkpoint,
)

PREFIX = 'mask_stage.'

DESCRIPTION = """\
Write a release checkpoint of a tracker with the mask stage of a training: the tracker's weights stay as
they are, the stage's are added in float16 (batch norm in float32), and the config says how the stage is
used. A stage that is there already is replaced."""

EPILOG = """\
examples
  python tools/model_converters/add_mask_stage.py ocean-polar_effnet-lite0_natural \\
      work_dirs/mask-stage_effnet-lite0_natural/epoch_105.pth \\
      --data '7,591 photographs and 58 videos' --machine '2 cores, AMD EPYC' --training-time '4 h'
  with other parameters: ... --cfg-options model.mask_stage.params.box_share=0.5 model.test_cfg.lost_score=0.4
  then the graphs for the runtime without PyTorch:
    python tools/deployment/export_model_zoo.py"""


def main(argv: list[str] | None = None) -> None:
    """Write as the arguments say; ``argv`` defaults to those of the command line."""
    run_publishing(add_mask_stage, parse_args(argv))


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG)
    parser.add_argument('tracker', metavar='NAME', help='release checkpoint, by name or path')
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='.pth file of a mask stage')
    add_publishing_arguments(parser)
    return parser.parse_args(argv)


def add_mask_stage(args: argparse.Namespace) -> str:
    """Write the release checkpoint; a report of what is in it."""
    path = Path(args.tracker)
    path = path if path.is_file() else find_checkpoint(args.tracker)
    released = read_release_checkpoint(path)
    target = release_path(args, released.name)
    tracker = read_checkpoint(path)['state_dict']
    training = read_checkpoint(args.checkpoint)
    config = released.config
    config.model['mask_stage'] = _stage_config(training, args)
    config.model['test_cfg'] = current_spelling(config.model.get('test_cfg') or {})
    config.merge_from_dict(args.cfg_options or {})
    stage_config = config.model['mask_stage']
    weights = _checked_weights(stage_config, training.get('state_dict', {}), args.checkpoint)
    merged = {name: value for name, value in tracker.items() if not name.startswith(PREFIX)}
    merged |= {PREFIX + name: value for name, value in weights.items()}
    write_release_checkpoint(target, merged, config, _facts(released.facts, training, args))
    written = read_release_checkpoint(target)
    return (
        f'wrote {target}, {target.stat().st_size / 1e6:.1f} MB, '
        f'{written.parameters / 1e6:.2f} million numbers\n'
        f'  sha256 of the weights: {written.weights_sha256}'
    )


def _stage_config(training: dict, args: argparse.Namespace) -> dict:
    meta = training.get('meta') or {}
    if 'cfg' not in meta:
        raise CheckpointReadError(f'{args.checkpoint} names no config; give one of a training')
    model = read_untrusted_config(meta['cfg'], args.checkpoint).get('model', {})
    if model.get('type') != 'MaskStage':
        raise CheckpointReadError(
            f'{args.checkpoint} is no checkpoint of a mask stage; train one with configs/mask_stage'
        )
    return model


def _checked_weights(config: dict, weights: dict, path: str) -> dict:
    """The weights in float16, if they fit the config."""
    with DefaultScope.overwrite_default_scope('mmpolar'):
        stage = MODELS.build(config)
    load_exactly(stage, weights, path, 'give the config it was trained with')
    return halve(weights, exact=batch_norm_names(stage))


def _facts(tracker: TrainingFacts, training: dict, args: argparse.Namespace) -> TrainingFacts:
    """The tracker's facts, with those of its stage in words."""
    stage = given_facts(training, args, tracker.licence)
    own = {name: getattr(tracker, name).split('; mask stage: ')[0] for name in ('data', 'machine')}
    time = tracker.training_time.split('; mask stage: ')[0]
    return replace(
        tracker,
        trained_on=max(tracker.trained_on, stage.trained_on),
        data=f'{own["data"]}; mask stage: {stage.data}, {stage.iterations} steps',
        machine=f'{own["machine"]}; mask stage: {stage.machine}',
        training_time=f'{time}; mask stage: {stage.training_time}',
    )


if __name__ == '__main__':
    main()
