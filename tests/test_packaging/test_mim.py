"""mmpolar as mim's users meet it: installed, and called by name from any folder."""

import os
import subprocess
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip('mim', reason='needs mim: pip install --no-deps openmim')

CONFIG = 'ocean-polar_effnet-lite0_synthetic.py'
VIDEOS = dict(num_train=3, num_val=2, frames=3, size='[120,90]')
SMALL = dict(
    {f'train_dataloader.dataset.datasets.0.{key}': value for key, value in VIDEOS.items()},
    **{f'val_dataloader.dataset.{key}': value for key, value in VIDEOS.items()},
    **{f'test_dataloader.dataset.{key}': value for key, value in VIDEOS.items()},
    **{
        'train_dataloader.dataset.samples_per_epoch': 4,
        'train_dataloader.batch_size': 4,
        'train_cfg.max_epochs': 1,
    },
    **{f'{split}_dataloader.num_workers': 0 for split in ('train', 'val', 'test')},
    **{f'{split}_dataloader.persistent_workers': False for split in ('train', 'val', 'test')},
)
OPTIONS = ['--cfg-options', *(f'{key}={value}' for key, value in SMALL.items())]


@dataclass(frozen=True)
class Installed:
    """An environment with mmpolar installed, beside the packages that the tests run with."""

    python: Path
    package: Path

    def mim(self, *arguments: str, cwd: Path) -> str:
        """What a mim command prints."""
        return run(self.python, '-m', 'mim', *arguments, cwd=cwd)


def run(*command: str | Path, cwd: Path) -> str:
    """What a command prints, run without the checkout on its path."""
    environment = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment | dict(OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES=''),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(source: Path, folder: Path, *options: str) -> Installed:
    """Install the project into an environment in ``folder``."""
    venv.create(folder, symlinks=True)
    python = folder / 'bin' / 'python'
    packages = sysconfig.get_path('purelib', 'venv', vars=dict(base=folder, platbase=folder))
    Path(packages, 'around.pth').write_text(sysconfig.get_path('purelib') + '\n')
    run(
        python, '-m', 'pip', 'install', '--no-deps', '--no-build-isolation', '--no-index', *options,
        source, cwd=folder,
    )  # fmt: skip
    package = source if '-e' in options else Path(packages)
    return Installed(python, package / 'mmpolar')


@pytest.fixture(scope='module')
def editable(copy_project, tmp_path_factory):
    folder = tmp_path_factory.mktemp('editable')
    return install(copy_project(folder), folder / 'venv', '-e')


@pytest.fixture(scope='module')
def plain(copy_project, tmp_path_factory):
    folder = tmp_path_factory.mktemp('plain')
    return install(copy_project(folder), folder / 'venv')


@pytest.fixture(params=['editable', 'plain'])
def installed(request):
    return request.getfixturevalue(request.param)


def test_import_takes_the_installed_package(installed, tmp_path):
    printed = run(installed.python, '-c', 'import mmpolar; print(mmpolar.__file__)', cwd=tmp_path)
    assert Path(printed.strip()) == installed.package / '__init__.py'


def test_mim_search_lists_the_models(installed, tmp_path):
    found = installed.mim('search', 'mmpolar', cwd=tmp_path)
    assert f'configs/ocean_polar/{CONFIG}' in found
    assert 'generated videos' in found


def test_mim_run_finds_a_script_in_a_subfolder(installed, tmp_path):
    said = installed.mim('run', 'mmpolar', 'make_synthetic', '--', '--help', cwd=tmp_path)
    assert f'{installed.package}/.mim/tools/dataset_converters/make_synthetic.py' in said
    assert 'usage: make_synthetic.py' in said


@pytest.mark.slow
def test_mim_trains_tests_and_browses_by_the_name_of_a_config(editable, plain, tmp_path):
    said = editable.mim('train', 'mmpolar', CONFIG, *OPTIONS, cwd=tmp_path)
    assert f'{editable.package}/.mim/tools/train.py' in said
    checkpoint = f'work_dirs/{Path(CONFIG).stem}/epoch_1.pth'
    assert (tmp_path / checkpoint).is_file()

    said = plain.mim('test', 'mmpolar', CONFIG, '--checkpoint', checkpoint, *OPTIONS, cwd=tmp_path)
    assert f'{plain.package}/.mim/tools/test.py' in said
    assert 'track/J' in said

    config = plain.package / '.mim' / 'configs' / 'ocean_polar' / CONFIG
    plain.mim(
        'run', 'mmpolar', 'browse_dataset', str(config), '--num', '2', '--out', 'pairs', *OPTIONS,
        cwd=tmp_path,
    )  # fmt: skip
    assert len(list((tmp_path / 'pairs').glob('pair_*.png'))) == 2
