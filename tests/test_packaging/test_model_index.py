"""What mim relies on: the model index names what is there, and every config can be used."""

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

from mmpolar.evaluation.metrics import TrackSegMetric
from mmpolar.registry import DATA_SAMPLERS, DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / 'configs' / 'ocean_polar').glob('*.py'))
# Networks that a tracker uses, trained by themselves.
STAGE_CONFIGS = sorted((ROOT / 'configs' / 'mask_stage').glob('*.py'))
# Detectors of MMDetection; tests/test_configs trains them.
DETECTOR_CONFIGS = sorted((ROOT / 'configs' / 'hard_negative').glob('*_mined-*.py'))


def metafiles():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    return [ROOT / path for path in index['Import']]


def entries(kind):
    """Collections or models of all metafiles."""
    return [entry for path in metafiles() for entry in yaml.safe_load(path.read_text())[kind]]


@pytest.fixture(params=CONFIGS, ids=lambda path: path.stem)
def config(request):
    cfg = Config.fromfile(request.param)
    cfg.model.backbone.init_cfg = None
    return cfg


def test_index_imports_every_metafile():
    assert metafiles() == sorted((ROOT / 'configs').glob('*/metafile.yml'))


def test_every_config_is_a_model_of_its_own_name():
    listed = {model['Name']: ROOT / model['Config'] for model in entries('Models')}
    assert listed == {path.stem: path for path in [*CONFIGS, *STAGE_CONFIGS, *DETECTOR_CONFIGS]}
    assert len(listed) == len(entries('Models'))


def test_collections_have_a_readme_and_their_models():
    collections = {entry['Name']: entry for entry in entries('Collections')}
    for collection in collections.values():
        assert (ROOT / collection['README']).is_file()
        assert all(url.startswith('https://') for url in collection['Paper'])
    assert {model['In Collection'] for model in entries('Models')} == set(collections)


def test_metadata_of_a_model_is_that_of_its_config():
    for model in entries('Models'):
        cfg = Config.fromfile(ROOT / model['Config'])
        assert model['Metadata']['Epochs'] == cfg.train_cfg.max_epochs, model['Name']
        assert model['Metadata']['Batch Size'] == cfg.train_dataloader.batch_size, model['Name']


def test_results_name_values_that_the_metric_gives():
    documented = set(re.findall(r'``(\w+)``', TrackSegMetric.__doc__))
    results = [result for model in entries('Models') for result in model.get('Results', [])]
    named = {value for result in results for value in result['Metrics']}
    assert named <= documented
    assert {'J', 'F', 'success', 'ceiling'} <= documented


def test_names_of_configs_are_unique_in_what_mim_searches():
    searched = [ROOT / name for name in ('mmpolar', 'configs', 'tools', 'demo')]
    counts = Counter(path.name for folder in searched for path in folder.rglob('*.py'))
    names = [path.name for path in (ROOT / 'configs').rglob('*.py')]
    assert {name: counts[name] for name in names if counts[name] != 1} == {}


def test_model_of_every_config_builds(config):
    assert sum(parameter.numel() for parameter in MODELS.build(config.model).parameters()) > 1e5


def test_data_metrics_and_hooks_of_every_config_are_registered(config):
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        assert DATASETS.get(loader.dataset.type) is not None
        assert DATA_SAMPLERS.get(loader.sampler.type) is not None
        assert all(TRANSFORMS.build(transform) for transform in loader.dataset.pipeline)
    assert METRICS.build(config.val_evaluator)
    for hook in [*config.default_hooks.values(), *config.get('custom_hooks', [])]:
        assert HOOKS.get(hook.type) is not None
