"""python -m benchmarks.mining_rules on features of a few images."""

import json

import numpy as np
import pytest
import torch

from benchmarks import mining_rules
from benchmarks.mining_rules import RULES, Rule, cell_labels, cell_loss


@pytest.fixture
def features(tmp_path):
    """Features in which a target is a cell with a high first channel."""
    rng = np.random.default_rng(0)
    shapes = dict(positives=(6, 3, 8), negatives=(40, 2, 8), pool=(40, 1, 10), test=(12, 1, 10))
    for name, (count, views, side) in shapes.items():
        values = rng.normal(size=(count * views, 5, side, side))
        has_target = np.arange(count) < (count if name == 'positives' else 4 * (name == 'test'))
        values.reshape(count, -1, 5, side, side)[has_target, :, 0, 3:5, 3:5] += 6
        np.save(tmp_path / f'{name}.npy', values.astype(np.float16))
        images = [
            dict(img_path=f'{name}/{index}.jpg', boxes=[[[48, 48, 80, 80]] * bool(is_one)] * views)
            for index, is_one in enumerate(has_target)
        ]
        (tmp_path / f'{name}.json').write_text(json.dumps(images))
    return tmp_path


def test_runs_are_judged_and_not_repeated(features, tmp_path, capsys):
    out = tmp_path / 'out'
    options = ['--features', str(features), '--out', str(out), '--seeds', '0', '1']
    options += ['--rules', 'all', 'mined', 'random', 'easing', 'ohem', '--updates', '12']
    mining_rules.main(options)
    assert '| `mined` | the hardest K' in capsys.readouterr().out
    before = json.loads((out / 'results.json').read_text())
    assert before['all'][0]['average_precision'] > 0.6
    scores = np.load(out / 'mined-1.npz')
    assert scores['test'].shape == (12,)
    assert scores['pool'].shape == (3, 40)
    times = {path: path.stat().st_mtime_ns for path in out.glob('*.npz')}
    mining_rules.main(options)
    assert {path: path.stat().st_mtime_ns for path in out.glob('*.npz')} == times
    assert json.loads((out / 'results.json').read_text()) == before


def test_cells_near_the_centre_of_a_box_are_labelled_and_its_others_left_out():
    labels = cell_labels([[0, 0, 96, 48]], (4, 8))
    expected = torch.zeros(4, 8)
    expected[:3, :6] = -1
    expected[:3, 1:5] = 1  # centres within 24 px of (48, 24)
    torch.testing.assert_close(labels, expected)
    # A box smaller than a cell has one all the same.
    assert (cell_labels([[50, 50, 54, 54]], (4, 8)) == 1).sum() == 1


@pytest.mark.parametrize(
    ('rule', 'expected'),
    [
        (Rule(''), 0.5 + 0.25 + 1.0 + 2.0),
        (Rule('', weight=0.5), 0.5 + 0.25 + 0.5 + 1.0),
        (Rule('', hardest_cells=2), 0.5 + 1.0 + 2.0),
    ],
)
def test_loss_is_a_sum_over_cells_by_weight(rule, expected):
    """Cells of two images: a target, one left out and an empty one; two that are empty."""

    def odds_of(loss):  # of an empty cell with this loss
        return np.log(np.expm1(loss))

    odds = [[-odds_of(0.5), 9.0, odds_of(0.25)], [odds_of(1.0), odds_of(2.0), -90.0]]
    labels = [[1.0, -1.0, 0.0], [0.0, 0.0, 0.0]]
    odds, labels = (torch.tensor(one, dtype=torch.float64)[:, None] for one in (odds, labels))
    loss = cell_loss(rule, odds, labels, torch.tensor([False, True]))
    assert loss.item() == pytest.approx(expected)


def test_focal_loss_weighs_by_what_is_wrong():
    odds = torch.tensor([[[0.0, 2.0]], [[-1.0, 0.0]]])
    labels = torch.tensor([[[1.0, -1.0]], [[0.0, -1.0]]])
    p = 1 / (1 + np.exp(1.0))
    expected = 0.25 * 0.5**2 * np.log(2) + 0.75 * p**2 * -np.log(1 - p)
    loss = cell_loss(RULES['focal'], odds, labels, torch.tensor([False, True]))
    assert loss.item() == pytest.approx(expected, rel=1e-5)
