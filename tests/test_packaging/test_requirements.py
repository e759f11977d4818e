"""The pinned releases cover what is asked for, and nothing ties them to one machine."""

from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REQUIREMENTS = Path(__file__).resolve().parents[2] / 'requirements'


def entries(name):
    lines = (REQUIREMENTS / f'{name}.txt').read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith('#')]


@pytest.fixture(scope='module')
def lock():
    return {canonicalize_name(entry.name): entry for entry in entries('lock')}


@pytest.mark.parametrize('name', ['build', 'mminstall', 'runtime', 'optional', 'tests'])
def test_lock_pins_every_requirement_within_its_bounds(lock, name):
    for entry in entries(name):
        pinned = lock[canonicalize_name(entry.name)]
        [release] = pinned.specifier
        assert release.operator == '=='
        assert entry.specifier.contains(release.version, prereleases=True), entry


def test_lock_has_exact_releases_of_registry_packages_only(lock):
    for entry in lock.values():
        assert entry.url is None
        [release] = entry.specifier
        assert release.operator == '=='
        assert '+' not in release.version
        assert '*' not in release.version


def test_lock_leaves_out_what_would_pin_an_old_setuptools(lock):
    assert not {'openmim', 'opendatalab', 'openxlab'} & set(lock)
    assert lock['setuptools'].specifier.contains('80.9.0')


def test_no_maximum_release_of_an_openmmlab_package():
    for entry in entries('mminstall'):
        assert {release.operator for release in entry.specifier} <= {'>='}, entry
