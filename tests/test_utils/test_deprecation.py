"""Old spellings work, with one warning that names the new one."""

import inspect
import subprocess
import sys
import warnings
from importlib import import_module
from importlib.util import find_spec

import pytest

from mmpolar.utils import deprecation
from mmpolar.utils.deprecation import (
    MMPolarDeprecationWarning,
    MovedModuleFinder,
    moved_names,
    renamed_keywords,
    warn_deprecated,
    with_new_keys,
)
from mmpolar.utils.moved_modules import MOVED_MODULES


@pytest.fixture(autouse=True)
def nothing_warned_yet(monkeypatch):
    monkeypatch.setattr(deprecation, '_warned', set())


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """A package ``new_home`` with a module, and the finder for what it replaced."""
    (tmp_path / 'new_home').mkdir()
    (tmp_path / 'new_home/__init__.py').write_text('')
    (tmp_path / 'new_home/geometry.py').write_text('def area(): return 6\ndef length(): return 5\n')
    monkeypatch.syspath_prepend(tmp_path)
    places = {
        'old_home': {'area': 'new_home.geometry', 'size': 'new_home.geometry:length'},
        'old_home.shapes': 'new_home.geometry',
    }
    monkeypatch.setattr(sys, 'meta_path', [*sys.meta_path, MovedModuleFinder(places)])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_warning_names_both_spellings_and_comes_once():
    def use_old():
        warn_deprecated('the old', 'the new')

    with pytest.warns(MMPolarDeprecationWarning, match='the old is deprecated.*use the new') as got:
        [use_old() for _ in range(2)]
    assert len(got) == 1
    assert got[0].filename == __file__
    assert issubclass(MMPolarDeprecationWarning, DeprecationWarning)


def test_moved_module_is_the_new_one(modules):
    with pytest.warns(MMPolarDeprecationWarning, match='use new_home.geometry') as got:
        old, again = [import_module('old_home.shapes') for _ in range(2)]
    assert old is again is import_module('new_home.geometry')
    assert old.__name__ == 'new_home.geometry'
    assert len(got) == 1


def test_names_of_a_split_module_are_found_one_by_one(modules):
    with pytest.warns(MMPolarDeprecationWarning, match='use new_home.geometry.length') as got:
        from old_home import size
    assert size() == 5
    assert len(got) == 1
    assert got[0].filename == __file__
    with pytest.raises(ImportError, match='volume'):
        from old_home import volume  # noqa: F401


def test_module_that_exists_is_not_redirected(modules):
    finder = MovedModuleFinder({'json': 'new_home.geometry'})
    sys.meta_path.append(finder)
    sys.modules.pop('json.scanner', None)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert import_module('json').loads('1') == 1
    sys.meta_path.remove(finder)


def test_moved_names_serve_a_module_that_is_still_there():
    find = moved_names('mmpolar.old', {'dumps': 'json', 'parse': 'json:loads'})
    with pytest.warns(MMPolarDeprecationWarning, match=r'mmpolar\.old\.parse.*json\.loads'):
        assert find('parse')('1') == 1
    with pytest.warns(MMPolarDeprecationWarning, match=r'use json\.dumps'):
        assert find('dumps')(1) == '1'
    with pytest.raises(AttributeError, match='has no attribute'):
        find('other')


class Plot:
    @renamed_keywords(outfile='out_file', number='count')
    def __init__(self, out_file, count=1):
        self.out_file = out_file
        self.count = count


def test_old_keyword_gets_its_new_name():
    with pytest.warns(MMPolarDeprecationWarning, match='outfile of Plot.*use out_file') as got:
        plot, _ = [Plot(outfile='a.png', count=3) for _ in range(2)]
    assert (plot.out_file, plot.count) == ('a.png', 3)
    assert len(got) == 1
    assert got[0].filename == __file__


def test_new_keyword_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert Plot('a.png').out_file == Plot(out_file='a.png').out_file


def test_both_keywords_are_refused():
    with pytest.raises(TypeError, match='both out_file and its old name outfile'):
        Plot(out_file='a.png', outfile='b.png')


def test_signature_shows_new_keywords_only():
    assert list(inspect.signature(Plot).parameters) == ['out_file', 'count']


def test_old_keys_of_a_config_get_their_new_names():
    config = dict(elect='max', window=0.4)
    with pytest.warns(MMPolarDeprecationWarning, match='elect of test_cfg'):
        assert with_new_keys(config, {'elect': 'select'}, 'test_cfg') == dict(
            select='max', window=0.4
        )
    assert config == dict(elect='max', window=0.4)


@pytest.mark.parametrize('old', MOVED_MODULES)
def test_each_moved_module_leads_somewhere(old):
    new = MOVED_MODULES[old]
    sys.modules.pop(old, None)
    if old.startswith('mmpolar.compat.mmtracking.'):
        # Imports MMTracking, which only the bridge makes possible.
        assert find_spec(new) is not None
    elif isinstance(new, str):
        with pytest.warns(MMPolarDeprecationWarning):
            assert import_module(old) is import_module(new)
    else:
        for name in new:
            with pytest.warns(MMPolarDeprecationWarning):
                assert getattr(import_module(old), name) is not None


def test_warning_is_shown_without_any_filter():
    program = (
        'from mmpolar.utils.deprecation import moved_names\n'
        'namespace = dict(__name__="mmengine.somewhere", find=moved_names("a", {"b": "json:loads"}))\n'
        'exec("find(\'b\')", namespace)\n'
    )
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert 'a.b is deprecated' in done.stderr, done.stderr
