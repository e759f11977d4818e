"""Ray clusters of several nodes, in processes of this machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest


@contextmanager
def two_nodes(**options: Any) -> Iterator[tuple[Any, Any]]:
    """A cluster of two nodes of one core each, and the second of them.

    Args:
        **options: Of each node, such as ``num_gpus``.
    """
    pytest.importorskip('ray')
    from ray.cluster_utils import Cluster

    # Where the processes of the cluster import small_jobs from.
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get('PYTHONPATH', '')])
    options = dict(num_cpus=1, object_store_memory=80 << 20) | options
    with patch.dict(os.environ, PYTHONPATH=path):
        made = Cluster(initialize_head=True, head_node_args=options | dict(include_dashboard=False))
        second = made.add_node(**options)
    try:
        made.wait_for_nodes()
        yield made, second
    finally:
        made.shutdown()
