import pytest
import torch
from mmengine.model import BaseModel, MMDistributedDataParallel
from mmengine.runner import Runner
from torch import nn

from mmpolar.engine import FreezeModulesHook


class Model(BaseModel):
    def __init__(self):
        super().__init__()
        self.base = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))
        self.tower = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))
        self.top = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 1, 1))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        features = self.tower(self.base(inputs))
        # The first loss reaches frozen parts alone, as those of a finished tracker do.
        return dict(
            loss_base=features.square().mean(), loss_top=(self.top(features) - 1).square().mean()
        )


def train(tmp_path, modules, model, **options):
    """Two epochs of two iterations; which parts changed."""
    torch.manual_seed(0)
    before = snapshot(model)
    runner = Runner(
        model=model,
        work_dir=str(tmp_path),
        experiment_name=f'freeze_{tmp_path.name}_{len(options)}',
        default_scope='mmpolar',
        train_dataloader=dict(
            dataset=[dict(inputs=torch.rand(3, 4, 4)) for _ in range(4)],
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_size=2,
            collate_fn=dict(type='default_collate'),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.1)),
        custom_hooks=[dict(type='FreezeModulesHook', modules=modules)],
        **options,
    )
    runner.train()
    after = snapshot(model)
    return {name for name, state in after.items() if not torch.equal(state, before[name])}


def snapshot(model):
    """Weights and batch norm statistics of each part, as one vector."""
    model = getattr(model, 'module', model)
    return {
        name: torch.cat([value.clone().double().flatten() for value in part.state_dict().values()])
        for name, part in model.named_children()
        if name != 'data_preprocessor'
    }


def test_named_parts_keep_weights_and_statistics(tmp_path):
    assert train(tmp_path, ['base', 'tower'], Model()) == {'top'}


def test_part_of_a_part_can_be_named(tmp_path):
    model = Model()
    assert train(tmp_path, ['base', 'tower', 'top.1'], model) == {'top'}
    assert [p.requires_grad for p in model.top.parameters()] == [True, True, False, False]


def test_a_resumed_run_stays_frozen(tmp_path):
    train(tmp_path, ['base'], Model())
    model = Model()
    checkpoint = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)
    model.load_state_dict(checkpoint['state_dict'])
    resume = dict(load_from=str(tmp_path / 'epoch_1.pth'), resume=True)
    assert train(tmp_path, ['base'], model, **resume) == {'tower', 'top'}


@pytest.mark.parametrize('modules', [[], 'base'])
def test_names_must_be_a_list(modules):
    with pytest.raises(ValueError, match='list of at least one name'):
        FreezeModulesHook(modules)


def test_modules_that_do_not_exist_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"the model Model has no module 'neck'.*'tower'"):
        train(tmp_path, ['neck'], Model())


def test_something_must_be_left_to_train(tmp_path):
    with pytest.raises(ValueError, match='nothing left to train'):
        train(tmp_path, ['base', 'tower', 'top'], Model())


def test_wrapped_models_must_look_for_unused_parameters(tmp_path):
    torch.distributed.init_process_group(
        'gloo', f'file://{tmp_path / "store"}', rank=0, world_size=1
    )
    try:
        with pytest.raises(RuntimeError, match='FreezeModulesHook .*find_unused_parameters=True'):
            train(tmp_path, ['base'], MMDistributedDataParallel(Model()))
        looking = MMDistributedDataParallel(Model(), find_unused_parameters=True)
        assert train(tmp_path, ['base'], looking, cfg={}) == {'tower', 'top'}
    finally:
        torch.distributed.destroy_process_group()
