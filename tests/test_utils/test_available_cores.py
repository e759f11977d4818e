"""Cores that a process may use, by affinity and by the quotas of control groups."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmpolar.utils.available_cores import available_cores

CORES = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
OWN_V1 = Path('/sys/fs/cgroup/cpu')
QUOTAS = {
    'cpu.max': lambda folder, quota: (folder / 'cpu.max').write_text(f'{quota} 100000\n'),
    'cpu.cfs_quota_us': lambda folder, quota: (
        (folder / 'cpu.cfs_quota_us').write_text(f'{quota}\n'),
        (folder / 'cpu.cfs_period_us').write_text('100000\n'),
    ),
}
LINES = {
    'cpu.max': '0::/above/own\n',
    'cpu.cfs_quota_us': '3:cpuset:/x\n2:cpu,cpuacct:/above/own\n',
}
ROOTS = {'cpu.max': '', 'cpu.cfs_quota_us': 'cpu,cpuacct'}


def cores(tmp_path, kind, quotas):
    """Cores where groups, by their paths, have quotas in microseconds of 100,000."""
    (tmp_path / 'own').write_text(LINES[kind])
    for path, quota in quotas.items():
        folder = tmp_path / 'groups' / ROOTS[kind] / path
        folder.mkdir(parents=True, exist_ok=True)
        QUOTAS[kind](folder, quota)
    return available_cores(tmp_path / 'own', tmp_path / 'groups')


@pytest.mark.parametrize('kind', QUOTAS)
class TestQuota:
    def test_of_the_own_group(self, tmp_path, kind):
        assert cores(tmp_path, kind, {'above/own': 100_000}) == 1

    def test_of_a_group_above(self, tmp_path, kind):
        unlimited = 'max' if kind == 'cpu.max' else -1
        assert cores(tmp_path, kind, {'above/own': unlimited, 'above': 100_000}) == 1

    def test_of_a_container_whose_path_is_the_host_s(self, tmp_path, kind):
        assert cores(tmp_path, kind, {'': 100_000}) == 1

    def test_part_of_a_core_counts_as_one(self, tmp_path, kind):
        assert cores(tmp_path, kind, {'above/own': 20_000}) == 1

    def test_more_than_the_machine_has_changes_nothing(self, tmp_path, kind):
        assert cores(tmp_path, kind, {'above/own': 100_000 * (CORES + 7)}) == CORES

    def test_part_of_a_further_core_is_left_out(self, tmp_path, kind, monkeypatch):
        monkeypatch.setattr(os, 'sched_getaffinity', lambda _: set(range(8)), raising=False)
        assert cores(tmp_path, kind, {'above/own': 290_000}) == 2

    def test_that_cannot_be_read_is_none(self, tmp_path, kind):
        assert cores(tmp_path, kind, {'above/own': 'much'}) == CORES


def test_without_control_groups_the_affinity_counts(tmp_path):
    assert available_cores(tmp_path / 'none', tmp_path) == CORES


COUNT = 'from mmpolar.utils.available_cores import available_cores; print(available_cores())'


@pytest.mark.skipif(not hasattr(os, 'sched_setaffinity'), reason='needs Linux')
def test_affinity_of_a_real_process():
    limited = f'import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); {COUNT}'
    assert subprocess.check_output([sys.executable, '-c', limited], text=True) == '1\n'


@pytest.mark.skipif(
    not os.access(OWN_V1 / 'cgroup.procs', os.W_OK),
    reason='needs the right to make a control group',
)
def test_quota_of_a_real_control_group():
    folder = OWN_V1 / f'mmpolar-test-{os.getpid()}'
    folder.mkdir()
    try:
        (folder / 'cpu.cfs_quota_us').write_text('100000')
        enter = f'open({str(folder / "cgroup.procs")!r}, "w").write("0"); {COUNT}'
        assert subprocess.check_output([sys.executable, '-c', enter], text=True) == '1\n'
    finally:
        folder.rmdir()
