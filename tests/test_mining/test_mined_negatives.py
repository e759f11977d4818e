import copy
import os
import pickle
import threading

import numpy as np
import pytest
import torch.multiprocessing as mp
from mined_readers import CAPACITY, answer_reads, count_and_check_reads, picks_of

from mmpolar.mining import MinedNegatives


def test_there_are_no_picks_before_the_first_round():
    picks, number = MinedNegatives(5).read()
    assert (picks.tolist(), picks.dtype, number) == ([], np.int64, 0)


def test_what_is_published_is_read_in_order_until_the_next_round():
    mined = MinedNegatives(5)
    mined.publish(np.array([4, 0, 2]), 1)
    for _ in range(2):
        picks, number = mined.read()
        assert (picks.tolist(), picks.dtype, number) == ([4, 0, 2], np.int64, 1)
    mined.publish([1], 2)
    assert mined.read()[0].tolist() == [1]
    mined.publish([], 3)
    assert (mined.read()[0].tolist(), mined.read()[1]) == ([], 3)
    mined.publish(range(5), 4)
    assert mined.read()[0].tolist() == [0, 1, 2, 3, 4]
    mined.clear()
    assert (mined.read()[0].tolist(), mined.read()[1]) == ([], 0)


def test_picks_that_were_read_do_not_change_any_more():
    mined = MinedNegatives(5)
    given = np.array([3, 1])
    mined.publish(given, 1)
    given[:] = 0
    first, _ = mined.read()
    for number in range(2, 6):
        mined.publish([2, 2], number)
        mined.read()
    assert first.tolist() == [3, 1]
    with pytest.raises(ValueError, match='read-only'):
        first[0] = 0


@pytest.mark.parametrize(
    ('indices', 'number', 'message'),
    [
        ([0, 5], 1, 'pick 5 is not in the pool of 5 images'),
        ([-1], 1, 'pick -1 is not in the pool'),
        ([0, 1, 2, 3, 4, 0], 1, '6 picks are more than the 5 images'),
        ([0.5], 1, 'whole numbers'),
        ([[0, 1]], 1, r'shape \(1, 2\)'),
        ([0], 0, 'rounds count from 1, got round_number=0'),
    ],
)
def test_wrong_picks_are_refused_and_change_nothing(indices, number, message):
    mined = MinedNegatives(5)
    mined.publish([3], 7)
    with pytest.raises(ValueError, match=message):
        mined.publish(indices, number)
    assert (mined.read()[0].tolist(), mined.read()[1]) == ([3], 7)


def test_negative_capacity_is_refused_and_zero_holds_nothing():
    with pytest.raises(ValueError, match='capacity must be at least 0, got -1'):
        MinedNegatives(-1)
    mined = MinedNegatives(0)
    mined.publish([], 1)
    assert (mined.read()[0].tolist(), mined.read()[1]) == ([], 1)


@pytest.mark.parametrize('method', ['fork', 'spawn'])
def test_a_running_worker_sees_each_round_at_once(method):
    context = mp.get_context(method)
    mined = MinedNegatives(5)
    mined.publish([2], 1)
    mined.read()
    questions, answers = context.Queue(), context.Queue()
    worker = context.Process(target=answer_reads, args=(mined, questions, answers), daemon=True)
    worker.start()
    for number in range(1, 6):
        picks = list(range(number))
        mined.publish(picks, number)
        questions.put(True)
        assert answers.get(timeout=300) == (picks, number)
    mined.clear()
    questions.put(True)
    assert answers.get(timeout=300) == ([], 0)
    questions.put(None)
    worker.join(timeout=300)
    assert worker.exitcode == 0


@pytest.fixture
def one_core():
    """Keep all processes on one core, so that they interrupt each other anywhere."""
    if not hasattr(os, 'sched_setaffinity'):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    yield
    os.sched_setaffinity(0, allowed)


@pytest.mark.usefixtures('one_core')
def test_a_reader_at_full_speed_never_gets_parts_of_two_rounds():
    context = mp.get_context('fork')
    last_round = 3000
    mined = MinedNegatives(CAPACITY)
    ready, answers = context.Event(), context.SimpleQueue()
    arguments = (mined, ready, last_round, answers)
    reader = context.Process(target=count_and_check_reads, args=arguments, daemon=True)
    reader.start()
    assert ready.wait(timeout=300)
    for number in range(1, last_round + 1):
        mined.publish(picks_of(number), number)
    reader.join(timeout=300)
    assert reader.exitcode == 0
    num_seen, torn = answers.get()
    assert torn == []
    assert num_seen > 1


def test_a_slot_that_is_being_overwritten_is_not_taken_for_whole():
    mined = MinedNegatives(50)
    mined.publish([40, 20, 10], 1)
    slot = mined._slots[int(mined._version) % 2]
    slot[slot == 20] = 30
    answers = []
    reader = threading.Thread(target=lambda: answers.append(mined.read()), daemon=True)
    reader.start()
    reader.join(timeout=0.2)
    assert reader.is_alive()
    slot[slot == 30] = 20
    reader.join(timeout=300)
    ((picks, number),) = answers
    assert (picks.tolist(), number) == ([40, 20, 10], 1)


@pytest.mark.parametrize('clone', [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copy_has_the_picks_and_is_shared_with_its_own_workers_alone(clone):
    mined = MinedNegatives(5)
    mined.publish([4, 1], 3)
    other = clone(mined)
    assert (other.read()[0].tolist(), other.read()[1]) == ([4, 1], 3)
    context = mp.get_context('fork')
    questions, answers = context.Queue(), context.Queue()
    worker = context.Process(target=answer_reads, args=(other, questions, answers), daemon=True)
    worker.start()
    mined.publish([0], 4)
    other.publish([2, 3], 5)
    questions.put(True)
    assert answers.get(timeout=300) == ([2, 3], 5)
    questions.put(None)
    worker.join(timeout=300)
    assert mined.read()[0].tolist() == [0]
