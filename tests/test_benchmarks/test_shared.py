"""What the experiments and pages have in common."""

import sys
from dataclasses import dataclass
from importlib import import_module

import pytest


@pytest.fixture(scope='module')
def runs():
    return import_module('benchmarks.shared.runs')


@pytest.fixture(scope='module')
def metrics():
    return import_module('benchmarks.shared.spread')


@dataclass(frozen=True)
class Run:
    name: str


def test_spread_is_mean_and_sample_deviation(metrics):
    assert metrics.spread([2.0]) == dict(mean=2.0, std=None)
    spread = metrics.spread([1.0, 2.0, 6.0])
    assert spread['mean'] == 3.0
    assert spread['std'] == pytest.approx(7.0**0.5)


def test_cell_leaves_out_a_deviation_that_nobody_knows(metrics):
    assert metrics.cell(dict(mean=0.614, std=0.0251), 2) == '0.61 ± 0.03'
    assert metrics.cell(dict(mean=0.614, std=None), 1) == '0.6'
    assert metrics.cell(dict(mean=0.02, std=0.1), 2, sign=True) == '+0.02 ± 0.10'
    assert metrics.cell(dict(mean=-0.02, std=None), 2, sign=True) == '-0.02'


def test_mark_belongs_to_its_settings(runs, tmp_path):
    mark = tmp_path / 'made/on/the/way/done.json'
    one, other = runs.fingerprint(dict(a=1, b=2)), runs.fingerprint(dict(a=1, b=3))
    assert one == runs.fingerprint(dict(b=2, a=1)) != other
    assert not runs.has_mark(mark, one)
    runs.write_mark(mark, one, updates=3)
    assert runs.has_mark(mark, one)
    assert not runs.has_mark(mark, other)


@pytest.mark.parametrize('jobs', [1, 2])
def test_all_runs_are_done_and_those_that_fail_are_told(runs, tmp_path, capsys, jobs):
    done = []

    def work(run, status):
        done.append(run.name)
        lines = [f'line {number} of {run.name}' for number in range(40)]
        (tmp_path / f'{run.name}.txt').write_text('\n'.join(lines))
        return status

    failed = runs.do_runs(
        {Run('a'): 0, Run('b'): 1, Run('c'): 0},
        work,
        log_of=lambda run: tmp_path / f'{run.name}.txt',
        describe=lambda run: f'went well with {run.name}',
        jobs=jobs,
    )
    assert failed == [Run('b')]
    assert sorted(done) == ['a', 'b', 'c']
    assert done == ['a', 'b', 'c'] or jobs > 1
    told = capsys.readouterr().out
    assert 'a: went well with a' in told
    assert 'went well with b' not in told
    assert 'line 39 of b' in told
    assert 'line 9 of b' not in told


def test_output_of_a_command_goes_to_a_file_but_for_what_is_taken(runs, tmp_path):
    script = "import sys; print('out'); print('~3'); print('err', file=sys.stderr); sys.exit(4)"
    taken = []

    def take(line):
        taken.extend([line.strip()] if line.startswith('~') else [])
        return line.startswith('~')

    command = [sys.executable, '-u', '-c', script]
    assert runs.call_logged(command, tmp_path / 'log.txt', take=take) == 4
    assert taken == ['~3']
    assert (tmp_path / 'log.txt').read_text() == 'out\nerr\n'
