"""A published file is small, complete and whole, or says what is wrong with it."""

import dataclasses

import pytest
import torch
from mmengine.config import Config
from published_model import FACTS, publish_small
from small_export import small_tracker

from mmpolar.utils.checkpoints import (
    CheckpointReadError,
    facts_of_training,
    halve,
    load_weights,
    read_release_checkpoint,
    weights_sha256,
    write_release_checkpoint,
)


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    return publish_small(tmp_path_factory.mktemp('published'))


@pytest.fixture
def content(path):
    return torch.load(path, weights_only=True)


def test_file_tells_everything_about_itself(path):
    published = read_release_checkpoint(path)
    assert published.name == 'small'
    assert published.facts == FACTS
    assert published.config.model.type == 'Ocean'
    model = small_tracker().model
    assert published.parameters == sum(value.numel() for value in model.state_dict().values())
    load_weights(model, path)
    assert weights_sha256(model.state_dict()) == published.weights_sha256


def test_file_has_two_bytes_a_weight_and_only_that(path, content):
    weights = content['state_dict']
    assert {v.dtype for v in weights.values() if v.is_floating_point()} == {torch.float16}
    bytes_of_weights = sum(value.numel() * value.element_size() for value in weights.values())
    assert path.stat().st_size < bytes_of_weights + 500 * len(weights) + len(content['meta']['cfg'])


def test_same_weights_give_the_same_bytes(path, tmp_path):
    assert publish_small(tmp_path).read_bytes() == path.read_bytes()


def test_halving_keeps_names_integers_and_what_would_overflow():
    weights = dict(
        a=torch.tensor([1.0, 1e-3]), b=torch.tensor([7e4]), c=torch.tensor(7), d=torch.ones(2)
    )
    halved = halve(weights, exact=('d',))
    assert list(halved) == list(weights)
    kinds = [value.dtype for value in halved.values()]
    assert kinds == [torch.float16, torch.float32, torch.int64, torch.float32]
    torch.testing.assert_close(halved['a'].float(), weights['a'], rtol=2**-11, atol=0)
    halved['b'][0] = 0
    assert weights['b'][0] == 7e4


def test_a_changed_weight_is_noticed_wherever_the_file_is_read(content, tmp_path):
    content['state_dict']['head.bbox_bias'] += 1
    path = tmp_path / 'small.pth'
    torch.save(content, path)
    for read in (read_release_checkpoint, lambda file: load_weights(small_tracker().model, file)):
        with pytest.raises(CheckpointReadError, match='not those that were published'):
            read(path)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(format='other'), 'is no release checkpoint'),
        (dict(format_version=99), 'version 99 of the format'),
        (dict(facts={}), 'incomplete or was changed'),
        (dict(cfg='import os'), 'incomplete or was changed'),
        (dict(cfg='a = 1'), 'incomplete or was changed'),
    ],
)
def test_other_files_are_refused_with_the_remedy(content, tmp_path, change, message):
    content['meta'].update(change)
    path = tmp_path / 'small.pth'
    torch.save(content, path)
    with pytest.raises(CheckpointReadError, match=message):
        read_release_checkpoint(path)


def test_checkpoint_of_a_training_is_no_published_one(tmp_path):
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(meta=dict(epoch=1), state_dict=small_tracker().model.state_dict()), path)
    with pytest.raises(CheckpointReadError, match=r'publish_model\.py'):
        read_release_checkpoint(path)


def test_paths_of_the_machine_are_not_handed_on(tmp_path):
    cfg = Config(dict(model=dict(type='Ocean'), data=dict(data_root='/home/someone/clips')))
    path = tmp_path / 'any.pth'
    write_release_checkpoint(path, dict(a=torch.ones(1)), cfg, FACTS)
    assert b'someone' not in path.read_bytes()


GIVEN = {
    name: getattr(FACTS, name)
    for name in ('data', 'machine', 'training_time', 'licence', 'source_sha256')
}


def test_facts_are_read_from_what_mmengine_wrote():
    meta = dict(epoch=3, iter=30, seed=0, time='20261125_190639')
    checkpoint = dict(meta=meta, state_dict={}, ema_state_dict={})
    assert facts_of_training(checkpoint, **GIVEN) == FACTS
    del checkpoint['ema_state_dict']
    expected = dataclasses.replace(FACTS, averaged=False)
    assert facts_of_training(checkpoint, **GIVEN) == expected


def test_a_file_without_facts_is_named():
    with pytest.raises(CheckpointReadError, match='epochs, iterations, trained_on'):
        facts_of_training(dict(state_dict={}), **GIVEN)
