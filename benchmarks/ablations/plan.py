"""The configs of a run: the base config with a budget, a seed, and what an arm changes."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.runner import Runner

from benchmarks.ablations.arms import CROSSED, RAYED, Arm
from benchmarks.shared.config_nodes import MINING_HOOK, nodes_of_type, option_of
from mmpolar.utils.shared_values import SEEDED, type_of

#: Option with the number of pairs, or of groups of views, in an epoch, by dataset.
_LENGTHS = dict(
    CompositeDataset='num_composites',
    TrackPairDataset='samples_per_epoch',
    MaskCropDataset='samples_per_epoch',
)
#: Entry with the name of the released tracker that a mask stage is tested in.
TRACKER = 'tracker'
#: A later stage samples with another seed: with the same it would see the first one's pairs again.
_SEED_STEP = 1000
_VALIDATION = ('val_dataloader', 'val_cfg', 'val_evaluator')
_TEST = ('test_dataloader', 'test_cfg', 'test_evaluator')


@dataclass(frozen=True)
class Budget:
    """How much a run may train.

    Attributes:
        epochs: Number of epochs, of all stages together.
        pairs_per_epoch: Number of training pairs in an epoch; of groups of views for a mask stage.
    """

    epochs: int
    pairs_per_epoch: int

    @classmethod
    def of(cls, cfg: Config) -> 'Budget':
        """The budget that a config has.

        Raises:
            ValueError: If its training data are not pairs, or groups of views, of this package.
        """
        data = cfg.train_dataloader.dataset
        if type_of(data) not in _LENGTHS:
            raise ValueError(
                f'train_dataloader has a {type_of(data)}; the ablation trains with one of '
                f'{list(_LENGTHS)}'
            )
        return cls(cfg.train_cfg.max_epochs, data[_LENGTHS[type_of(data)]])


def only_for_runner(cfg: Config) -> Config:
    """A copy with what MMEngine's runner and the test read; the file's own variables are gone."""
    wanted = {*inspect.signature(Runner).parameters, 'custom_imports', TRACKER}
    return Config({key: value for key, value in cfg.to_dict().items() if key in wanted})


def stage_configs(base: Config, arm: Arm, budget: Budget, seed: int) -> list[Config]:
    """The config of each stage of a run, without its folders on the disk.

    Args:
        base: The base config.
        arm: The arm.
        budget: What all stages share; their epochs differ by one at the most.
        seed: Seed of all that is random, at least 0.

    Returns:
        As many configs as the arm has stages; the last one tests.

    Raises:
        ValueError: If an epoch has less than a batch or a stage no epoch, or the numbers of rays or
            the crossings of a stage differ.
    """
    batch = base.train_dataloader.batch_size
    if budget.pairs_per_epoch < batch:
        raise ValueError(
            f'{budget.pairs_per_epoch} pairs an epoch are less than a batch of {batch}'
        )
    if budget.epochs < len(arm.stages):
        raise ValueError(f'{arm.name} needs at least {len(arm.stages)} epochs, got {budget.epochs}')
    shares = np.array_split(np.arange(budget.epochs), len(arm.stages))
    stages = []
    for number, (change, share) in enumerate(zip(arm.stages, shares, strict=True)):
        cfg = only_for_runner(base)
        cfg.update(dict.fromkeys(_VALIDATION))
        set_budget(cfg, Budget(len(share), budget.pairs_per_epoch))
        set_seed(cfg, seed + number * _SEED_STEP)
        change(cfg)
        _check_agreement(cfg, 'n_rays', RAYED)
        _check_agreement(cfg, 'crossing', CROSSED)
        stages.append(cfg)
    for cfg in stages[:-1]:
        cfg.update(dict.fromkeys(_TEST))
    return stages


def count_updates(stages: Sequence[Config]) -> int:
    """Updates of the weights in all stages."""
    budgets = [(Budget.of(cfg), cfg.train_dataloader.batch_size) for cfg in stages]
    return sum(each.epochs * (each.pairs_per_epoch // batch) for each, batch in budgets)


def set_budget(cfg: Config, budget: Budget) -> None:
    """Give a config a budget; its schedules and rounds of mining keep their proportions."""
    old_epochs, old_updates = Budget.of(cfg).epochs, count_updates([cfg])
    for data in nodes_of_type(cfg.train_dataloader, *_LENGTHS):
        data[_LENGTHS[type_of(data)]] = budget.pairs_per_epoch
    cfg.train_cfg.max_epochs = budget.epochs
    by_epoch = budget.epochs / old_epochs
    by_update = count_updates([cfg]) / old_updates
    schedulers = cfg.get('param_scheduler') or []
    for scheduler in [schedulers] if isinstance(schedulers, Mapping) else schedulers:
        factor = by_epoch if scheduler.get('by_epoch', True) else by_update
        _scale(scheduler, factor, begin=0, end=1, T_max=1)
    for hook in nodes_of_type(cfg.get('custom_hooks'), MINING_HOOK):
        factor = by_epoch if hook.get('by_epoch', True) else by_update
        _scale(hook, factor, begin=0, interval=1)
    for hook in nodes_of_type(cfg.get('custom_hooks'), 'BackboneUnfreezeHook'):
        for stage in hook.schedule:
            _scale(stage, by_epoch, epoch=0)
            _scale(stage, by_update, iter=0)


def set_seed(cfg: Config, seed: int) -> None:
    """Seed the weights, the order, the pairs and the pool of negatives."""
    cfg.randomness = dict(cfg.get('randomness') or {}, seed=seed)
    for node in nodes_of_type([cfg.train_dataloader, cfg.get('custom_hooks')], *SEEDED):
        node.seed = seed


def place_stages(stages: Sequence[Config], folder: Path) -> None:
    """Write the configs of a run, each into the work directory that it names.

    A later stage starts from the last weights of the one before.

    Args:
        stages: The configs.
        folder: Folder of the run.
    """
    before = None
    for number, stage in enumerate(stages, start=1):
        cfg = Config(stage.to_dict())
        stage_folder = folder / f'stage_{number}'
        stage_folder.mkdir(parents=True, exist_ok=True)
        cfg.work_dir = str(stage_folder)
        cfg.load_from = cfg.get('load_from') if before is None else str(before)
        before = last_checkpoint_of(cfg)
        # Names of their own: MMEngine gives out loggers and visualizers again by their name.
        cfg.experiment_name = f'{folder.name}_{stage_folder.name}'
        if cfg.get('visualizer'):
            cfg.visualizer.name = cfg.experiment_name
        for metric in nodes_of_type(cfg.get('test_evaluator'), 'TrackSegMetric'):
            metric.out_file = str(folder / 'test.json')
        cfg.dump(stage_folder / 'config.py')


def last_checkpoint_of(cfg: Config) -> Path:
    """Where the finished training of a config leaves its weights."""
    return Path(cfg.work_dir) / f'epoch_{cfg.train_cfg.max_epochs}.pth'


def _scale(node: Mapping[str, Any], factor: float, **smallest: int) -> None:
    """Multiply the options that are there; the results are whole numbers of a least size."""
    for name, least in smallest.items():
        if name in node:
            node[name] = max(least, round(node[name] * factor))


def _check_agreement(cfg: Config, option: str, types: Sequence[str]) -> None:
    values = [(type_of(node), option_of(node, option)) for node in nodes_of_type(cfg, *types)]
    if len({value for _, value in values}) > 1:
        listed = ', '.join(f'{name} {value}' for name, value in values)
        raise ValueError(
            f'{option} must be the same in the model, its targets and its metric, but the config '
            f'has {listed}'
        )
