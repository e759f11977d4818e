"""Values over several runs of one kind."""

from collections.abc import Mapping, Sequence

import numpy as np


def spread(values: Sequence[float]) -> dict[str, float | None]:
    """Mean and sample standard deviation.

    Args:
        values: One value a run, at least one.

    Returns:
        ``mean`` and ``std``; ``std`` is None for a single value, of which nobody knows it.
    """
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return dict(mean=float(np.mean(values)), std=deviation)


def cell(value: Mapping[str, float | None], digits: int, sign: bool = False) -> str:
    """What :func:`spread` gave, for a table.

    Args:
        value: ``mean`` and ``std``.
        digits: Digits behind the point.
        sign: Whether a mean above 0 gets a plus.

    Returns:
        For instance ``'0.61 ± 0.02'``, or ``'0.61'`` of a single value.
    """
    mean = f'{value["mean"]:{"+" if sign else ""}.{digits}f}'
    return mean if value['std'] is None else f'{mean} ± {value["std"]:.{digits}f}'
