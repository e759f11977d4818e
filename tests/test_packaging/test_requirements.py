"""The pinned releases cover what is asked for, and nothing ties them to one machine."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / 'requirements'


def entries(name):
    lines = (REQUIREMENTS / f'{name}.txt').read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith('#')]


@pytest.fixture(scope='module')
def lock():
    return {canonicalize_name(entry.name): entry for entry in entries('lock')}


@pytest.mark.parametrize(
    'name',
    [
        'build',
        'mminstall',
        'train',
        'export',
        'runtime',
        'studio',
        'demo',
        'optional',
        'tests',
        'vot',
        'ray',
        'docs',
    ],
)
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
    assert not {'opendatalab', 'openxlab'} & set(lock)
    assert lock['setuptools'].specifier.contains('80.9.0')


def test_no_maximum_release_of_an_openmmlab_package():
    for entry in entries('mminstall'):
        assert {release.operator for release in entry.specifier} <= {'>='}, entry


def test_code_looks_up_no_installed_distribution():
    """Forks of OpenMMLab's libraries keep the import names and change those of distributions."""
    sources = [p for name in ('mmpolar', 'tools', 'demo') for p in (ROOT / name).rglob('*.py')]
    asking = [p for p in sources if re.search(r'importlib.metadata|pkg_resources', p.read_text())]
    assert len(sources) > 50
    assert asking == []
