"""Jobs: each runs once wherever it runs, and one that fails or dies does not stop the others."""

import threading
import time
from pathlib import Path

import psutil
import pytest
from ray_clusters import two_nodes
from small_jobs import (
    bug,
    die_always,
    die_once,
    die_or_take_a_second,
    halve,
    note_then_sleep,
    surroundings,
)

from mmpolar.utils.jobs import RETRIES, in_threads, on_ray, run_jobs


def by_number(ended):
    return {one.number: one.value if one.error is None else one.error for one in ended}


@pytest.mark.parametrize('workers', [1, 2])
def test_a_job_that_fails_is_named_and_the_others_run(workers):
    found = by_number(run_jobs(halve, [4, 3, 8, 10], workers=workers))
    assert found == {0: 2, 1: '3 is odd', 2: 4, 3: 5}


def test_threads_run_the_same_function_and_are_told_to_stop():
    stop = threading.Event()
    assert by_number(in_threads(halve, [4, 3], 2, stop)) == {0: 2, 1: '3 is odd'}
    assert stop.is_set()


def test_an_error_without_a_message_for_users_says_where_it_is():
    (ended,) = run_jobs(bug, [0])
    assert ended.error.startswith("KeyError: 'missing' (small_jobs.py, line ")


def test_a_dead_process_loses_no_job(tmp_path):
    paths = [str(tmp_path / name) for name in ('first', 'dies', 'third', 'fourth', 'fifth')]
    found = by_number(run_jobs(die_once, paths, workers=2))
    assert found == {number: Path(path).name for number, path in enumerate(paths)}


@pytest.mark.parametrize('function', [die_always, die_or_take_a_second])
def test_a_job_whose_process_always_dies_does_not_stop_the_others(function, tmp_path):
    paths = [str(tmp_path / name) for name in ('dies', 'second', 'third', 'fourth')]
    found = by_number(run_jobs(function, paths, workers=2))
    assert 'its process has died' in found.pop(0)
    assert found == {1: 'second', 2: 'third', 3: 'fourth'}
    assert len(Path(paths[0]).read_text().splitlines()) > RETRIES


def test_who_stops_waiting_does_not_wait_for_what_runs(tmp_path):
    """The processes end at once, as after Ctrl-C."""
    begun = time.monotonic()
    running = run_jobs(
        note_then_sleep, [str(tmp_path / 'quick'), str(tmp_path / 'long')], workers=2
    )
    assert next(running).value == 'quick'
    children = psutil.Process().children()
    running.close()
    psutil.wait_procs(children, timeout=20)
    assert time.monotonic() - begun < 200
    assert not [
        child for child in psutil.Process().children() if 'spawn_main' in str(child.cmdline())
    ]


def test_without_ray_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr('mmpolar.utils.jobs.find_spec', lambda name: None)
    with pytest.raises(ValueError, match=r'needs Ray: pip install "mmpolar\[ray\]"'):
        list(run_jobs(halve, [4], ray='auto'))


def test_a_cluster_that_does_not_answer_is_one_error():
    pytest.importorskip('ray')
    with pytest.raises(ValueError, match='no Ray cluster answers at 127.0.0.1:1 '):
        list(run_jobs(halve, [4], ray='127.0.0.1:1'))


@pytest.fixture
def ray_cluster():
    with two_nodes(num_gpus=1) as made:
        yield made


@pytest.mark.slow
def test_jobs_on_a_cluster(ray_cluster, tmp_path, monkeypatch, recwarn):
    """Folder, variables and GPUs of a job; what dies once is done again, what always dies is named.

    A connection of the program's own stays.
    """
    import ray

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('MMPOLAR_TEST', 'told')
    address = ray_cluster[0].address
    assert by_number(run_jobs(halve, [4, 3, 8], ray=address)) == {0: 2, 1: '3 is odd', 2: 4}

    (ended,) = run_jobs(surroundings, ['MMPOLAR_TEST'], ray=address, gpus=0.5)
    assert ended.value == (str(tmp_path), 'told', '0')
    assert not [one for one in recwarn if 'no machine of the cluster' in str(one.message)]

    paths = [str(tmp_path / name) for name in ('first', 'dies', 'third')]
    found = by_number(run_jobs(die_once, paths, ray=address))
    assert found == {0: 'first', 1: 'dies', 2: 'third'}
    paths = [str(tmp_path / 'more' / name) for name in ('dies', 'second')]
    (tmp_path / 'more').mkdir()
    found = by_number(run_jobs(die_always, paths, ray=address))
    assert found[1] == 'second'
    assert found[0] != 'dies'
    assert len(Path(paths[0]).read_text().splitlines()) == 1 + RETRIES

    assert not ray.is_initialized()
    ray.init(address=address)
    assert by_number(run_jobs(halve, [4], ray=address)) == {0: 2}
    assert ray.is_initialized()
    ray.shutdown()


@pytest.mark.slow
def test_a_job_that_no_machine_can_run_is_warned_about(ray_cluster, monkeypatch):
    """It waits for a machine that can, until the user stops it."""
    import ray

    def stopped(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ray, 'wait', stopped)
    with (
        pytest.warns(UserWarning, match='no machine of the cluster has 7 cores'),
        pytest.raises(KeyboardInterrupt),
    ):
        list(on_ray(halve, [4], ray_cluster[0].address, lambda _: 7))
    assert not ray.is_initialized()
