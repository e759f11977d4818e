"""Which tracking parameters are tuned, and between which values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from optuna import Trial

from mmpolar.tracking import TrackParams

Value = float | int
#: Tuned unless told otherwise: ranges around the published values, in steps that can be told apart.
#: The sizes of the search crop follow from the config's own, see :func:`default_ranges`.
_RANGES = dict(
    penalty_k=(0.0, 0.3, 0.002),
    window_influence=(0.0, 0.6, 0.01),
    lr=(0.2, 1.0, 0.01),
    score_ratio=(0.0, 1.0, 0.02),
)
_SIZES = ('search_size', 'small_target_search_size', 'lost_search_size')
#: Digits that survive adding steps up in floating point.
_DIGITS = 6


@dataclass(frozen=True)
class Range:
    """The values low, low + step, ... up to high of one parameter.

    Attributes:
        name: Field of :class:`TrackParams`.
        low: Smallest value.
        high: Largest value.
        step: Distance of two values; a whole number for a whole-numbered field.
    """

    name: str
    low: Value
    high: Value
    step: Value

    def suggest(self, trial: Trial) -> Value:
        """Value of a trial."""
        if isinstance(self.low, int):
            return trial.suggest_int(self.name, self.low, self.high, step=self.step)
        value = trial.suggest_float(self.name, self.low, self.high, step=self.step)
        return round(value, _DIGITS)

    def contains(self, value: Value) -> bool:
        """Whether a value is one of these."""
        steps = (value - self.low) / self.step
        return self.low <= value <= self.high and abs(steps - round(steps)) < 10**-_DIGITS


def default_ranges(params: TrackParams) -> dict[str, Range]:
    """Ranges of the parameters that are tuned unless told otherwise.

    The search crop grows in steps of two locations, so that a location stays in its middle.

    Args:
        params: Those of the config.

    Returns:
        The ranges by name.
    """
    step = 2 * params.stride
    size = params.search_size
    ranges = {name: Range(name, *limits) for name, limits in _RANGES.items()}
    smallest = size - step if size - step > params.template_size else size
    ranges['search_size'] = Range('search_size', smallest, size + 3 * step, step)
    ranges['small_target_search_size'] = Range(
        'small_target_search_size', size, size + 5 * step, step
    )
    return ranges


def parse_ranges(texts: Iterable[str], params: TrackParams) -> list[Range]:
    """The ranges that a command line asks for.

    Args:
        texts: ``NAME`` for a default range, or ``NAME=LOW:HIGH`` or ``NAME=LOW:HIGH:STEP``.
        params: Those of the config.

    Returns:
        The ranges.

    Raises:
        ValueError: If a parameter is unknown, or its range empty, without a default or beyond what
            the parameter may be.
    """
    ranges = [_parse(text, params) for text in texts]
    names = [one.name for one in ranges]
    if len(set(names)) < len(names):
        raise ValueError(f'each parameter can be tuned once, got {", ".join(names)}')
    for one in ranges:
        _check(one, params)
    return ranges


def cfg_options(values: Mapping[str, Value]) -> str:
    """The option of a command line that sets these parameters in a config."""
    return '--cfg-options ' + ' '.join(
        f'model.test_cfg.{name}={value}' for name, value in values.items()
    )


def _parse(text: str, params: TrackParams) -> Range:
    name, sign, limits = text.partition('=')
    kinds = {field.name: field.type for field in fields(TrackParams) if field.type in (int, float)}
    if name not in kinds:
        raise ValueError(f'there is no tracking parameter {name!r}; there are {", ".join(kinds)}')
    default = default_ranges(params).get(name)
    if not sign:
        if default is None:
            raise ValueError(f'{name} has no usual range; say {name}=LOW:HIGH:STEP')
        return default
    parts = limits.split(':')
    try:
        numbers = [kinds[name](part) for part in parts]
    except ValueError as error:
        raise ValueError(
            f'{text}: LOW, HIGH and STEP must be numbers of {name} ({error})'
        ) from error
    if len(numbers) == 2 and default is not None:
        numbers.append(default.step)
    if len(numbers) != 3:
        raise ValueError(f'{text}: say {name}=LOW:HIGH:STEP')
    return Range(name, *numbers)


def _check(one: Range, params: TrackParams) -> None:
    if not (one.low < one.high and one.step > 0):
        raise ValueError(f'{one.name}: LOW must be below HIGH and STEP above 0, got {one}')
    for value in (one.low, one.high):
        TrackParams(**{**vars(params), one.name: value})
    if one.name in _SIZES:
        unit = 2 * params.stride
        if one.step % unit or (one.low - params.search_size) % unit:
            raise ValueError(
                f'{one.name} must differ from {params.search_size} px by multiples of {unit} px, so '
                f'that a location stays in the middle of the crop; got {one.low}:{one.high}:{one.step}'
            )
