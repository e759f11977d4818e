"""A value that parts of a config must agree on is changed in one place: the model."""

import inspect
from pathlib import Path

import pytest
from mmengine.config import Config

from mmpolar.registry import DATASETS, METRICS, MODELS, TRANSFORMS
from mmpolar.tracking import TrackParams
from mmpolar.utils.shared_values import SharedValueError, load_config, share_seed, share_values

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs/ocean_polar'
SIZES = dict(search_size=287, template_size=143)


def parts_of(node, name):
    """Every dictionary of a type in a config, wherever it stands."""
    if isinstance(node, dict):
        found = [node] if str(node.get('type')).split('.')[-1] == name else []
        return found + [part for value in node.values() for part in parts_of(value, name)]
    if isinstance(node, list | tuple):
        return [part for value in node for part in parts_of(value, name)]
    return []


@pytest.fixture(params=['natural', 'own-data', 'synthetic'])
def changed(request, tmp_path):
    """A config of a user's that inherits one of ours and changes the model alone."""
    (tmp_path / 'mine.py').write_text(
        f"_base_ = '{CONFIGS}/ocean-polar_effnet-lite0_{request.param}.py'\n"
        'model = dict(\n'
        '    head=dict(search_size=287), mask_head=dict(n_rays=18),\n'
        '    test_cfg=dict(template_size=143))\n'
    )
    return load_config(tmp_path / 'mine.py')


def test_a_change_of_the_model_reaches_every_part(changed):
    sections = {name: changed.get(name).to_dict() for name in (
        'train_dataloader', 'val_evaluator', 'test_evaluator')}  # fmt: skip
    hooks = [hook.to_dict() for hook in changed.get('custom_hooks', [])]
    crops = parts_of([sections, hooks], 'CropPair')
    targets = parts_of([sections, hooks], 'GeneratePolarTarget')
    metrics = parts_of(sections, 'TrackSegMetric')
    assert crops
    assert len(targets) == 1
    assert len(metrics) == 2
    for crop in crops:
        assert {key: crop[key] for key in SIZES} == SIZES
    for part in targets + metrics:
        assert part['n_rays'] == 18
    assert targets[0]['search_size'] == 287
    assert targets[0]['stride'] == 8
    for pool in parts_of([sections, hooks], 'NegativePairDataset'):
        assert {key: pool[key] for key in SIZES} == SIZES
    assert changed.model.test_cfg.search_size == 287


def test_model_of_the_changed_config_has_the_values_everywhere(changed):
    changed.model.backbone.init_cfg = None
    model = MODELS.build(changed.model)
    assert model.mask_head.n_rays == 18
    assert (model.params.search_size, model.params.template_size) == (287, 143)
    if model.refine_head is not None:
        assert model.refine_head.n_rays == 18


def test_a_model_needs_its_values_once_even_if_built_by_itself():
    cfg = Config.fromfile(CONFIGS / 'ocean-polar_effnet-lite0_natural.py').model
    cfg.backbone.init_cfg = None
    cfg.mask_head.n_rays = 20
    cfg.head.search_size = 271
    model = MODELS.build(cfg)
    assert model.refine_head.n_rays == 20
    assert model.params.search_size == 271


def test_classes_have_the_same_defaults():
    """What a model leaves out is left out by all who would take it from there."""

    def default(cls, name):
        return inspect.signature(cls.__init__).parameters[name].default

    crop, target = TRANSFORMS.get('CropPair'), TRANSFORMS.get('GeneratePolarTarget')
    pool, head = DATASETS.get('NegativePairDataset'), MODELS.get('OceanHead')
    assert (
        {default(cls, 'search_size') for cls in (crop, target, pool, head)}
        == {TrackParams().search_size}
        == {255}
    )
    assert {default(cls, 'template_size') for cls in (crop, pool)} == {TrackParams().template_size}
    assert default(target, 'stride') == default(head, 'stride')
    polar, metric = MODELS.get('PolarContourHead'), METRICS.get('TrackSegMetric')
    assert len({default(cls, 'n_rays') for cls in (polar, target, metric)}) == 1


def test_contradiction_names_both_places():
    cfg = Config(
        dict(
            model=dict(type='Ocean', mask_head=dict(n_rays=72)),
            train_dataloader=dict(
                dataset=dict(pipeline=[dict(type='mmpolar.GeneratePolarTarget', n_rays=36)])
            ),
        )
    )
    with pytest.raises(SharedValueError) as error:
        share_values(cfg)
    assert 'model.mask_head.n_rays is 72' in str(error.value)
    assert 'train_dataloader.dataset.pipeline.0.n_rays' in str(error.value)


def test_the_bound_of_other_rays_can_be_measured():
    path = CONFIGS / 'ocean-polar_effnet-lite0_natural.py'
    cfg = load_config(path, {'test_evaluator.n_rays': 36})
    assert cfg.test_evaluator.n_rays == 36
    assert cfg.val_evaluator.n_rays == cfg.model.mask_head.n_rays == 72


@pytest.mark.parametrize('model', [None, dict(type='mmdet.YOLOX', bbox_head=dict(num_classes=1))])
def test_other_models_change_nothing(model):
    content = dict(train_dataloader=dict(dataset=dict(pipeline=[dict(type='CropPair')])))
    cfg = Config(dict(content) if model is None else dict(content, model=model))
    share_values(cfg)
    assert cfg.train_dataloader.to_dict() == content['train_dataloader']


def test_evaluators_in_a_list_are_reached():
    cfg = Config(
        dict(
            model=dict(mask_head=dict(n_rays=24)),
            test_evaluator=[dict(type='SpeedMetric'), dict(type='TrackSegMetric')],
        )
    )
    share_values(cfg)
    assert cfg.test_evaluator[1].n_rays == 24


def test_the_seed_of_the_run_is_that_of_its_samples():
    cfg = load_config(CONFIGS / 'ocean-polar_effnet-lite0_natural.py', {'randomness.seed': 7})
    assert cfg.train_dataloader.dataset.seed == 7
    assert 'seed' not in cfg.val_dataloader.dataset


def test_a_seed_of_its_own_stays():
    changes = {'randomness.seed': 7, 'train_dataloader.dataset.seed': 3}
    cfg = load_config(CONFIGS / 'ocean-polar_effnet-lite0_natural.py', changes)
    assert cfg.train_dataloader.dataset.seed == 3


def test_a_run_without_a_seed_leaves_its_samples_alone():
    cfg = Config(dict(randomness=None, train_dataloader=dict(dataset=dict(type='MaskCropDataset'))))
    share_seed(cfg)
    assert 'seed' not in cfg.train_dataloader.dataset
