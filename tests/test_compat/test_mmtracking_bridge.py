"""MMTracking's refusal is bridged for it alone, when asked for, and nothing else changes."""

import hashlib
import json
import os
import runpy
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

import mmdet
import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(mmdet.__file__).parents[1]
REPAIRED = (
    'mmtrack/__init__.py',
    'mmcls/__init__.py',
    'mmtrack/datasets/transforms/loading.py',
    'mmtrack/models/track_heads/stark_head.py',
)
LAUNCHER = (sys.executable, '-m', 'mmpolar.compat.mmtracking')


def run(*command, path=(), **options):
    environment = os.environ | dict(
        PYTHONPATH=os.pathsep.join([*map(str, path), str(ROOT)]), OMP_NUM_THREADS='1'
    )
    return subprocess.run(
        [*map(str, command)], capture_output=True, text=True, env=environment, **options
    )


def fingerprints():
    """Digests of the repaired modules' sources and cached bytecode."""
    sources = [SITE / name for name in REPAIRED]
    files = sources + [Path(cache_from_source(str(source))) for source in sources]
    return {str(f): hashlib.sha256(f.read_bytes()).hexdigest() for f in files if f.is_file()}


IN_PROCESS = """
import json, sys
import mmpolar.registry
import mmcv, mmdet, mmdet.models.layers, numpy as np
from mmpolar.compat import MMTrackingBridge

def state():
    return dict(
        mmcv=mmcv.__version__, mmdet=mmdet.__version__, np_bool=hasattr(np, 'bool'),
        transformer=hasattr(mmdet.models.layers, 'Transformer'),
        finders=[str(finder) for finder in sys.meta_path])

def error_of(action):
    try:
        action()
    except Exception as error:
        return type(error).__name__ + ': ' + str(error)

facts = dict(before=state(), unbridged=error_of(lambda: __import__('mmtrack')))
with MMTrackingBridge():
    from mmtrack.utils import register_all_modules
    register_all_modules(init_default_scope=False)
facts['after'] = state()
from mmtrack.datasets.transforms import LoadTrackAnnotations
from mmtrack.models.track_heads.stark_head import StarkTransformer
results = LoadTrackAnnotations()(dict(instances=[dict(bbox=[1, 2, 3, 4], bbox_label=0)]))
facts['ignore_flags'] = str(results['gt_ignore_flags'].dtype)
facts['stark'] = error_of(StarkTransformer)
sys.modules.pop('mmtrack')
facts['disabled'] = error_of(lambda: __import__('mmtrack'))
print(json.dumps(facts))
"""


@pytest.fixture(scope='module')
def in_process():
    """What a program saw that imports MMTracking inside a ``with`` block."""
    before = fingerprints()
    done = run(sys.executable, '-c', IN_PROCESS)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]) | dict(
        stderr=done.stderr, files=(before, fingerprints())
    )


def test_without_the_bridge_mmtracking_refuses_to_be_imported(in_process):
    assert in_process['unbridged'].startswith('AssertionError: MMCV==')


def test_with_the_bridge_all_of_mmtracking_registers_and_nobody_else_is_deceived(in_process):
    assert in_process['after'] == in_process['before']
    assert in_process['before']['transformer'] is False


def test_after_the_block_mmtracking_refuses_again(in_process):
    assert in_process['disabled'] == in_process['unbridged']


def test_annotations_load_without_the_numpy_alias(in_process):
    assert in_process['ignore_flags'] == 'bool'


def test_stark_says_why_it_cannot_be_built(in_process):
    assert in_process['stark'].startswith('NotImplementedError: STARK needs mmdet.models.layers')


def test_every_repair_is_reported_once(in_process):
    reports = [line for line in in_process['stderr'].splitlines() if 'mmpolar bridge' in line]
    modules = [name.removesuffix('.py').removesuffix('/__init__') for name in REPAIRED]
    for module in modules:
        named = [line for line in reports if f': {module.replace("/", ".")} is loaded' in line]
        assert len(named) == 1, reports
    assert len(reports) == len(modules)


def test_installed_files_and_their_bytecode_stay_as_they_are(in_process):
    before, after = in_process['files']
    assert set(before) >= {str(SITE / name) for name in REPAIRED}
    assert {name: after[name] for name in before} == before
    written = [name for name in after if name not in before]
    assert not written


@pytest.fixture
def releases(tmp_path):
    """Makes packages that have nothing but the versions of MMCV and MMDetection."""

    def make(mmcv_version, mmdet_version):
        for package, version in (('mmcv', mmcv_version), ('mmdet', mmdet_version)):
            (tmp_path / package).mkdir()
            (tmp_path / package / '__init__.py').write_text(f'__version__ = {version!r}\n')
        return tmp_path

    return make


IMPORT = """
from mmpolar.compat import MMTrackingBridge
with MMTrackingBridge():
    import mmtrack
print(mmtrack.MMCV_MAX, mmtrack.MMDET_MAX)
"""


def test_releases_that_mmtracking_accepts_need_no_bridge(releases):
    done = run(sys.executable, '-c', IMPORT, path=[releases('2.0.0rc4', '3.0.0rc6')])
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ['2.0.0', '3.0.0']
    assert 'mmpolar bridge: mmtrack accepts the installed mmcv and mmdet' in done.stderr


def test_releases_too_old_are_refused_as_before(releases):
    done = run(sys.executable, '-c', IMPORT, path=[releases('1.7.2', '3.3.0')])
    assert done.returncode == 1
    assert 'AssertionError: MMCV==1.7.2 is used but incompatible' in done.stderr


PARENT = """
import builtins, subprocess, sys
print([name for name in ('mmpolar', 'torch', 'numpy') if name in sys.modules])
print(builtins.left_by_sitecustomize)
print(sys.argv[1:])
child = 'import mmtrack; print(mmtrack.__version__)'
sys.exit(subprocess.run([sys.executable, '-c', child]).returncode or 3)
"""


def test_the_launcher_bridges_a_script_and_the_pythons_it_starts(tmp_path):
    (tmp_path / 'parent.py').write_text(PARENT)
    (tmp_path / 'sitecustomize.py').write_text(
        'import builtins\nbuiltins.left_by_sitecustomize = 7\n'
    )
    done = run(*LAUNCHER, tmp_path / 'parent.py', '--work-dir', 'x', path=[tmp_path])
    assert done.returncode == 3, done.stderr
    assert done.stdout.splitlines() == ['[]', '7', "['--work-dir', 'x']", '1.0.0rc1']
    assert done.stderr.count('mmpolar bridge: mmtrack is loaded') == 1


def test_the_launcher_names_a_program_that_is_not_there(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['mmtracking', 'no-such-program', '--help'])
    with pytest.raises(SystemExit) as exit_info:
        runpy.run_module('mmpolar.compat.mmtracking', run_name='__main__')
    assert exit_info.value.code == 2
    assert 'no program no-such-program' in capsys.readouterr().err
