"""Whether a device computes in bfloat16, or only imitates it."""

from functools import lru_cache

import torch

#: Instructions of x86 processors that multiply in bfloat16.
_X86_INSTRUCTIONS = ('avx512_bf16', 'amx_bf16', 'avx10_1', 'avx10_2')


@lru_cache
def computes_bfloat16(device_type: str) -> bool:
    """Whether a device has instructions for bfloat16.

    A processor without them converts each operand: a training step of the hard negatives' detector takes 9 times as
    long as in float32 on one.

    Args:
        device_type: As in :class:`torch.device`. Only an x86 processor can be found to have none.
    """
    if device_type != 'cpu' or not hasattr(torch.cpu, 'get_capabilities'):  # PyTorch 2.11 and later
        return True
    has = torch.cpu.get_capabilities()
    return has['architecture'] != 'x86_64' or any(has.get(one) for one in _X86_INSTRUCTIONS)
