import pytest

from mmpolar.structures.numbered_targets import NumberedTargets


def test_numbers_count_up_and_are_not_given_again():
    targets = NumberedTargets('ab')
    assert targets.add('c') == (2,)
    targets.remove(2)
    assert targets.add('de') == (3, 4)
    assert targets.ids == (0, 1, 3, 4)
    assert targets.all == ['a', 'b', 'd', 'e']
    assert len(targets) == 4


def test_unknown_numbers_are_named():
    targets = NumberedTargets('ab')
    with pytest.raises(KeyError, match=r'no target 7; those followed are \[0, 1\]'):
        targets.remove(7)
