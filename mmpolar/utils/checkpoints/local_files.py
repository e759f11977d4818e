"""Checkpoints as MMEngine reads them, without the code that it would run on resuming."""

import hashlib
import os
from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from mmengine.dist import barrier, get_rank
from mmengine.runner import checkpoint as mmengine_checkpoint

from mmpolar.utils.checkpoints.safe_reading import CheckpointReadError, read_checked
from mmpolar.utils.progress import shows_progress

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
        CheckpointReadError: If it is damaged, or asks for more memory than it has bytes.
    """
    path = os.path.expanduser(filename)
    if not os.path.isfile(path):
        raise FileNotFoundError(f'no checkpoint at {path}; give the path of a .pth file')
    return without_code(
        read_checked(path, lambda: mmengine_checkpoint.load_from_local(path, map_location))
    )


@mmengine_checkpoint.CheckpointLoader.register_scheme(prefixes=('http://', 'https://'), force=True)
def load_from_address(
    filename: str, map_location: str | torch.device | None = None, logger: Any = None
) -> Any:
    """Download a checkpoint and read it as a file; replaces MMEngine's reader, which runs code in it.

    The file is kept in PyTorch's folder for downloads, and is not downloaded again.

    Args:
        filename: Its address.
        map_location: See :func:`load_from_local`, also for what is returned.
        logger: See there.

    Raises:
        CheckpointReadError: If it is damaged, or asks for more memory than it has bytes.
        OSError: If it cannot be downloaded.
    """
    # Files of two addresses often have one name.
    name = hashlib.sha256(filename.encode()).hexdigest() + '.pth'
    path = os.path.join(torch.hub.get_dir(), 'checkpoints', name)
    if get_rank() == 0 and not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        torch.hub.download_url_to_file(filename, path, progress=shows_progress())
    barrier()
    try:
        return load_from_local(path, map_location)
    except CheckpointReadError as error:
        raise CheckpointReadError(f'{filename} was downloaded, but {error}') from error


def without_code(checkpoint: Any) -> Any:
    """Remove what MMEngine's runner would run as code when it resumes from a checkpoint."""
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    if isinstance(meta, dict):
        meta.pop(_RUN_ON_RESUMING, None)
    return checkpoint


def _reader_without_code(reader: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(reader)
    def read(filename: str, map_location: Any = None, *args: Any, **kwargs: Any) -> Any:
        return without_code(reader(filename, map_location, *args, **kwargs))

    return read


# Names of other model zoos and stores are no safer than files.
for _prefix, _reader in list(mmengine_checkpoint.CheckpointLoader._schemes.items()):
    if _prefix and _reader is not load_from_address:
        mmengine_checkpoint.CheckpointLoader.register_scheme(
            _prefix, _reader_without_code(_reader), force=True
        )
