"""Checks of options at the boundary."""


def check_at_least(smallest: float, **options: float) -> None:
    """Refuse options that are too small.

    Raises:
        ValueError: If one of them is; it is named.
    """
    for name, value in options.items():
        if value < smallest:
            raise ValueError(f'{name} must be at least {smallest}, got {value}')
