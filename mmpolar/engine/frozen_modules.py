"""What the hooks that freeze parts of a model have in common."""

from mmengine.model import is_model_wrapper
from torch import nn
from torch.nn.parallel import DistributedDataParallel


def unwrapped(model: nn.Module) -> nn.Module:
    """The model itself, without the wrapper of distributed training."""
    return model.module if is_model_wrapper(model) else model


def check_wrapper(model: nn.Module, hook: str) -> None:
    """Make sure that distributed training allows parameters without a gradient.

    Args:
        model: The runner's model.
        hook: Name of the hook that freezes, for the message.

    Raises:
        RuntimeError: If it does not.
    """
    if isinstance(model, DistributedDataParallel) and not model.find_unused_parameters:
        raise RuntimeError(
            f'{hook} in distributed training needs find_unused_parameters=True in the config, as '
            'frozen parameters get no gradient'
        )


def find_module(root: nn.Module, name: str, owner: str) -> nn.Module:
    """The module of a name.

    Args:
        root: Where to look.
        name: Name below it, not empty.
        owner: What ``root`` is, for the message.

    Raises:
        ValueError: If there is no such module.
    """
    known = dict(root.named_modules())
    if not name or name not in known:
        children = [child for child, _ in root.named_children()]
        raise ValueError(f'{owner} has no module {name!r}; its children are {children}')
    return known[name]
