"""Mining with the tracker: negative pairs are scored, picked and drawn in a real training."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.structures import InstanceData

from mmpolar.datasets import SyntheticDataset, TrackPairDataset
from mmpolar.mining.pool import NegativePool
from mmpolar.mining.scoring import SampleDetections
from mmpolar.registry import DATASETS, MODELS

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/hard_negative/ocean-polar_effnet-lite0_synthetic_mined.py'
NUM_PAIRS, NUM_PICKS, NUM_COMPOSITES = 24, 5, 16


@pytest.fixture(scope='module', params=[0, 1], ids=['no_workers', 'persistent_worker'])
def run(request, tmp_path_factory):
    """Two epochs of a small model, each with a mining round before it."""
    folder = tmp_path_factory.mktemp('run')
    config = Config.fromfile(CONFIG)
    config.merge_from_dict(dict(model=Config.fromfile(ROOT / 'tests/small_ocean.py').model))
    made = dict(data_root=str(folder / 'data'), num_train=4, frames=5, size=(160, 120))
    composites = config.train_dataloader.dataset
    hook, _ = config.custom_hooks
    for pairs in (composites.positives, composites.negatives):
        pairs.datasets[0].update(made)
    composites.negatives.length = NUM_PAIRS
    composites.num_composites = NUM_COMPOSITES
    hook.update(num_picks=NUM_PICKS, begin=0, batch_size=7, num_workers=0)
    config.train_dataloader.update(
        batch_size=4, num_workers=request.param, persistent_workers=request.param > 0
    )
    config.train_cfg = dict(type='GroupTrainLoop', max_epochs=2)
    for stage in ('val', 'test'):
        for part in ('cfg', 'dataloader', 'evaluator'):
            config.pop(f'{stage}_{part}')
    config.work_dir = str(folder / 'work')
    config.param_scheduler = None
    config.experiment_name = f'pair_mining_{request.param}'
    runner = Runner.from_cfg(config)
    with torch.no_grad():
        # The scores of an untrained model hardly differ.
        runner.model.head.cls_pred.weight.normal_(0, 20)
    runner.train()
    return runner


def report_of(run, number):
    return json.loads((Path(run.work_dir) / f'mining/round_{number:04d}.json').read_text())


def packed_pool(run):
    """Config of the pool of the training data, with the pipeline written out."""
    negatives = run.cfg.train_dataloader.dataset.negatives
    return negatives | dict(pipeline=[*negatives.pipeline, dict(type='PackPairInputs')])


def scores_one_by_one(run):
    """Best score of each pair of the pool with the weights of the second round."""
    model = MODELS.build(run.cfg.model).eval()
    checkpoint = torch.load(Path(run.work_dir) / 'epoch_1.pth', weights_only=False)
    model.load_state_dict(checkpoint['state_dict'])
    pool = DATASETS.build(packed_pool(run))
    scores = []
    for index in range(len(pool)):
        inputs = pool[index]['inputs']
        crops = [model.data_preprocessor.normalize(inputs[key]) for key in ('img', 'search_img')]
        with torch.no_grad():
            maps, _ = model.correlate(*crops)
        ratio = run.cfg.model.test_cfg.score_ratio
        blend = ratio * maps.cls_logits.sigmoid() + (1 - ratio) * maps.align_logits.sigmoid()
        scores.append(float(blend.max()))
    return np.array(scores)


def test_picks_of_a_round_are_the_pairs_with_the_highest_scores(run):
    scores = scores_one_by_one(run)
    picks = report_of(run, 2)['picks']
    indices = [pick['index'] for pick in picks]
    assert len(set(indices)) == NUM_PICKS
    np.testing.assert_allclose([p['score'] for p in picks], scores[indices], atol=2e-6)
    others = np.delete(scores, indices)
    assert np.ptp(scores) > 1e-4
    assert min(p['score'] for p in picks) >= others.max() - 2e-6
    assert report_of(run, 2)['num_scored'] == NUM_PAIRS


def test_pool_written_out_in_the_hook_is_the_one_that_it_takes_by_default(run):
    pool = NegativePool(run.train_dataloader.dataset)
    by_default = pool.test_samples(run.cfg)
    written_out = pool.test_samples(run.cfg, samples=packed_pool(run))
    assert len(by_default) == len(written_out) == NUM_PAIRS
    for index in range(0, NUM_PAIRS, 5):
        expected, got = written_out[index], by_default[index]
        for key, crop in expected['inputs'].items():
            assert torch.equal(crop, got['inputs'][key]), key
        assert expected['data_samples'].metainfo == got['data_samples'].metainfo


def test_picks_are_named_by_template_and_region(run):
    dataset = run.train_dataloader.dataset
    keys = dataset.negatives.negative_keys()
    assert dataset.negative_keys() == keys
    for pick in report_of(run, 2)['picks']:
        assert pick['key'] == keys[pick['index']]
    picks, number = dataset.mined.read()
    assert picks.tolist() == [pick['index'] for pick in report_of(run, 2)['picks']]
    assert number == 2


def test_training_draws_the_picks(run):
    dataset = run.train_dataloader.dataset
    shown = {dataset.negatives.get_data_info(i)['img_path'] for i in dataset.mined.read()[0]}
    labels = []
    for index in range(4 * NUM_COMPOSITES):
        sample = dataset[index]['data_samples']
        labels += sample.search_gt_instances.labels.tolist()
        if labels[-1] == 0:
            assert sample.search_img_path in shown
            assert 'polar_targets' not in sample
    assert 0 < np.mean(labels) < 1


def test_image_shows_the_search_frames(run):
    image = cv2.imread(str(Path(run.work_dir) / 'mining/round_0002.jpg'))
    assert image is not None
    assert image.std() > 10


def test_a_round_is_followed_by_finite_losses(run):
    losses = run.message_hub.get_scalar('train/loss').data[0]
    assert len(losses) == 2 * NUM_COMPOSITES // 4
    assert np.isfinite(losses).all()


@pytest.mark.parametrize(
    'path',
    [
        CONFIG,
        ROOT / 'configs/ocean_polar/ocean-polar_effnet-lite0_natural.py',
        ROOT / 'configs/ocean_polar/ocean-polar_effnet-lite0-tiny_natural.py',
    ],
    ids=lambda path: path.stem,
)
def test_configs_score_the_pairs_that_they_train(path):
    config = Config.fromfile(path)
    composites = config.train_dataloader.dataset
    (hook,) = (hook for hook in config.custom_hooks if hook.type == 'HardNegativeMiningHook')
    assert composites.negatives.type == 'NegativePairDataset'
    # The hook takes its pool from the training data.
    assert not {'pool', 'pipeline'} & set(hook)
    assert composites.num_positives == composites.num_negatives == 1
    assert composites.positives.negative_prob == 0
    assert composites.pipeline[-1].type == 'PackPairInputs'


def test_boxes_on_the_image_lie_in_the_search_frame(tmp_path):
    """A prediction that equals the cropped target lies on the target in the frame, flipped or not."""
    videos = SyntheticDataset(tmp_path, num_train=2, frames=3, size=(160, 120))
    options = dict(datasets=[videos], samples_per_epoch=12, negative_prob=0)
    frames = TrackPairDataset(**options)
    crops = TrackPairDataset(
        **options, pipeline=[dict(type='LoadPairImages'), dict(type='CropPair', flip_prob=0.5),
                             dict(type='PackPairInputs')],
    )  # fmt: skip
    flips = set()
    for index in range(12):
        search, sample = frames.get_pair(index)['search'], crops[index]['data_samples']
        sample.pred_track_instances = InstanceData(
            bboxes=sample.search_gt_instances.bboxes, scores=torch.tensor([0.5])
        )
        shown = SampleDetections.from_sample(sample)
        assert shown.img_path == search.img_path
        np.testing.assert_allclose(shown.bboxes[0], search.box, atol=1e-2)
        flips.add(sample.search_matrix[0][0] < 0)
    assert flips == {True, False}
