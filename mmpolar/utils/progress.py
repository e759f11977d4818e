"""Progress bars of all programs: shown on a terminal, silent where the output goes to a file or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from tqdm import tqdm


def shows_progress() -> bool:
    """Whether a person watches: stderr, where progress goes, is a terminal."""
    return sys.stderr.isatty()


def progress_bar(iterable: Iterable | None = None, shown: bool = True, **options: Any) -> tqdm:
    """A progress bar on stderr, silent if that is no terminal.

    Args:
        iterable: What to go through; without it the caller updates the bar.
        shown: Whether to show it on a terminal.
        **options: Of ``tqdm``: ``total``, ``desc``, ``unit``, ``leave``, ...

    Example:
        >>> for name in progress_bar(['a', 'b'], desc='drawing', unit='image'):
        ...     print(name)
        a
        b
    """
    # Tracking with ONNX Runtime alone works without tqdm, and asks shows_progress only.
    from tqdm import tqdm

    return tqdm(iterable, disable=not (shown and shows_progress()), **options)


class Count:
    """How many of many are done, on a terminal and where tqdm is installed, below the lines that are said.

    Args:
        bar: The bar; None for none.
    """

    def __init__(self, bar: tqdm | None = None) -> None:
        self._bar = bar

    def update(self, number: int = 1) -> None:
        """So many more are done."""
        if self._bar is not None:
            self._bar.update(number)

    def say(self, line: str, stream: TextIO | None = None) -> None:
        """Print a line, to stdout or another stream."""
        if self._bar is None or self._bar.disable:
            print(line, file=stream or sys.stdout, flush=True)
        else:
            self._bar.write(line, file=stream or sys.stdout)


@contextmanager
def counting(desc: str, total: int | None = None, unit: str = 'image') -> Iterator[Count]:
    """Count what is done; commands that run without tqdm count nothing.

    Args:
        desc: What is done.
        total: How many there are, if known.
        unit: What is counted.

    Example:
        >>> with counting('tracking', total=1, unit='video') as count:
        ...     count.say('first: 20 frames')
        ...     count.update()
        first: 20 frames
    """
    if find_spec('tqdm') is None:
        yield Count()
        return
    with progress_bar(desc=desc, total=total, unit=unit, leave=False) as bar:
        yield Count(bar)
