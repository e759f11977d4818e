"""Checkpoints of a real MMEngine runner resume; crafted ones stay refused."""

import pickle
import zipfile

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.serialization import add_safe_globals, clear_safe_globals, get_safe_globals
from torch.utils.data import Dataset

import mmpolar.registry  # noqa: F401  (registers, as everything that trains imports it)
from mmpolar.utils.checkpoints import register_safe_globals


class Points(Dataset):
    """Points of a line with a little noise."""

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        self.x = torch.rand(12, 3, generator=generator)
        self.y = self.x.sum(1, keepdim=True) + 0.01 * torch.rand(12, 1, generator=generator)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return dict(x=self.x[index], y=self.y[index])


class Line(BaseModel):
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.linear = nn.Linear(3, 1)
        self.norm = nn.BatchNorm1d(1)

    def forward(self, x, y, mode='loss'):
        return dict(loss=(self.norm(self.linear(x)) - y).square().mean())


def train(work_dir, resume_from=None):
    runner = Runner(
        model=Line(),
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=Points(),
            batch_size=4,
            num_workers=0,
            collate_fn=dict(type='default_collate'),
            sampler=dict(type='DefaultSampler', shuffle=True),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=4),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=0.05)),
        param_scheduler=dict(type='StepLR', step_size=1, gamma=0.5),
        default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
        randomness=dict(seed=3),
        resume=resume_from is not None,
        load_from=resume_from,
        log_level='WARNING',
        experiment_name=f'{work_dir.parent.name}-{work_dir.name}',
    )
    runner.train()
    return runner


def test_runner_resumes_to_the_weights_of_an_unbroken_run(tmp_path):
    unbroken = train(tmp_path / 'unbroken')
    resumed = train(tmp_path / 'resumed', resume_from=str(tmp_path / 'unbroken' / 'epoch_2.pth'))

    assert resumed.epoch == 4
    for (name, expected), got in zip(
        unbroken.model.state_dict().items(), resumed.model.state_dict().values(), strict=True
    ):
        assert torch.equal(expected, got), name
    history = resumed.message_hub.log_scalars['train/loss']
    assert len(history.data[0]) == 12
    assert history.statistics('mean', 12) == pytest.approx(
        unbroken.message_hub.log_scalars['train/loss'].statistics('mean', 12)
    )


@pytest.mark.parametrize(
    'value',
    [np.arange(6, dtype=np.int32).reshape(2, 3), np.array(['ab', 'c']), np.array([True])]
    + [np.dtype(code).type(3) for code in ('float16', 'float32', 'float64', 'int8', 'uint64')],
)
def test_numpy_values_pass(tmp_path, value):
    path = tmp_path / 'value.pth'
    torch.save(dict(value=value), path)
    got = torch.load(path, weights_only=True)['value']
    assert got.dtype == value.dtype
    np.testing.assert_array_equal(got, value)


@pytest.mark.parametrize('package', ['core', '_core'])
def test_arrays_written_by_numpy_1_and_2_pass(tmp_path, package):
    path = tmp_path / 'array.pth'
    torch.save(dict(value=np.arange(3.0)), path)
    old = np.empty(0).__reduce__()[0].__module__.encode()
    edit_pickle(path, lambda data: data.replace(old, f'numpy.{package}.multiarray'.encode()))
    np.testing.assert_array_equal(torch.load(path, weights_only=True)['value'], np.arange(3.0))


class Call:
    """Pickles as a call of ``function`` on ``args``."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


def test_file_that_calls_a_function_is_refused(tmp_path):
    path, marker = tmp_path / 'bad.pth', tmp_path / 'ran'
    torch.save(dict(state_dict=Call(open, str(marker), 'w')), path)
    with pytest.raises(pickle.UnpicklingError, match='open'):
        torch.load(path, weights_only=True)
    assert not marker.exists()


@pytest.mark.parametrize(
    'reference',
    [
        Call(getattr, getattr, '__self__'),
        Call(getattr, HistoryBuffer, '__init__'),
        Call(getattr, 'text', 'mean'),
    ],
)
def test_checkpoint_gets_no_attribute_but_the_statistics(tmp_path, reference):
    path = tmp_path / 'bad.pth'
    torch.save(dict(meta=reference), path)
    with pytest.raises(pickle.UnpicklingError, match='only the statistics'):
        torch.load(path, weights_only=True)


def test_getattr_gadget_is_refused_and_would_run_with_the_builtin(tmp_path):
    path, marker = tmp_path / 'gadget.pth', tmp_path / 'ran'
    write_getattr_gadget(path, f'open({str(marker)!r}, "w").close()')

    with pytest.raises(pickle.UnpicklingError, match='only the statistics'):
        torch.load(path, weights_only=True)
    assert not marker.exists()

    ours = get_safe_globals()
    clear_safe_globals()
    try:
        add_safe_globals([HistoryBuffer, getattr])
        torch.load(path, weights_only=True)
    finally:
        clear_safe_globals()
        add_safe_globals(ours)
    assert marker.exists(), 'the gadget no longer works, so the test above proves nothing'


def test_history_is_refused_unless_registered(tmp_path):
    path = tmp_path / 'history.pth'
    torch.save(dict(loss=HistoryBuffer([3.0, 1.0], [1, 1])), path)
    ours = get_safe_globals()
    clear_safe_globals()
    try:
        with pytest.raises(pickle.UnpicklingError, match='HistoryBuffer'):
            torch.load(path, weights_only=True)
    finally:
        add_safe_globals(ours)
    assert torch.load(path, weights_only=True)['loss'].statistics('min') == 1.0


def test_registering_twice_changes_nothing():
    before = set(map(str, get_safe_globals()))
    register_safe_globals()
    assert set(map(str, get_safe_globals())) == before


def write_getattr_gadget(path, code):
    """A file that reaches ``eval`` by getattr and has the loader call it on ``code``."""
    evaluate = Call(getattr, Call(getattr, getattr, '__self__'), 'eval')

    class Carrier:
        def __reduce__(self):
            return HistoryBuffer, (), {'__setstate__': evaluate}

    text = code.encode()
    second_build = pickle.BINUNICODE + len(text).to_bytes(4, 'little') + text + pickle.BUILD
    gadget = pickle.dumps(Carrier(), protocol=2)[:-1] + second_build + pickle.STOP
    torch.save({}, path)
    edit_pickle(path, lambda _: gadget)


def edit_pickle(path, change):
    """Rewrite the pickle inside a file of ``torch.save``."""
    with zipfile.ZipFile(path) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_STORED) as archive:
        for name, data in entries.items():
            archive.writestr(name, change(data) if name.endswith('data.pkl') else data)
