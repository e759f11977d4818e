"""Two processes that share a pool of negatives pick what one process picks."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mining_toys import ToyDetector, make_pool, scores_one_by_one, train

WORKER = Path(__file__).parent / 'mining_worker.py'
TOLERANCE = 0.055
UNREADABLE = '004.png'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A pool that two processes cannot share evenly, one image of it broken."""
    folder = tmp_path_factory.mktemp('joint_mining')
    make_pool(folder, num_negatives=21)
    (folder / 'negatives' / UNREADABLE).write_bytes(b'no image')
    return folder


@pytest.fixture(scope='module')
def ranks(processes, folder):
    """What both processes found."""
    port = processes.free_port()
    children = [
        processes.start([sys.executable, WORKER, rank, port, folder], LOCAL_RANK=str(rank))
        for rank in (0, 1)
    ]
    for child in [processes.finish(child) for child in children]:
        assert child.returncode == 0, child.stderr
    return [torch.load(folder / f'rank{rank}.pt') for rank in (0, 1)]


@pytest.fixture(scope='module')
def reports(ranks, folder):
    return [json.loads(path.read_text()) for path in sorted(folder.glob('work/mining/*.json'))]


def test_both_ranks_publish_the_reported_picks(ranks, reports):
    picks = [[pick['index'] for pick in report['picks']] for report in reports]
    assert len(picks) == 3
    assert ranks[0]['mined']['picks'] == ranks[1]['mined']['picks'] == picks


def test_each_negative_is_scored_once(ranks, reports):
    # 11 and 10 negatives, the unreadable one among the 11.
    assert [rank['mined']['num_tested'] for rank in ranks] == [3 * 10, 3 * 10]
    assert all([Path(key).name for key in r['unreadable']] == [UNREADABLE] for r in reports)
    assert [report['num_scored'] for report in reports] == [20, 20, 20]


def test_the_first_picks_are_those_of_one_process(ranks, reports, tmp_path, folder):
    make_pool(tmp_path, num_negatives=21)
    (tmp_path / 'negatives' / UNREADABLE).write_bytes(b'no image')
    train(tmp_path, dict(num_picks=5), train_cfg=dict(by_epoch=True, max_epochs=1))
    alone = json.loads((tmp_path / 'work/mining/round_0001.json').read_text())
    assert [p['index'] for p in reports[0]['picks']] == [p['index'] for p in alone['picks']]
    np.testing.assert_allclose(
        [p['score'] for p in reports[0]['picks']], [p['score'] for p in alone['picks']], rtol=1e-5
    )


def test_later_picks_are_those_of_the_shared_weights_and_mean_statistics(ranks, reports, folder):
    (folder / 'negatives' / UNREADABLE).unlink(missing_ok=True)
    for number in (1, 2):
        own = [rank['mined']['models'][number] for rank in ranks]
        mean = 'stem.1.running_mean'
        assert not torch.equal(own[0][mean], own[1][mean])
        assert torch.equal(own[0]['head.weight'], own[1]['head.weight'])
        model = ToyDetector()
        model.load_state_dict({k: (v + own[1][k]) / 2 for k, v in own[0].items()})
        scores = scores_one_by_one(model, folder / 'negatives')
        names = [Path(pick['key']).name for pick in reports[number]['picks']]
        np.testing.assert_allclose(
            [pick['score'] for pick in reports[number]['picks']],
            [scores[name] for name in names],
            rtol=1e-5,
        )
        assert names == sorted(scores, key=scores.get, reverse=True)[:5]


def test_ranks_follow_reviewers_and_set_the_same_suspects_aside(ranks, folder):
    first, second = (rank['reviewed'] for rank in ranks)
    assert first == second
    excluded, picks = first['excluded'], first['picks']
    # What was trained on in the first round is a suspect in the second, and so on.
    assert excluded == [[1], sorted({1, *picks[0]}), sorted({1, *picks[0], *picks[1]})]
    assert all(len(chosen) == 5 for chosen in picks)
    assert not any(set(chosen) & set(left) for chosen, left in zip(picks, excluded, strict=True))
    assert (folder / 'reviewed/mining/round_0003.html').is_file()


def test_each_rank_keeps_its_own_statistics(ranks):
    first, second = (rank['mined']['last'] for rank in ranks)
    assert not torch.equal(first['stem.1.running_var'], second['stem.1.running_var'])


def test_a_failure_on_one_rank_ends_both(ranks):
    assert ranks[1]['failed'] == 'ZeroDivisionError: the scorer of rank 1 is broken'
    assert ranks[0]['failed'] == (
        'RuntimeError: rank 1 failed, so this one stops too: '
        'ZeroDivisionError: the scorer of rank 1 is broken'
    )


def stop_of(losses):
    """Number of groups after which the loss stands still."""
    for number in range(1, len(losses)):
        if losses[number - 1] - losses[number] < TOLERANCE * losses[number - 1]:
            return number + 1
    return None


def test_ranks_converge_together_on_their_mean_loss(ranks):
    losses = np.array([rank['converged']['losses'] for rank in ranks])
    stops = [rank['converged']['iter'] for rank in ranks]
    assert not np.allclose(losses[0], losses[1])
    assert stops == [stop_of(losses.mean(0))] * 2
