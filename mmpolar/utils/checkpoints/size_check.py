"""Checkpoint files that are small and ask for much memory, found before it is taken."""

import os
import pickletools
import re
import zipfile
from collections.abc import Iterator, Mapping
from typing import IO, Any

from torch import Tensor

#: How ``torch.load`` tells an archive from a file of early PyTorch.
_ARCHIVE_START = b'PK\x03\x04'
#: Pickles in a file of early PyTorch: three heads, the content, the keys of the storages.
_PICKLES_OF_OLD_FILES = 5
#: What takes as much memory as a number in the file says, and occurs in no checkpoint of a training.
_TAKES_MEMORY = re.compile(
    r'(builtins|__builtin__) bytearray|torch(\.\S+)? \w*Tensor|torch\.storage \w*Storage'
    r'|torch\._utils _rebuild_(meta|sparse|nested|wrapper|qtensor|device)\w*'
)

#: Tensors may share numbers, as those of layers that are one, and repeat them along an axis: together
#: they have up to this many times the bytes of the file, and these besides.
MAX_SHARING, MAX_REPEATED = 4, 1 << 26


class CheckpointSizeError(ValueError):
    """A checkpoint asks for more memory than its file has bytes."""


def check_file_size(path: str | os.PathLike) -> None:
    """Look at a file before it is loaded.

    Args:
        path: File of ``torch.save``.

    Raises:
        CheckpointSizeError: If its entries are compressed or overlap, or it names what takes any
            amount of memory.
        zipfile.BadZipFile: If it is a damaged archive.
        ValueError: If it is no file of ``torch.save``.
    """
    with open(path, 'rb') as file:
        is_archive = file.read(len(_ARCHIVE_START)) == _ARCHIVE_START
    for pickle in _archived(path) if is_archive else _old(path):
        for opcode, argument, _ in pickletools.genops(pickle):
            if opcode.name == 'GLOBAL' and _TAKES_MEMORY.fullmatch(argument):
                raise CheckpointSizeError(f'it names {argument}, which takes any amount of memory')


def check_tensor_sizes(checkpoint: Any, path: str | os.PathLike) -> None:
    """Look at what was loaded, before anything is computed with it.

    Args:
        checkpoint: What the file holds.
        path: The file.

    Raises:
        CheckpointSizeError: If its tensors, which can repeat numbers and share them, would have far
            more bytes than the file.
    """
    size = sum(tensor.numel() * tensor.element_size() for tensor in _tensors(checkpoint))
    if size > MAX_SHARING * os.path.getsize(path) + MAX_REPEATED:
        raise CheckpointSizeError(f'its tensors have {size} bytes')


def _archived(path: str | os.PathLike) -> Iterator[IO[bytes]]:
    """The pickles of an archive whose entries lie in it as they are."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise CheckpointSizeError('its entries are compressed, as torch.save does not')
        if sum(entry.file_size for entry in entries) > os.path.getsize(path):
            raise CheckpointSizeError('its entries are larger than the file')
        for entry in entries:
            if entry.filename.endswith('.pkl'):
                with archive.open(entry) as pickle:
                    yield pickle


def _old(path: str | os.PathLike) -> Iterator[IO[bytes]]:
    with open(path, 'rb') as file:
        for _ in range(_PICKLES_OF_OLD_FILES):
            yield file


def _tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in containers, however they are nested, each container once."""
    pending, seen = [value], set()
    while pending:
        value = pending.pop()
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, Mapping | list | tuple | set) and id(value) not in seen:
            seen.add(id(value))
            pending += value.values() if isinstance(value, Mapping) else value
