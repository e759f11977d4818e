"""Messages name a few and say how many more there are."""

import pytest

from mmpolar.utils.abridged import abridged


@pytest.mark.parametrize(
    ('names', 'expected'),
    [([], ''), (['a'], 'a'), (['a', 2], 'a, 2'), (['a', 'b', 'c', 'd'], 'a, b and 2 more')],
)
def test_abridged_names_the_first_and_counts_the_rest(names, expected):
    assert abridged(names, limit=2) == expected
    assert abridged(iter(names), limit=2) == expected
