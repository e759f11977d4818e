import pytest
import torch
from mmengine.model import BaseModel
from torch import nn

from mmpolar.engine.optim_wrappers import bfloat16_optim_wrapper
from mmpolar.registry import OPTIM_WRAPPERS
from mmpolar.utils.bfloat16 import computes_bfloat16


class Probe(BaseModel):
    """A linear layer that notes the type in which it computes."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(4, 1)

    def forward(self, x, mode='loss'):
        out = self.linear(x)
        self.computed_in = out.dtype
        return dict(loss=out.float().square().mean())


def test_forward_is_in_bfloat16_and_weights_stay_in_float32(monkeypatch):
    monkeypatch.setattr(bfloat16_optim_wrapper, 'computes_bfloat16', lambda device: True)
    model = Probe()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wrapper = OPTIM_WRAPPERS.build(dict(type='Bfloat16OptimWrapper', optimizer=optimizer))
    before = model.linear.weight.detach().clone()
    losses = [model.train_step(dict(x=torch.ones(8, 4)), wrapper)['loss'].item() for _ in range(5)]
    assert model.computed_in == torch.bfloat16
    assert model.linear.weight.dtype == torch.float32
    assert not torch.equal(model.linear.weight, before)
    assert losses[-1] < losses[0]
    model(torch.ones(8, 4))
    assert model.computed_in == torch.float32


def test_without_instructions_for_bfloat16_it_trains_in_float32(monkeypatch):
    monkeypatch.setattr(bfloat16_optim_wrapper, 'computes_bfloat16', lambda device: False)
    model = Probe()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    wrapper = OPTIM_WRAPPERS.build(dict(type='Bfloat16OptimWrapper', optimizer=optimizer))
    model.train_step(dict(x=torch.ones(8, 4)), wrapper)
    assert model.computed_in == torch.float32


@pytest.mark.parametrize(
    ('capabilities', 'expected'),
    [
        (dict(architecture='x86_64', avx2=True, avx512_bf16=False), False),
        (dict(architecture='x86_64', avx2=True, avx512_bf16=True), True),
        (dict(architecture='x86_64', amx_bf16=True), True),
        (dict(architecture='aarch64'), True),
    ],
)
def test_instructions_for_bfloat16(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: capabilities, raising=False)
    computes_bfloat16.cache_clear()
    assert computes_bfloat16('cpu') is expected
    assert computes_bfloat16('cuda')
    computes_bfloat16.cache_clear()
