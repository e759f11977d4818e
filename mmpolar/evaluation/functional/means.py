"""Means of values some of which are not known."""

import math
from collections.abc import Sequence

import numpy as np


def mean_of_known(values: Sequence[float]) -> float:
    """Mean of the values that are not NaN; NaN if there is none."""
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan
