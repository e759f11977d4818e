"""Checks of options at the boundary."""


def check_at_least(smallest: float, **options: float | None) -> None:
    """Refuse options that are too small; None is no limit.

    Raises:
        ValueError: If one of them is; it is named.
    """
    for name, value in options.items():
        if value is not None and value < smallest:
            raise ValueError(f'{name} must be at least {smallest}, got {value}')
