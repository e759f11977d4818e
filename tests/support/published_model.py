"""A small published tracker, as tools/model_converters/publish_model.py would write it."""

from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config
from small_export import CONFIG, small_tracker

from mmpolar.utils.checkpoints import TrainingFacts, halve, write_release_checkpoint

FACTS = TrainingFacts(
    epochs=3,
    iterations=30,
    seed=0,
    averaged=True,
    trained_on='2026-11-25',
    data='generated videos',
    machine='a small one',
    training_time='a minute',
    licence='none of use',
    source_sha256='0' * 64,
)
#: What the tools that publish want to be told.
SAID = ['--data', 'clips', '--machine', 'a small one', '--training-time', '1 h']


def publish_small(folder: Path, name: str = 'small', options: Mapping | None = None) -> Path:
    """Write the tracker of ``small_tracker`` to ``folder/<name>.pth``; options change its config."""
    path = folder / f'{name}.pth'
    config = Config.fromfile(CONFIG)
    config.merge_from_dict(dict(options or {}))
    weights = halve(small_tracker().model.state_dict())
    write_release_checkpoint(path, weights, config, FACTS)
    return path
