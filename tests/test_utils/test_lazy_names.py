import pytest

from mmpolar.utils.lazy_names import lazy_names


def test_names_come_from_their_modules_then_from_the_others():
    ask = lazy_names('mmpolar.utils', {'abridged': 'abridged'}, others=lambda name: f'old {name}')

    assert ask('abridged')(['a', 'b']) == 'a, b'
    assert ask('gone') == 'old gone'


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'mmpolar.utils' has no attribute 'gone'"):
        lazy_names('mmpolar.utils', {})('gone')
