"""Checkpoints on the disk, as MMEngine reads them, without the code that it would run on resuming."""

from typing import Any

import torch
from mmengine.runner import checkpoint as mmengine_checkpoint

#: Entry of ``meta`` that MMEngine's runner runs as a Python config when it resumes. It compares the
#: number of GPUs with that of the old MMCV, which wrote it; MMEngine itself writes ``cfg`` instead.
_RUN_ON_RESUMING = 'config'


@mmengine_checkpoint.CheckpointLoader.register_scheme(prefixes='', force=True)
def load_from_local(
    filename: str, map_location: str | torch.device | None = None, logger: Any = None
) -> Any:
    """Read a checkpoint file; replaces MMEngine's reader of local files.

    Args:
        filename: Path of the file.
        map_location: Device of the tensors, as for ``torch.load``.
        logger: Not used; MMEngine passes it.

    Returns:
        What the file holds, without the config in ``meta`` that MMEngine would run.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    return without_code(mmengine_checkpoint.load_from_local(filename, map_location))


def without_code(checkpoint: Any) -> Any:
    """Remove what MMEngine's runner would run as code when it resumes from a checkpoint."""
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    if isinstance(meta, dict):
        meta.pop(_RUN_ON_RESUMING, None)
    return checkpoint
