"""Loading weights fits exactly or explains itself."""

import pickle
from collections import OrderedDict

import pytest
import torch
from torch import nn

from mmpolar.utils.checkpoints import CheckpointMismatchError, CheckpointReadError, load_weights


def small_model(seed=0, channels=4):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, channels, 3), nn.BatchNorm2d(channels))


def saved(tmp_path, content):
    path = tmp_path / 'epoch_1.pth'
    torch.save(content, path)
    return path


def assert_same_weights(model, other):
    for name, value in other.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name


@pytest.mark.parametrize('prefix', ['', 'module.'])
@pytest.mark.parametrize('bare', [True, False])
def test_load_weights_fills_the_model(tmp_path, prefix, bare):
    source, model = small_model(1), small_model(2)
    state = OrderedDict((prefix + name, value) for name, value in source.state_dict().items())
    path = saved(tmp_path, state if bare else dict(state_dict=state, meta=dict(epoch=7)))
    assert load_weights(model, path) == ({} if bare else dict(epoch=7))
    assert_same_weights(model, source)


def test_step_counters_may_be_absent(tmp_path):
    source, model = small_model(1), small_model(2)
    state = source.state_dict()
    del state['1.num_batches_tracked']
    load_weights(model, saved(tmp_path, state))
    assert_same_weights(model, source)


def test_mismatch_lists_each_fault_and_leaves_the_model(tmp_path):
    model = small_model(2)
    state = small_model(1).state_dict()
    state['0.weight'] = torch.zeros(4, 3, 5, 5)
    state['head.bias'] = state.pop('0.bias')
    path = saved(tmp_path, dict(state_dict=state))
    with pytest.raises(CheckpointMismatchError) as raised:
        load_weights(model, path)
    message = str(raised.value)
    assert message.startswith(f'the checkpoint {path} does not fit the model: ')
    assert '1 missing: 0.bias;' in message
    assert '1 unexpected: head.bias;' in message
    assert '1 of another shape: 0.weight (4x3x5x5 in the file, 4x3x3x3 in the model)' in message
    assert_same_weights(model, small_model(2))


def test_mismatch_lists_at_most_ten(tmp_path):
    state = small_model().state_dict() | {f'extra{k:02d}': torch.zeros(1) for k in range(13)}
    with pytest.raises(CheckpointMismatchError) as raised:
        load_weights(small_model(), saved(tmp_path, state))
    assert '13 unexpected: extra00, ' in str(raised.value)
    assert 'extra09 and 3 more' in str(raised.value)
    assert 'extra10' not in str(raised.value)


def test_absent_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='no checkpoint at .*none.pth'):
        load_weights(small_model(), tmp_path / 'none.pth')


@pytest.mark.parametrize('content', [b'', b'not a checkpoint', b'\x80\x02'])
def test_damaged_file_is_named(tmp_path, content):
    path = tmp_path / 'damaged.pth'
    path.write_bytes(content)
    with pytest.raises(CheckpointReadError, match='cannot read the checkpoint .*damaged.pth'):
        load_weights(small_model(), path)


def test_truncated_file_is_named(tmp_path):
    path = saved(tmp_path, small_model().state_dict())
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CheckpointReadError, match='epoch_1.pth'):
        load_weights(small_model(), path)


class Command:
    def __reduce__(self):
        return print, ('executed',)


def test_file_with_code_is_refused(tmp_path, capsys):
    path = saved(tmp_path, dict(state_dict=Command()))
    with pytest.raises(CheckpointReadError, match='refuses for safety') as raised:
        load_weights(small_model(), path)
    assert isinstance(raised.value.__cause__, pickle.UnpicklingError)
    assert 'executed' not in capsys.readouterr().out


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ([1, 2], 'holds a list, not a checkpoint'),
        (dict(state_dict=None), 'no weights'),
        (dict(epoch=3, lr=0.1), r'no tensors \(epoch, lr\)'),
        ({}, 'no weights'),
    ],
)
def test_file_without_weights_says_what_it_holds(tmp_path, content, message):
    with pytest.raises(CheckpointReadError, match=message):
        load_weights(small_model(), saved(tmp_path, content))
