"""``mmpolar://NAME``: a trained tracker by name wherever MMEngine takes a checkpoint's path."""

from typing import Any

import torch
from mmengine.runner.checkpoint import CheckpointLoader

from mmpolar.model_zoo import SCHEME, find_checkpoint, model_name
from mmpolar.utils.checkpoints.local_files import without_code
from mmpolar.utils.checkpoints.safe_reading import read_checkpoint
from mmpolar.utils.checkpoints.weights import check_hash


@CheckpointLoader.register_scheme(prefixes=SCHEME)
def load_trained_tracker(
    filename: str, map_location: str | torch.device | None = 'cpu', logger: Any = None
) -> dict[str, Any]:
    """Read the release checkpoint of a trained tracker, as in ``load_from='mmpolar://NAME'``.

    Args:
        filename: ``'mmpolar://'`` and one of :func:`mmpolar.model_zoo.available_models`.
        map_location: Device of the tensors, None for the CPU.
        logger: Not used; MMEngine passes it.

    Returns:
        The checkpoint: ``state_dict``, weights in float32, and ``meta``.

    Raises:
        ModelNotFoundError: If there is no tracker of that name; the message lists those there are.
        CheckpointReadError: If the file is damaged.

    Example:
        >>> checkpoint = load_trained_tracker('mmpolar://ocean-polar_effnet-lite0_natural')
        >>> checkpoint['meta']['name']
        'ocean-polar_effnet-lite0_natural'
    """
    path = find_checkpoint(model_name(filename))
    checkpoint = read_checkpoint(path, map_location or 'cpu')
    weights, meta = checkpoint['state_dict'], checkpoint.get('meta') or {}
    check_hash(weights, meta, path)
    floats = {k: v.float() if v.is_floating_point() else v for k, v in weights.items()}
    return without_code(dict(state_dict=floats, meta=meta))
