"""Random numbers of an epoch that do not depend on the epochs before it."""

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmpolar.registry import HOOKS


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seeds PyTorch at the beginning of each epoch by the run's seed, the epoch and the process.

    What a model samples while it trains, such as the locations a refinement head learns at, comes from
    PyTorch's global generators, whose state no checkpoint of MMEngine keeps. With this hook a
    resumed run samples the same numbers as one that was never interrupted.
    """

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed the generators of the CPU and of all devices."""
        numbers = np.random.SeedSequence([runner.seed, runner.epoch, get_rank()])
        torch.manual_seed(int(numbers.generate_state(1, np.uint64)[0]))
