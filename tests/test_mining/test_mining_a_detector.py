"""Hard negatives for an MMDetection detector, from a config of MMDetection's scope."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from mmengine.hooks import Hook
from mmengine.runner import Runner
from small_detector import LOAD, NUM_NEGATIVES, PACK, PAD, RESIZE, make_config, write_data


class OneByOne(Hook):
    """Scores the pool image by image, right after each mining round."""

    priority = 'VERY_LOW'

    def __init__(self, folder):
        self.paths = sorted(folder.rglob('*.png'))
        self.rounds = []
        self.losses = []

    @torch.no_grad()
    def before_train_epoch(self, runner):
        pipeline = Compose([LOAD, RESIZE, PAD, PACK])
        runner.model.eval()
        scores = {}
        for path in self.paths:
            item = pipeline(dict(img_path=str(path), img_id=0))
            batch = {name: [value] for name, value in item.items()}
            (sample,) = runner.model.test_step(batch)
            scores[path.name] = sample.pred_instances.scores.max().item()
        self.rounds.append(scores)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses.append({name: value.item() for name, value in outputs.items()})


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A YOLOX trained for two epochs with the picks of two rounds."""
    root = tmp_path_factory.mktemp('detector')
    write_data(root)
    witness = OneByOne(root / 'negatives')
    config = make_config(root)
    runner = Runner.from_cfg(config)
    runner.register_hook(witness)
    runner.train()
    files = sorted((root / 'work/mining').glob('*.json'))
    return root, witness, [json.loads(path.read_text()) for path in files]


def test_picks_are_those_of_scoring_every_image_alone(trained):
    _, witness, reports = trained
    assert len(reports) == len(witness.rounds) == 2
    for report, scores in zip(reports, witness.rounds, strict=True):
        assert report['num_scored'] == NUM_NEGATIVES
        names = [Path(pick['key']).name for pick in report['picks']]
        # Equal up to rounding: scored one by one, two that are as high may change places.
        hardest = sorted(scores.values(), reverse=True)[:4]
        np.testing.assert_allclose([scores[name] for name in names], hardest, rtol=1e-4)
        np.testing.assert_allclose(
            [pick['score'] for pick in report['picks']],
            [scores[name] for name in names],
            rtol=1e-4,
        )


def test_the_loss_has_the_three_terms(trained):
    _, witness, _ = trained
    assert len(witness.losses) == 4
    for losses in witness.losses:
        assert {'loss_cls', 'loss_bbox', 'loss_obj'} <= set(losses)
        assert np.isfinite(losses['loss'])


def test_the_sheet_shows_images_of_any_size(trained):
    root, _, _ = trained
    sheet = cv2.imread(str(root / 'work/mining/round_0002.jpg'))
    # Four images in a row.
    assert sheet.shape == (210 + 22 + 8, 4 * 284 + 4, 3)
