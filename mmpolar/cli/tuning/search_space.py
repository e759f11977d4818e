"""Which tracking parameters are tuned, and between which values."""

from collections.abc import Iterable, Mapping
from dataclasses import fields

from optuna.distributions import FloatDistribution, IntDistribution

from mmpolar.tracking import TrackParams

Value = float | int
Range = FloatDistribution | IntDistribution
#: Low, high and step of what is tuned unless told otherwise, around the published values. The sizes
#: of the search crop follow from the config's own, see :func:`default_ranges`.
_LIMITS = dict(
    penalty_k=(0.0, 0.3, 0.002),
    window_influence=(0.0, 0.6, 0.01),
    lr=(0.2, 1.0, 0.01),
    score_ratio=(0.0, 1.0, 0.02),
)
_SIZES = ('search_size', 'small_target_search_size', 'lost_search_size')
_KINDS = {field.name: field.type for field in fields(TrackParams) if field.type in (int, float)}
#: Digits that survive adding steps up in floating point.
_DIGITS = 6


def default_ranges(params: TrackParams) -> dict[str, Range]:
    """Ranges, by name, of the parameters that are tuned unless told otherwise.

    The search crop grows in steps of two locations, so that a location stays in its middle.
    """
    step, size = 2 * params.stride, params.search_size
    smallest = size - step if size - step > params.template_size else size
    ranges: dict[str, Range] = {
        name: FloatDistribution(low, high, step=step_)
        for name, (low, high, step_) in _LIMITS.items()
    }
    ranges['search_size'] = IntDistribution(smallest, size + 3 * step, step=step)
    ranges['small_target_search_size'] = IntDistribution(size, size + 5 * step, step=step)
    return ranges


def parse_ranges(texts: Iterable[str], params: TrackParams) -> dict[str, Range]:
    """The ranges, by name, that a command line asks for.

    Args:
        texts: ``NAME`` for a default range, or ``NAME=LOW:HIGH`` or ``NAME=LOW:HIGH:STEP``.
        params: Those of the config.

    Raises:
        ValueError: If a parameter is unknown, or its range empty, without a default or beyond what
            the parameter may be.
    """
    ranges: dict[str, Range] = {}
    for text in texts:
        name, sign, limits = text.partition('=')
        if name not in _KINDS:
            known = ', '.join(_KINDS)
            raise ValueError(f'there is no tracking parameter {name!r}; there are {known}')
        if name in ranges:
            raise ValueError(f'each parameter can be tuned once, got {name} again')
        default = default_ranges(params).get(name)
        if not sign and default is None:
            raise ValueError(f'{name} has no usual range; say {name}=LOW:HIGH:STEP')
        ranges[name] = _parse(name, limits, default, params) if sign else default
    return ranges


def _parse(name: str, limits: str, default: Range | None, params: TrackParams) -> Range:
    try:
        numbers = [_KINDS[name](part) for part in limits.split(':')]
    except ValueError as error:
        raise ValueError(f'LOW, HIGH and STEP must be numbers of {name} ({error})') from error
    if len(numbers) == 2 and default is not None:
        numbers.append(default.step)
    if len(numbers) != 3:
        raise ValueError(f'{limits}: say {name}=LOW:HIGH:STEP')
    low, high, step = numbers
    if not (low < high and step > 0):
        raise ValueError(f'{name}: LOW must be below HIGH and STEP above 0, got {limits}')
    for value in (low, high):
        TrackParams(**{**vars(params), name: value})
    unit = 2 * params.stride
    if name in _SIZES and (step % unit or (low - params.search_size) % unit):
        raise ValueError(
            f'{name} must differ from {params.search_size} px by multiples of {unit} px, so that a '
            f'location stays in the middle of the crop; got {limits}'
        )
    return (IntDistribution if _KINDS[name] is int else FloatDistribution)(low, high, step=step)


def rounded(values: Mapping[str, Value]) -> dict[str, Value]:
    """Values without the noise of adding steps up, in the order of their names."""
    return {name: round(value, _DIGITS) for name, value in sorted(values.items())}


def cfg_options(values: Mapping[str, Value]) -> str:
    """The option of a command line that sets these parameters in a config."""
    return '--cfg-options ' + ' '.join(
        f'model.test_cfg.{name}={value}' for name, value in values.items()
    )
