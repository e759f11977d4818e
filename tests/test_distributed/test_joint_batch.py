"""Two processes with half a batch each do what one process does with the whole."""

import sys
from pathlib import Path

import pytest
import torch

WORKER = Path(__file__).parent / 'joint_worker.py'
BATCHES = (
    'uneven',
    'no_positive_on_rank_0',
    'masks_on_rank_0_only',
    'one_location_in_all',
    'negatives_only',
)
# In float32 the order of the sums shows: relative to the largest gradient of a parameter.
TOLERANCE = 1e-4


@pytest.fixture(scope='module')
def ranks(processes, tmp_path_factory):
    """What both processes found."""
    folder = tmp_path_factory.mktemp('joint')
    port = processes.free_port()
    children = [processes.start([sys.executable, WORKER, rank, port, folder]) for rank in (0, 1)]
    for child in [processes.finish(child) for child in children]:
        assert child.returncode == 0, child.stderr
    return [torch.load(folder / f'rank{rank}.pt') for rank in (0, 1)]


@pytest.mark.parametrize('batch', BATCHES)
def test_mean_loss_of_two_processes_is_that_of_one(ranks, batch):
    alone = ranks[0]['alone'][batch]['losses']
    first, second = (rank['shared'][batch]['losses'] for rank in ranks)
    assert set(alone) == {'loss_cls', 'loss_bbox', 'loss_align', 'loss_polar'}
    for name, value in alone.items():
        assert (first[name] + second[name]) / 2 == pytest.approx(value, rel=1e-4, abs=1e-6), name


@pytest.mark.parametrize('batch', BATCHES)
def test_gradients_of_two_processes_are_those_of_one(ranks, batch):
    alone = ranks[0]['alone'][batch]['gradients']
    for rank in ranks:
        for name, gradient in rank['shared'][batch]['gradients'].items():
            scale = max(float(alone[name].abs().max()), 1e-3)
            difference = float((gradient - alone[name]).abs().max())
            assert difference <= TOLERANCE * scale, (name, difference, scale)


def test_the_batches_tell_right_from_wrong(ranks):
    """Every branch learns in the uneven batch, and the processes' own losses differ."""
    alone = ranks[0]['alone']
    for part in ('head.bbox_pred', 'head.cls_pred', 'head.align_pred', 'mask_head.radius_pred'):
        assert alone['uneven']['gradients'][f'{part}.weight'].abs().max() > 1e-3, part
    assert alone['negatives_only']['losses']['loss_bbox'] == 0
    assert alone['one_location_in_all']['losses']['loss_bbox'] > 0
    first, second = (rank['shared']['uneven']['losses'] for rank in ranks)
    assert all(abs(first[name] - second[name]) > 1e-3 for name in first)


def test_values_are_collected_without_a_shared_disk(ranks):
    """Each process works in a folder that the other does not know; none writes into it."""
    assert ranks[0]['metrics'] == ranks[1]['metrics']
    assert ranks[0]['metrics']['track/iou'] == pytest.approx((1 + 15 / 25) / 2)
    assert [rank['files'] for rank in ranks] == [[], []]
