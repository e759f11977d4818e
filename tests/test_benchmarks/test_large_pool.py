"""python -m benchmarks.large_pool on a small pool."""

import numpy as np
import pytest

from benchmarks import large_pool


def test_rounds_of_two_processes_report_time_and_memory(monkeypatch, capsys):
    words = ['--only', 'rounds', '--size', '700', '--rounds', '2', '--num-picks', '5']
    monkeypatch.setattr('sys.argv', ['large_pool', *words])
    large_pool.main(words)
    header, _, *rows = capsys.readouterr().out.splitlines()
    assert header == '700 negatives, 2 processes, 5 picks'
    values = [[float(cell) for cell in row.split()] for row in rows]
    assert [row[:2] for row in values] == [[0, 1], [0, 2], [1, 1], [1, 2]]
    assert all(row[2] >= 0 and row[3] >= 0 and 0 < row[4] <= row[6] for row in values)


def test_recorded_scores_are_replayed(capsys, tmp_path):
    order = np.random.default_rng(0).permutation(200) / 200
    np.savez(tmp_path / 'mined-0.npz', pool=np.stack([order, 0.5 * order, 0.25 * order]))
    words = ['--scores', str(tmp_path / 'mined-0.npz'), '--num-picks', '10']
    large_pool.main([*words, '--shares', '0.25', '1'])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == '200 negatives, 10 picks, 3 rounds'
    assert lines[1:] == [f'{share} scored: 100.0% kept; 100% 100%' for share in ('  25%', ' 100%')]


def test_lazy_rounds_keep_more_of_what_changes_less(capsys):
    words = ['--only', 'lazy', '--size', '5000', '--rounds', '4', '--num-picks', '50']
    large_pool.main([*words, '--shares', '0.25', '1'])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    kept = {(row[0], row[1]): float(row[2].rstrip('%')) for row in rows}
    assert kept['0.99', '25%'] > kept['0.6', '25%']
    assert all(value == 100 for (_, share), value in kept.items() if share == '100%')


def test_wrong_numbers_are_refused(capsys):
    with pytest.raises(SystemExit):
        large_pool.main(['--processes', '0'])
    assert '--processes must be at least 1' in capsys.readouterr().err
