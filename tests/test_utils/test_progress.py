"""Progress bars are for terminals."""

import ast
import io
import sys
from pathlib import Path

import pytest

from mmpolar.utils.progress import counting, progress_bar, shows_progress

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ('mmpolar', 'tools', 'benchmarks', 'demo')


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(('stream', 'shown', 'is_drawn'), [
    (Terminal, True, True), (Terminal, False, False), (io.StringIO, True, False),
])  # fmt: skip
def test_bar_is_drawn_on_a_terminal_only(monkeypatch, stream, shown, is_drawn):
    monkeypatch.setattr(sys, 'stderr', stream())
    assert list(progress_bar(range(3), shown=shown, desc='counting')) == [0, 1, 2]
    assert ('counting' in sys.stderr.getvalue()) == is_drawn
    assert shows_progress() == (stream is Terminal)


def test_a_silent_bar_can_be_driven_by_hand(monkeypatch):
    monkeypatch.setattr(sys, 'stderr', io.StringIO())
    with progress_bar(total=2, unit='run') as bar:
        bar.update()
        bar.reset(5)
        bar.set_description('testing', refresh=False)
        bar.set_postfix_str('best 1')
    assert bar.total == 5
    assert sys.stderr.getvalue() == ''


@pytest.mark.parametrize('stream', [Terminal, io.StringIO])
def test_lines_are_printed_above_the_count(monkeypatch, stream):
    monkeypatch.setattr(sys, 'stderr', stream())
    monkeypatch.setattr(sys, 'stdout', io.StringIO())
    with counting('tracking', total=2, unit='video') as count:
        count.say('first: 3 frames')
        count.update()
        count.say('second: cut', sys.stderr)
        assert ('1/2' in sys.stderr.getvalue()) == (stream is Terminal)
    assert sys.stdout.getvalue() == 'first: 3 frames\n'
    assert 'second: cut\n' in sys.stderr.getvalue()


def test_without_tqdm_lines_are_printed_and_nothing_is_counted(monkeypatch, capsys):
    monkeypatch.setattr('mmpolar.utils.progress.find_spec', lambda name: None)
    with counting('tracking', total=1) as count:
        count.say('first: 3 frames')
        count.update()
    assert capsys.readouterr() == ('first: 3 frames\n', '')


def test_all_bars_come_from_one_function():
    found = []
    for path in (path for name in FOLDERS for path in (ROOT / name).rglob('*.py')):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                'tqdm', 'tqdm.tqdm', 'ProgressBar', 'track_progress', 'track_iter_progress',
                'mmengine.ProgressBar', 'mmengine.track_progress', 'mmengine.track_iter_progress',
            ):  # fmt: skip
                found.append(str(path.relative_to(ROOT)))
    assert found == ['mmpolar/utils/progress.py']
