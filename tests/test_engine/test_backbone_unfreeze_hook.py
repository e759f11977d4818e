import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel, MMDistributedDataParallel
from mmengine.runner import Runner
from torch import nn

from mmpolar.engine import BackboneUnfreezeHook

EPOCH_LENGTH = 2


def layer():
    return nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))


class Backbone(nn.Module):
    """Three layers; the batch normalisation of the last stays in evaluation mode by its own rule."""

    def __init__(self):
        super().__init__()
        self.layer1, self.layer2, self.layer3 = layer(), layer(), layer()

    def forward(self, x):
        return self.layer3(self.layer2(self.layer1(x)))

    def train(self, mode=True):
        super().train(mode)
        self.layer3[1].eval()
        return self


class Model(BaseModel):
    def __init__(self):
        super().__init__()
        self.backbone = Backbone()
        self.head = nn.Conv2d(3, 1, 1)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return dict(loss=(self.head(self.backbone(inputs)) - 1).square().mean())


class Recorder(Hook):
    """Which parts of the model changed in each iteration, and the mode they ran in."""

    priority = 'VERY_LOW'

    def __init__(self):
        self.changed = {}
        self.training = {}

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.before = snapshot(runner.model)
        backbone = unwrapped(runner.model).backbone
        self.training[runner.iter] = [backbone.layer1[1].training, backbone.layer3[1].training]

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        after = snapshot(runner.model)
        self.changed[runner.iter] = {
            name for name, value in after.items() if not torch.equal(value, self.before[name])
        }


def unwrapped(model):
    return getattr(model, 'module', model)


def snapshot(model):
    """The weights and statistics of each part, as one vector."""
    parts = dict(unwrapped(model).backbone.named_children(), head=unwrapped(model).head)
    return {
        name: torch.cat([value.detach().clone().double().flatten() for value in states.values()])
        for name, states in ((name, part.state_dict()) for name, part in parts.items())
    }


def train(tmp_path, schedule, max_epochs=4, by_epoch=True, model=None, **options):
    torch.manual_seed(0)
    recorder = Recorder()
    length = dict(max_epochs=max_epochs) if by_epoch else dict(max_iters=max_epochs * EPOCH_LENGTH)
    runner = Runner(
        model=Model() if model is None else model,
        work_dir=str(tmp_path),
        experiment_name=f'unfreeze_{tmp_path.name}_{id(recorder)}',
        default_scope='mmpolar',
        train_dataloader=dict(
            dataset=[dict(inputs=torch.rand(3, 4, 4)) for _ in range(2 * EPOCH_LENGTH)],
            sampler=dict(type='DefaultSampler' if by_epoch else 'InfiniteSampler', shuffle=False),
            batch_size=2,
            collate_fn=dict(type='default_collate'),
        ),
        train_cfg=dict(by_epoch=by_epoch, **length),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.1)),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
        custom_hooks=[dict(type='BackboneUnfreezeHook', schedule=schedule), recorder],
        **options,
    )
    runner.train()
    return recorder


SCHEDULE = [dict(epoch=1, modules=['layer2']), dict(epoch=2, modules=['layer1'])]


def test_layers_change_only_from_their_epoch_on(tmp_path):
    changed = train(tmp_path, SCHEDULE).changed
    assert [changed[i] for i in (0, 1)] == [{'layer3', 'head'}] * 2
    assert [changed[i] for i in (2, 3)] == [{'layer2', 'layer3', 'head'}] * 2
    assert [changed[i] for i in (4, 7)] == [{'layer1', 'layer2', 'layer3', 'head'}] * 2


def test_layers_change_only_from_their_iteration_on(tmp_path):
    changed = train(tmp_path, [dict(iter=3, modules=['layer1'])], by_epoch=False).changed
    assert [i for i in sorted(changed) if 'layer1' in changed[i]] == [3, 4, 5, 6, 7]


def test_part_of_a_layer_can_be_named(tmp_path):
    train(tmp_path, [dict(epoch=9, modules=['layer1.0'])], model=(model := Model()))
    states = [p.requires_grad for p in model.backbone.layer1.parameters()]
    assert states == [False, False, True, True]


