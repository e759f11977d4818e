"""A project of its own in a temporary folder, to which the scripts are applied."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

CONFIG = """
_base_ = ['{root}/configs/_base_/default_runtime.py']
custom_imports = dict(imports=['toy_tracker'])
dataloader = dict(
    batch_size=1,
    num_workers=0,
    dataset=dict(type='ToySquares', folder='{folder}/frames'),
    sampler=dict(type='DefaultSampler', shuffle=False))
model = dict(type='ToyTracker')
train_dataloader = dataloader
train_cfg = dict(by_epoch=True, max_epochs=2)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))
test_dataloader = dataloader
test_cfg = dict()
test_evaluator = dict(type='ToyMetric')
"""


@dataclass(frozen=True)
class ToyProject:
    """A folder with a config for the model of ``toy_tracker.py``."""

    folder: Path

    @property
    def config(self) -> str:
        return str(self.folder / 'toy.py')

    def run(self, *command: str) -> subprocess.CompletedProcess:
        """Run a command in the folder, with the package and the toy importable."""
        paths = [str(ROOT), str(HERE), os.environ.get('PYTHONPATH', '')]
        environment = {
            **os.environ,
            'PYTHONPATH': os.pathsep.join(filter(None, paths)),
            'PYTHON': sys.executable,
            'OMP_NUM_THREADS': '1',
            'CUDA_VISIBLE_DEVICES': '',
        }
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300
        )

    def run_tool(self, name: str, *arguments: str) -> subprocess.CompletedProcess:
        return self.run(sys.executable, str(ROOT / 'tools' / name), *arguments)


@pytest.fixture(scope='module')
def toy_project(tmp_path_factory: pytest.TempPathFactory) -> ToyProject:
    folder = tmp_path_factory.mktemp('toy')
    (folder / 'toy.py').write_text(CONFIG.format(root=ROOT, folder=folder))
    return ToyProject(folder)
