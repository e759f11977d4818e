"""Rounds that score a share of the pool, and rounds that are cut off and go on."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mining_toys import make_config, make_pool, scores_one_by_one, train
from mmengine.runner import Runner

import mmpolar
from mmpolar.mining.scoring import LazyScores
from mmpolar.mining.scoring.model_state import weights_digest
from mmpolar.mining.scoring.score_file import ScoreFile
from mmpolar.mining.scoring.scoring_rounds import PARTIAL

# Ends without a chance to tidy up once so many negatives of the pool have been scored.
KILLED = """
import os, signal, sys
from pathlib import Path
from mining_toys import ToyDetector, train
from mmpolar.registry import MODELS

@MODELS.register_module(force=True)
class KilledDetector(ToyDetector):
    def forward(self, inputs, data_samples=None, mode='tensor'):
        if mode == 'predict' and self.num_tested >= int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(inputs, data_samples, mode)

train(Path(sys.argv[1]), dict(num_picks=5), model=dict(type='KilledDetector'))
"""


@pytest.fixture
def root(tmp_path):
    make_pool(tmp_path)
    return tmp_path


def reports(root):
    return [
        json.loads(path.read_text()) for path in sorted((root / 'work/mining').glob('round_*.json'))
    ]


def names(report):
    return [Path(pick['key']).name for pick in report['picks']]


def test_round_that_is_killed_goes_on_where_it_was(root, tmp_path_factory):
    # A pool of 21 in batches of 4: killed in the second round, after 12 of its negatives.
    script = root / 'killed.py'
    script.write_text(KILLED)
    folders = [str(Path(mmpolar.__file__).parents[1]), str(Path(__file__).parents[1] / 'support')]
    done = subprocess.run(
        [sys.executable, str(script), str(root), str(21 + 12)],
        env={'PYTHONPATH': ':'.join(folders), 'PATH': '', 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
    )
    assert done.returncode == -9, done.stderr
    assert len(reports(root)) == 1
    config = make_config(root, dict(num_picks=5, num_sheet_images=2))
    runner = Runner(**config, resume=True)
    runner.train()
    # Nine that were not scored, the two hardest of the others, and a whole third round.
    assert runner.model.num_tested == 9 + 2 + 21
    assert not list((root / 'work').glob(f'{PARTIAL}*'))

    whole = tmp_path_factory.mktemp('whole')
    make_pool(whole)
    train(whole, dict(num_picks=5))
    # The second round; after it the two trainings have another random state.
    killed, uncut = reports(root)[1], reports(whole)[1]
    assert names(killed) == names(uncut)
    assert killed['quantiles'] == pytest.approx(uncut['quantiles'], rel=1e-6)


def test_scores_of_other_weights_are_not_used(tmp_path):
    def opened(**description):
        return ScoreFile(tmp_path / 'round', 6, dict(model='a') | description)

    first = opened()
    first.start()
    first.write(np.array([1, 4]), np.array([0.5, 0.25]))
    second = ScoreFile(tmp_path / 'round', 6, dict(model='a'), rank=1)
    second.write(np.array([0]), np.array([0.75]))
    np.testing.assert_array_equal(opened().read(), [0.75, 0.5, np.nan, np.nan, 0.25, np.nan])
    other = opened(model='b')
    assert np.isnan(other.read()).all()
    other.start()
    assert np.isnan(opened().read()).all()
    other.remove()
    assert list(tmp_path.iterdir()) == []


def test_equal_weights_have_equal_names():
    model, other = torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3)
    assert weights_digest(model) == weights_digest(other)
    other.running_mean[1] = 1e-7
    assert weights_digest(model) != weights_digest(other)


def test_lazy_rounds_score_a_share_and_pick_of_what_is_known(root):
    runner, _ = train(root, dict(num_picks=3, rescore_share=0.5))
    scored = [report['num_scored'] for report in reports(root)]
    assert scored == [21, 11, 11]
    assert runner.model.num_tested == sum(scored)
    newest = reports(root)[-1]
    assert newest['pool_size'] == 21
    model = runner.model
    model.load_state_dict(torch.load(root / 'work/epoch_2.pth', weights_only=True)['state_dict'])
    scores = scores_one_by_one(model, root / 'negatives')
    for pick in newest['picks']:
        assert pick['score'] == pytest.approx(scores[Path(pick['key']).name], rel=1e-4)


def test_resumed_lazy_rounds_are_those_of_an_uncut_run(root, tmp_path_factory):
    hook = dict(num_picks=3, rescore_share=0.5)
    train(root, hook, train_cfg=dict(by_epoch=True, max_epochs=2))
    Runner(**make_config(root, hook), resume=True).train()
    whole = tmp_path_factory.mktemp('whole')
    make_pool(whole)
    train(whole, hook)
    for one, other in zip(reports(root), reports(whole), strict=True):
        assert one['num_scored'] == other['num_scored']
        assert names(one) == names(other)


def test_every_negative_comes_up_again():
    lazy, rng = LazyScores(100, share=0.2, likely_share=0.5), np.random.default_rng(0)
    seen, scores = set(), rng.random(100)
    for number in range(1, 12):
        chosen = lazy.choose(number, 5, rng.permutation(100))
        assert len(chosen) == (100 if number == 1 else 20)
        lazy.update(number, chosen, scores[chosen])
        lazy.mark_picks(number, np.argsort(-scores)[:5])
        if number > 1:
            assert set(np.argsort(-scores)[:5]) <= set(chosen.tolist())
            seen |= set(chosen.tolist())
    assert len(seen) == 100


def test_picks_are_of_the_scores_of_their_round(root):
    class FallingScores:
        """Scores that fall to a tenth from round to round, in which the pool has an order."""

        def __init__(self):
            self.num_scored = 0

        def __call__(self, samples):
            rounds = 0 if self.num_scored < 21 else 1 + (self.num_scored - 21) // 11
            self.num_scored += len(samples)
            return [0.1**rounds * (0.5 + 0.01 * (hash_of(one) % 50)) for one in samples]

    def hash_of(sample):
        return int(Path(sample.img_path).stem[-2:])

    train(root, dict(num_picks=3, rescore_share=0.5, scorer=FallingScores(), batch_size=1))
    for number, report in enumerate(reports(root)):
        assert len(report['picks']) == 3
        assert all(pick['score'] < 0.1**number for pick in report['picks'])


@pytest.mark.parametrize(('correlation', 'least'), [(0.99, 0.99), (0.95, 0.98), (0.9, 0.93)])
def test_a_quarter_of_the_scoring_keeps_the_hardest(correlation, least):
    """Scores that drift, fall where they are trained on, and come back."""
    rng, size, num_picks, kept = np.random.default_rng(0), 40_000, 100, []
    drift, trained = rng.normal(size=size), np.zeros(size)
    lazy = LazyScores(size, share=0.25)
    for number in range(1, 9):
        noise = np.sqrt(1 - correlation**2) * rng.normal(size=size)
        drift = drift if number == 1 else correlation * drift + noise
        scores = 1 / (1 + np.exp(5 + 0.3 * number - 2 * (drift - trained)))
        chosen = lazy.choose(number, num_picks, rng.permutation(size))
        lazy.update(number, chosen, scores[chosen])
        picks = chosen[np.argsort(-scores[chosen])[:num_picks]]
        if number > 1:
            assert len(chosen) <= size / 4
            kept.append(len(np.intersect1d(picks, np.argsort(-scores)[:num_picks])) / num_picks)
        lazy.mark_picks(number, picks)
        trained *= 0.5
        trained[picks] += 1.5
    assert np.mean(kept) >= least


def test_wrong_shares_are_explained(root):
    with pytest.raises(ValueError, match='share must lie above 0'):
        train(root, dict(num_picks=3, rescore_share=0))