def test_normalisation_is_in_evaluation_mode_while_frozen_and_then_follows_the_backbone(tmp_path):
    training = train(tmp_path, SCHEDULE).training
    assert [training[i][0] for i in range(8)] == [False] * 4 + [True] * 4
    assert not any(training[i][1] for i in range(8))


def test_normalisation_follows_in_iteration_based_training(tmp_path):
    schedule = [dict(iter=3, modules=['layer1', 'layer3'])]
    training = train(tmp_path, schedule, by_epoch=False).training
    assert [training[i][0] for i in range(8)] == [False] * 3 + [True] * 5
    assert not any(training[i][1] for i in range(8))


def test_a_resumed_run_goes_on_with_what_is_frozen_then(tmp_path):
    train(tmp_path, SCHEDULE, max_epochs=1)
    changed = train(
        tmp_path, SCHEDULE, load_from=str(tmp_path / 'epoch_1.pth'), resume=True
    ).changed
    assert sorted(changed) == [2, 3, 4, 5, 6, 7]
    assert changed[2] == {'layer2', 'layer3', 'head'}
    assert changed[4] == {'layer1', 'layer2', 'layer3', 'head'}


def test_what_was_not_trainable_stays_so(tmp_path):
    model = Model()
    model.backbone.layer2[0].bias.requires_grad_(False)
    train(tmp_path, SCHEDULE, model=model)
    frozen = [name for name, p in model.named_parameters() if not p.requires_grad]
    assert frozen == ['backbone.layer2.0.bias']


@pytest.fixture
def one_process_group(tmp_path):
    torch.distributed.init_process_group(
        'gloo', f'file://{tmp_path / "store"}', rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures('one_process_group')
def test_wrapped_models_are_unfrozen_too(tmp_path):
    model = MMDistributedDataParallel(Model(), find_unused_parameters=True)
    changed = train(tmp_path, SCHEDULE, model=model).changed
    assert changed[1] == {'layer3', 'head'}
    assert changed[4] == {'layer1', 'layer2', 'layer3', 'head'}


@pytest.mark.usefixtures('one_process_group')
def test_wrapped_models_must_look_for_unused_parameters(tmp_path):
    with pytest.raises(RuntimeError, match='find_unused_parameters=True'):
        train(tmp_path, SCHEDULE, model=MMDistributedDataParallel(Model()))


@pytest.mark.parametrize(
    ('schedule', 'message'),
    [
        ([], 'schedule .* is empty'),
        ([dict(modules=['layer1'])], r'dict\(epoch=n'),
        ([dict(epoch=1, iter=1, modules=['layer1'])], r'dict\(epoch=n'),
        ([dict(epoch=1, modules='layer1')], r'dict\(epoch=n'),
        ([dict(epoch=1, modules=[])], r'dict\(epoch=n'),
        ([dict(epoch=1, modules=['layer1'], lr=1)], r'dict\(epoch=n'),
        ([dict(epoch=-1, modules=['layer1'])], 'at least 0, got -1'),
        ([dict(iter=1.5, modules=['layer1'])], 'at least 0, got 1.5'),
    ],
)
def test_schedules_of_another_form_are_refused(schedule, message):
    with pytest.raises(ValueError, match=message):
        BackboneUnfreezeHook(schedule)


def test_modules_that_do_not_exist_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"no module 'layer9'.*\['layer1', 'layer2', 'layer3'\]"):
        train(tmp_path, [dict(epoch=1, modules=['layer9'])])


def test_overlapping_stages_are_refused(tmp_path):
    schedule = [dict(epoch=1, modules=['layer1']), dict(epoch=2, modules=['layer1.0'])]
    with pytest.raises(ValueError, match='in two modules'):
        train(tmp_path, schedule)


def test_modules_without_anything_to_train_are_refused(tmp_path):
    model = Model()
    model.backbone.layer1.requires_grad_(False)
    with pytest.raises(ValueError, match=r"'layer1' .* no trainable parameter"):
        train(tmp_path, SCHEDULE, model=model)


def test_models_without_backbone_are_refused(tmp_path):
    model = Model()
    model.backbone = None
    with pytest.raises(ValueError, match='Model has no backbone'):
        train(tmp_path, SCHEDULE, model=model)
