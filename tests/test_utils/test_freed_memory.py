import subprocess
import sys

import pytest

from mmpolar.utils.freed_memory import keep_freed_memory

# Pages that a process gets from the system while it makes and frees 100 tensors of 40 MiB.
COUNT_PAGES = """
import resource
import sys

import torch

from mmpolar.utils.freed_memory import keep_freed_memory

if sys.argv[1] == 'keep':
    assert keep_freed_memory()
torch.zeros(10 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    torch.ones(10 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages(mode):
    done = subprocess.run(
        [sys.executable, '-c', COUNT_PAGES, mode], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != 'linux', reason='needs glibc')
def test_freed_memory_is_used_again():
    kept, given_back = pages('keep'), pages('give back')
    assert given_back > 100
    assert kept < given_back / 4


def test_without_glibc_nothing_is_done(monkeypatch):
    monkeypatch.setattr(sys, 'platform', 'darwin')
    assert not keep_freed_memory()
