"""What pip's own build calls make of the project: the package, and beside it configs and tools."""

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFIG = 'configs/_base_/default_runtime.py'
MIM_ENTRIES = {'configs', 'tools', 'demo', 'model-index.yml'}


@pytest.fixture
def source(copy_project, tmp_path):
    """A copy of the project as a clean checkout has it."""
    return copy_project(tmp_path)


def build(source, kind):
    """Call the hook that pip calls for this kind; gives the file that it wrote."""
    out = source.parent / f'{kind}-of-{source.name}'
    out.mkdir()
    code = f'from setuptools import build_meta; build_meta.build_{kind}({str(out)!r})'
    done = subprocess.run([sys.executable, '-c', code], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [made] = out.iterdir()
    return made


def test_editable_install_links_the_mim_folder(source):
    build(source, 'editable')
    mim = source / 'mmpolar' / '.mim'
    assert {entry.name for entry in mim.iterdir()} == MIM_ENTRIES
    assert (mim / CONFIG).samefile(source / CONFIG)
    assert (mim / 'tools' / 'train.py').samefile(source / 'tools' / 'train.py')
    assert all(entry.is_symlink() for entry in mim.iterdir())


def test_editable_install_tells_mim_where_the_checkout_is(source):
    with zipfile.ZipFile(build(source, 'editable')) as wheel:
        [names] = (name for name in wheel.namelist() if name.endswith('/top_level.txt'))
        assert wheel.read(names).decode().splitlines() == [str(source / 'mmpolar'), 'mmpolar']


def test_wheel_holds_package_and_mim_folder(source):
    build(source, 'editable')  # its links must not find their way into the wheel
    with zipfile.ZipFile(build(source, 'wheel')) as wheel:
        names = set(wheel.namelist())
        assert wheel.read(f'mmpolar/.mim/{CONFIG}') == (ROOT / CONFIG).read_bytes()
        [metadata] = (wheel.read(name).decode() for name in names if name.endswith('/METADATA'))
        [top_level] = (wheel.read(name) for name in names if name.endswith('/top_level.txt'))
    pages = {str(path.relative_to(ROOT)) for path in (ROOT / 'mmpolar/studio/static').iterdir()}
    assert len(pages) > 5
    assert pages <= names
    expected = {
        str(path.relative_to(ROOT))
        for path in (ROOT / 'mmpolar').rglob('*.py')
        if '.mim' not in path.parts and (path.parent / '__init__.py').exists()
    }
    assert expected <= names
    assert {Path(name).parts[2] for name in names if '/.mim/' in name} == MIM_ENTRIES
    assert 'mmpolar/.mim/tools/test.py' in names
    assert top_level.decode().split() == ['mmpolar']
    assert not [
        name for name in names if name.startswith(('tests', 'benchmarks')) or '__pycache__' in name
    ]

    required = re.findall(r'^Requires-Dist: ([\w-]+)[^;\n]*(;.*)?$', metadata, re.MULTILINE)
    plain = {name for name, condition in required if 'extra' not in condition}
    assert plain == {'numpy'}
    runtime = {
        name for name, condition in required if "extra == 'runtime'" in condition.replace('"', "'")
    }
    assert runtime == {'av', 'numpy', 'onnxruntime', 'opencv-python-headless', 'pillow'}
    extras = re.findall(r'^Provides-Extra: (.+)$', metadata, re.MULTILINE)
    assert {
        'all',
        'export',
        'mim',
        'optional',
        'ray',
        'runtime',
        'studio',
        'tests',
        'train',
        'vot',
    } == set(extras)


def test_wheel_and_source_archive_hold_the_trained_trackers(source):
    names = ['any.pth', 'any/search.onnx', 'any/model.json', 'any/NOTICE.txt']
    paths = {f'mmpolar/model_zoo/{name}' for name in names}
    for path in paths:
        (source / path).parent.mkdir(exist_ok=True)
        (source / path).write_bytes(b'weights')
    with zipfile.ZipFile(build(source, 'wheel')) as wheel:
        assert paths <= set(wheel.namelist())
    with tarfile.open(build(source, 'sdist')) as archive:
        assert paths <= {name.partition('/')[2] for name in archive.getnames()}


def test_source_archive_builds_the_same_wheel(source):
    with tarfile.open(build(source, 'sdist')) as archive:
        archive.extractall(source.parent, filter='data')
    [unpacked] = source.parent.glob('mmpolar-*')
    assert contents(build(unpacked, 'wheel')) == contents(build(source, 'wheel'))


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {info.filename: info.CRC for info in archive.infolist()}
