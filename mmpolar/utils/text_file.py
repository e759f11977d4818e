"""Text and JSON files that other programs wrote."""

import codecs
import json
import os
from typing import Any

#: Largest file that is read whole, 4 GiB.
MAX_BYTES = 2**32
#: Encodings by their byte order mark; the longer marks start with the shorter ones.
_MARKS = (
    (codecs.BOM_UTF32_LE, 'utf-32-le'),
    (codecs.BOM_UTF32_BE, 'utf-32-be'),
    (codecs.BOM_UTF8, 'utf-8'),
    (codecs.BOM_UTF16_LE, 'utf-16-le'),
    (codecs.BOM_UTF16_BE, 'utf-16-be'),
)


class TextFileError(ValueError):
    """A file exists but cannot be read as the text that it should be."""


def find_encoding(path: str | os.PathLike) -> tuple[str, int]:
    """Encoding of a text file, by its byte order mark.

    Args:
        path: The file.

    Returns:
        The encoding, UTF-8 where there is no mark, and the length of the mark in bytes.
    """
    with open(path, 'rb') as file:
        start = file.read(4)
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding, len(mark)
    return 'utf-8', 0


def read_text(path: str | os.PathLike) -> str:
    """Text of a file in UTF-8, or in UTF-16 or UTF-32 with a byte order mark, which is left out.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        TextFileError: If it is in another encoding, or larger than ``MAX_BYTES``.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'file {path} does not exist')
    size = os.path.getsize(path)
    if size > MAX_BYTES:
        raise TextFileError(f'file {path} has {size:,} bytes; at most {MAX_BYTES:,} are read')
    encoding, mark = find_encoding(path)
    try:
        with open(path, encoding=encoding, newline='') as file:
            text = file.read()
    except UnicodeError as error:
        raise TextFileError(f'file {path} is no text in UTF-8 ({error}); save it so') from error
    except MemoryError as error:
        raise TextFileError(f'file {path} ({size:,} bytes) does not fit into memory') from error
    return text[1:] if mark else text


def read_json(path: str | os.PathLike) -> Any:
    """Content of a JSON file; see :func:`read_text`.

    Raises:
        FileNotFoundError: If there is no such file.
        TextFileError: If it is not valid JSON, is nested too deep or does not fit into memory.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except ValueError as error:
        raise TextFileError(f'{path} is not valid JSON: {error}') from error
    except RecursionError as error:
        raise TextFileError(f'{path} is not valid JSON: it is nested too deep') from error
    except MemoryError as error:
        raise TextFileError(f'the content of {path} does not fit into memory') from error
