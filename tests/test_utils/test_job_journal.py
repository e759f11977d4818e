"""Values of jobs outlive the process, whenever it ends, and are not mixed with those of other runs."""

import json
import math
import subprocess
import sys

import pytest

from mmpolar.utils.job_journal import JobJournal, read_description

MINE = dict(model='mine', options=['a=1'])


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'folder' / 'values.json'


KILLED = """
import math, os, sys
from mmpolar.utils.job_journal import JobJournal
with JobJournal(sys.argv[1], dict(model='mine', options=['a=1'])) as journal:
    journal.add('1 boat', dict(J=0.1 + 0.2, F=math.nan))
    journal.add('2 cär', [1, None])
    os.kill(os.getpid(), 9)
"""


def test_values_are_there_after_a_kill(out):
    assert subprocess.run([sys.executable, '-c', KILLED, str(out)]).returncode == -9
    again = JobJournal(out, MINE)
    assert len(again) == 2
    assert '1 boat' in again
    assert '3 bus' not in again
    assert again['2 cär'] == [1, None]
    assert again['1 boat']['J'] == 0.1 + 0.2
    assert math.isnan(again['1 boat']['F'])
    again.add('3 bus', 'x')
    assert (again['1 boat']['J'], again['3 bus']) == (0.1 + 0.2, 'x')


@pytest.mark.parametrize('lost', [1, 5, 14, 30])
def test_a_line_that_was_cut_is_done_again(out, lost):
    with JobJournal(out, MINE) as journal:
        for number in range(3):
            journal.add(str(number), ['value', number])
    content = journal.path.read_bytes()
    journal.path.write_bytes(content[:-lost])
    with JobJournal(out, MINE) as again:
        left = len(again)
        assert left == 3 - math.ceil(lost / len('["0", ["value", 0]]\n'))
        for number in range(left, 3):
            again.add(str(number), ['value', number])
    assert journal.path.read_bytes() == content


def test_a_head_that_was_cut_begins_again(out):
    with JobJournal(out, MINE) as journal:
        journal.add('1', 1)
    journal.path.write_bytes(journal.path.read_bytes()[:7])
    with JobJournal(out, MINE) as again:
        assert len(again) == 0
        again.add('2', 2)
    assert JobJournal(out, MINE)['2'] == 2


def test_a_run_that_differs_is_refused(out):
    with JobJournal(out, MINE) as journal:
        journal.add('1', 1)
    with pytest.raises(
        ValueError, match=r'values\.json\.resume is of .* with another model: go on'
    ):
        JobJournal(out, MINE | dict(model='other'))
    journal.path.write_text('some text\n')
    with pytest.raises(ValueError, match='is no journal'):
        JobJournal(out, MINE)


def test_a_run_that_never_wrote_a_value_is_no_journal(out):
    with JobJournal(out, MINE) as journal:
        assert journal.path.is_file()
    assert list(out.parent.iterdir()) == []
    journal.path.write_text(json.dumps(dict(model='other')) + '\n["1", [1')
    with JobJournal(out, MINE) as journal:
        journal.add('2', 2)
    assert JobJournal(out, MINE)['2'] == 2


def test_two_runs_at_the_same_time_are_refused(out):
    with JobJournal(out, MINE) as journal:
        journal.add('1', 1)
        with (
            pytest.raises(ValueError, match='another run with the same --out is in progress'),
            JobJournal(out, MINE),
        ):
            pass
        journal.add('2', 2)
    with JobJournal(out, MINE) as again:
        assert (again['1'], again['2']) == (1, 2)


def test_a_run_that_came_to_its_end_leaves_nothing(out):
    journal = JobJournal(out, MINE)
    journal.add('1', 1)
    journal.remove()
    assert len(journal) == 0
    assert list(out.parent.iterdir()) == []
    journal.remove()


KILLED_REPLACING = """
import os, sys
from pathlib import Path
from mmpolar.utils.job_journal import JobJournal
with JobJournal(sys.argv[1], dict(model='mine', options=['a=1'])) as journal:
    journal.replace_all('state', 'first')
    Path.write_bytes = lambda *_: os.kill(os.getpid(), 9)
    journal.replace_all('state', 'second')
"""


def test_one_value_replaces_all_others(out):
    with JobJournal(out, MINE) as journal:
        journal.add('1', 1)
        for number in range(3):
            journal.replace_all('state', [number] * 1000)
            assert (len(journal), journal['state'][0]) == (1, number)
        journal.add('2', 2)
    again = JobJournal(out, MINE)
    assert (len(again), again['state'], again['2']) == (2, [2] * 1000, 2)
    assert list(out.parent.iterdir()) == [again.path]


def test_a_kill_while_a_value_is_replaced_leaves_the_earlier_one(out):
    command = [sys.executable, '-c', KILLED_REPLACING, str(out)]
    assert subprocess.run(command).returncode == -9
    with JobJournal(out, MINE) as again:
        assert again['state'] == 'first'


def test_other_runs_are_kept_out_after_a_value_was_replaced(out):
    with JobJournal(out, MINE) as journal:
        journal.replace_all('state', 1)
        with pytest.raises(ValueError, match='another run with the same --out is in progress'):
            JobJournal(out, MINE)
    assert JobJournal(out, MINE)['state'] == 1


def test_the_description_of_an_earlier_run_is_read(out):
    assert read_description(out) is None
    with JobJournal(out, MINE) as journal:
        journal.add('1', 1)
    assert read_description(out) == MINE
    journal.path.write_bytes(b'PK\x03\x04 of another format')
    with pytest.raises(ValueError, match='cannot be read: it is no journal'):
        read_description(out)
