"""An epoch's random numbers follow from seed, epoch and process alone."""

from types import SimpleNamespace

import pytest
import torch

from mmpolar.engine.hooks import epoch_seed_hook
from mmpolar.registry import HOOKS
from mmpolar.utils.random_state import kept_random_state


def numbers_of(epoch, seed=0, rank=0, drawn_before=0, monkeypatch=None):
    if monkeypatch is not None:
        monkeypatch.setattr(epoch_seed_hook, 'get_rank', lambda: rank)
    with kept_random_state():
        torch.rand(drawn_before)
        hook = HOOKS.build(dict(type='mmpolar.EpochSeedHook'))
        hook.before_train_epoch(SimpleNamespace(seed=seed, epoch=epoch))
        return torch.rand(4).tolist()


def test_what_was_drawn_before_does_not_matter():
    assert numbers_of(3, drawn_before=7) == numbers_of(3)


@pytest.mark.parametrize('changes', [dict(epoch=4), dict(seed=1), dict(rank=1)])
def test_epochs_seeds_and_processes_differ(monkeypatch, changes):
    plain = dict(epoch=3, seed=0, rank=0)
    expected = numbers_of(**plain, monkeypatch=monkeypatch)
    assert numbers_of(**plain | changes, monkeypatch=monkeypatch) != expected


def test_largest_seed_is_taken():
    assert numbers_of(0, seed=2**31 - 1) != numbers_of(0)
