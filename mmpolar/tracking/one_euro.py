"""A filter against jitter that follows fast movements."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass
class OneEuroFilter:
    """The 1 euro filter of Casiez et al., CHI 2012, for an array of signals, with frames as its time.

    A low-pass filter of first order whose cutoff grows with the speed of the signal: slow movements,
    where jitter is seen, are smoothed much, fast ones, where lag is seen, little.

    Args:
        cutoff: Cutoff frequency of a signal that stands still, in periods a frame, above 0; lower
            is steadier. ``f_c_min`` of the paper.
        speed_gain: By how much the cutoff grows with the speed, in periods a frame for each unit of
            the signal a frame; higher lags less. ``beta`` of the paper.
        speed_cutoff: Cutoff frequency of the speed.

    Raises:
        ValueError: If a frequency is not positive, or the gain is negative.

    Example:
        >>> import numpy as np
        >>> from mmpolar.tracking.one_euro import OneEuroFilter
        >>> smooth = OneEuroFilter(cutoff=0.1)
        >>> smooth(np.array([100.0])), smooth(np.array([101.0])).round(2)
        (array([100.]), array([100.39]))
    """

    cutoff: float = 0.1
    speed_gain: float = 0.0
    speed_cutoff: float = 0.15
    _value: NDArray[np.float64] | None = field(default=None, init=False, repr=False)
    _speed: NDArray[np.float64] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if not (self.cutoff > 0 and self.speed_cutoff > 0):
            raise ValueError(
                'cutoff and speed_cutoff must be above 0, got '
                f'{self.cutoff} and {self.speed_cutoff}'
            )
        if not self.speed_gain >= 0:
            raise ValueError(f'speed_gain must be at least 0, got {self.speed_gain}')

    def __call__(self, values: NDArray) -> NDArray[np.float64]:
        """The filtered values of the next frame.

        Args:
            values: Any shape; another shape than before, or a NaN, resets the filter.
        """
        values = np.asarray(values, np.float64)
        before = self._value
        if before is None or before.shape != values.shape or not np.isfinite(values + before).all():
            self._value, self._speed = values.copy(), np.zeros_like(values)
            return values
        share = _share(self.speed_cutoff)
        self._speed = share * (values - before) + (1 - share) * self._speed
        share = _share(self.cutoff + self.speed_gain * np.abs(self._speed))
        self._value = share * values + (1 - share) * before
        return self._value.copy()

    def learned(self) -> dict[str, NDArray[np.float64]]:
        """The parameters and what was filtered so far, arrays by name."""
        arrays = dict(parameters=np.array([self.cutoff, self.speed_gain, self.speed_cutoff]))
        if self._value is not None:
            arrays |= dict(value=self._value, speed=self._speed)
        return arrays

    @classmethod
    def of_learned(cls, arrays: Mapping[str, NDArray]) -> 'OneEuroFilter':
        """A filter that goes on from what :meth:`learned` gave."""
        one = cls(*arrays['parameters'].tolist())
        one._value, one._speed = arrays.get('value'), arrays.get('speed')
        return one

    def reset(self) -> None:
        """Forget the past, as after a cut."""
        self._value = self._speed = None


def _share(cutoff: float | NDArray) -> float | NDArray:
    """Weight of the newest value, for a cutoff in periods a frame."""
    return 1 / (1 + 1 / (2 * np.pi * cutoff))
