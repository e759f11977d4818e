"""Speed of a tracker from the times that were measured for its frames."""

import numpy as np


def frames_per_second(seconds: np.ndarray, skip: int = 1) -> float:
    """Frames a second over a sequence: how many frames, by the time that they took together.

    The mean of 1 / seconds, as some toolkits report it, is never below this and counts a few fast
    frames more than the slow ones.

    Args:
        seconds: (T,) measured time of each frame in seconds; NaN where the tracker did not run or
            nothing was measured.
        skip: Frames at the start that do not count: the first one initialises the tracker.

    Returns:
        Frames a second, NaN when no frame was measured.

    Raises:
        ValueError: If a time is not above 0.
    """
    seconds = np.asarray(seconds, dtype=np.float64)[skip:]
    seconds = seconds[~np.isnan(seconds)]
    if (seconds <= 0).any():
        raise ValueError(
            f'{(seconds <= 0).sum()} frames took {seconds.min()} s or less; a time must be '
            'measured, leave it NaN where it was not'
        )
    return float(seconds.size / seconds.sum()) if seconds.size else float('nan')
