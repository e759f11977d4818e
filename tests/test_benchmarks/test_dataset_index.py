"""python -m benchmarks.dataset_index on a few sequences."""

import subprocess
import sys
from pathlib import Path

import pytest
from scripts import help_of

from benchmarks import dataset_index
from mmpolar.datasets import GOT10kDataset

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def tool():
    return dataset_index


@pytest.fixture(scope='module')
def root(tool, tmp_path_factory):
    folder = tmp_path_factory.mktemp('fake')
    tool.make_data(folder, 300, 4)
    return folder


def test_fake_data_are_read_as_got10k(tool, root):
    dataset = GOT10kDataset(root)
    assert dataset.num_videos == 300
    assert dataset.get_len_per_video(299) == 4
    assert GOT10kDataset(root, ann_file='train/few.txt').num_videos == 3
    tool.make_data(root, 300, 4)
    assert len(list((root / 'train').glob('GOT*'))) == 300


def test_second_start_is_faster_than_the_first(tool, root, tmp_path):
    first, *later = (tool.time_start(root, str(tmp_path)) for _ in range(4))
    assert min(later) < first / 3
    assert len(list(tmp_path.glob('*.index'))) == 1


@pytest.mark.parametrize('workers', [0, 2])
def test_workers_are_weighed(tool, root, tmp_path, workers):
    weight = tool.weigh_workers(root, str(tmp_path), '', workers, 120, 'fork')
    assert 2**20 < weight < 2**34


@pytest.mark.slow
def test_whole_run(tmp_path):
    command = [
        sys.executable,
        '-m',
        'benchmarks.dataset_index',
        '--sequences',
        '300',
        '--workers',
        '0',
        '1',
    ]
    done = subprocess.run(
        [*command, '--frames', '5', '--pairs', '50'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert 'index ready' in done.stdout
    assert done.stdout.splitlines()[-1].split()[0] == '1'


def test_help_teaches(tool, capsys):
    assert 'private pages' in help_of(tool, capsys)
    with pytest.raises(SystemExit):
        tool.main(['--sequences', '10'])
