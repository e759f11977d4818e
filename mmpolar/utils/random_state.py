"""Context managers that restore the state of the global random generators."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.random import SeedSequence


@contextmanager
def kept_random_state(cuda: bool = True) -> Iterator[None]:
    """Let Python's, NumPy's and PyTorch's generators go on after the block as if it had not been.

    Args:
        cuda: Whether those of CUDA devices too, where there are any; fetching them waits for the
            devices.
    """
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    cpu = torch.get_rng_state()
    devices = torch.cuda.get_rng_state_all() if cuda and torch.cuda.is_available() else []
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_rng_state(cpu)
        if devices:
            torch.cuda.set_rng_state_all(devices)


@contextmanager
def seeded_globally(entropy: SeedSequence) -> Iterator[None]:
    """Seed the global generators, which transforms of other libraries use, for the block alone.

    These are Python's, NumPy's and PyTorch's for the CPU. They have their former states after the
    block.

    Args:
        entropy: What the seeds are made from.
    """
    python_seed, numpy_seed, torch_seed = entropy.generate_state(3).tolist()
    with kept_random_state(cuda=False):
        random.seed(python_seed)
        np.random.seed(numpy_seed)  # noqa: NPY002
        torch.default_generator.manual_seed(torch_seed)
        yield
