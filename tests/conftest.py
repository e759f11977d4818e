"""What all tests share: one thread, and mmpolar as the scope in which names are looked up."""

import os

# Small tensors on two busy cores: a second thread costs more than it brings. Set before PyTorch is
# imported, and inherited by the processes that tests start.
os.environ.setdefault('OMP_NUM_THREADS', '1')

import pytest
from mmengine.registry import DefaultScope


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol():
    """Runners that other tests built leave their scope behind; fixtures of any scope begin in ours."""
    with DefaultScope.overwrite_default_scope('mmpolar'):
        yield
