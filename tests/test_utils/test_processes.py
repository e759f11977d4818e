"""Children end with their parent, however it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmpolar.utils.processes import process_is_gone

FORK_AND_WAIT = """
import os, time
from mmpolar.utils.processes import end_children_with_this_process
end_children_with_this_process()
end_children_with_this_process()
child = os.fork()
if not child:
    time.sleep(600)
print(child, flush=True)
time.sleep(600)
"""


def is_running(number):
    try:
        return Path(f'/proc/{number}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='Linux alone has the system call')
def test_children_of_a_killed_process_end():
    parent = subprocess.Popen([sys.executable, '-c', FORK_AND_WAIT], stdout=subprocess.PIPE)
    child = int(parent.stdout.readline())
    assert is_running(child)
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 20
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    ended = not is_running(child)
    if not ended:
        os.kill(child, signal.SIGKILL)
    assert ended


def test_a_process_that_ended_is_gone():
    done = subprocess.Popen([sys.executable, '-c', ''])
    done.wait()
    host, number = socket.gethostname(), os.getpid()
    assert process_is_gone([host, done.pid])
    assert not process_is_gone([host, number])
    assert not process_is_gone(['another machine', done.pid])
    assert not process_is_gone(None)
