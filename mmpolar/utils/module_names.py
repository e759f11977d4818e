"""Names of the parameters of a kind of module."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def batch_norm_names(model: nn.Module) -> set[str]:
    """Names of all parameters and statistics of batch norm."""
    return {
        f'{module_name}.{name}'
        for module_name, module in model.named_modules()
        if isinstance(module, _BatchNorm)
        for name in module.state_dict()
    }
