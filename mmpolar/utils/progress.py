"""Progress bars of all programs: shown on a terminal, silent where the output goes to a file or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

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
