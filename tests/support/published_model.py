"""A small published tracker, as tools/model_converters/publish_model.py would write it."""

from pathlib import Path

from mmengine.config import Config
from small_export import CONFIG, small_tracker

from mmpolar.utils.published_checkpoint import TrainingFacts, halve, write_published

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


def publish_small(folder: Path, name: str = 'small') -> Path:
    """Write the tracker of ``small_tracker`` to ``folder/<name>.pth``."""
    path = folder / f'{name}.pth'
    weights = halve(small_tracker().model.state_dict())
    write_published(path, weights, Config.fromfile(CONFIG), FACTS)
    return path
