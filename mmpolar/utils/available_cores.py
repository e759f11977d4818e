"""How many cores this process may use: affinity and quotas of control groups taken into account."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

#: Where Linux tells the control groups of a process, and where their folders usually lie.
_OWN_GROUPS = Path('/proc/self/cgroup')
_GROUPS = Path('/sys/fs/cgroup')


def available_cores(own_groups: Path = _OWN_GROUPS, groups: Path = _GROUPS) -> int:
    """Cores that this process can keep busy at one time, at least 1.

    The least of the cores of the machine, of those that the process may run on, and of the whole cores
    that the quota of its control group or of one above it allows (versions 1 and 2, as containers and
    services set them).

    Args:
        own_groups: File that lists the groups of the process.
        groups: Folder below which the groups lie.
    """
    has_affinity = hasattr(os, 'sched_getaffinity')
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    quotas = [_quota(folder) for folder in _folders(own_groups, groups)]
    return max(1, int(min([cores, *quotas])))


def _folders(own_groups: Path, groups: Path) -> Iterator[Path]:
    """Folders of the group that rations the processor, and of those above it.

    In a container the path is that of the host, which cannot be seen: the mounted folder is then the
    container's own.
    """
    try:
        lines = own_groups.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(':', 2)
        if not controllers:  # version 2, mounted as a whole or beside version 1
            roots = [groups, groups / 'unified']
        elif 'cpu' in controllers.split(','):
            roots = [groups / controllers, groups / 'cpu']
        else:
            continue
        for root in roots:
            folder = root / path.lstrip('/')
            yield folder
            yield from (above for above in folder.parents if above.is_relative_to(root))


def _quota(folder: Path) -> float:
    """Cores that a group may use; infinite without a limit."""
    try:
        if (folder / 'cpu.max').is_file():
            quota, period = (folder / 'cpu.max').read_text().split()
        else:
            quota = (folder / 'cpu.cfs_quota_us').read_text().strip()
            period = (folder / 'cpu.cfs_period_us').read_text()
        return math.inf if quota in ('max', '-1') else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf
