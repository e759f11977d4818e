"""mmpolar score: rows of any detector for every image and video of a pool, none lost and none twice."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from interrupts import heed_interrupts
from ray_clusters import two_nodes

from mmpolar.cli.main import main
from mmpolar.evaluation.video_level_report import read_videos
from mmpolar.mining.lists import read_scores
from mmpolar.utils.job_journal import SUFFIX
from mmpolar.visualization.video_writer import VideoWriter

#: Gives the redness of an image or of each frame; notes each call in a file.
DETECTOR = """
import os
import time
from pathlib import Path

import cv2
import numpy as np
import weight_of_red

WEIGHTS = 'weights.txt'
factor = float(Path(WEIGHTS).read_text())


def redness(image):
    return np.float32(factor * image[..., 2].mean() / 255 * weight_of_red.VALUE)


def score(path):
    with open('calls.txt', 'a') as file:
        file.write(f'{path}\\n')
    time.sleep(float(os.environ.get('MMPOLAR_TEST_SECONDS', 0)))
    if path.endswith('.mp4'):
        capture, number = cv2.VideoCapture(path), 0
        while (read := capture.read())[0]:
            yield dict(time=number / 10, score=redness(read[1]), has_target=np.bool_(False))
            number += 1
        return
    image = cv2.imread(path)
    if image is None:
        raise RuntimeError('no image')
    if image.max() > 0:
        yield dict(score=redness(image), x=1, y=2, w=3, h=4.5, label='red')
        yield dict(score=0, x=0, y=0, w=1, h=1, note='a second one')
"""
NUMBER = 12


@pytest.fixture
def pool(tmp_path, monkeypatch):
    """Images of rising redness at two cameras, the first one black."""
    monkeypatch.chdir(tmp_path)
    Path('detector.py').write_text(DETECTOR)
    Path('weight_of_red.py').write_text('VALUE = 1\n')
    Path('weights.txt').write_text('1')
    for number in range(NUMBER):
        path = Path(f'pool/cam{number % 2}/{number:02}.png')
        path.parent.mkdir(parents=True, exist_ok=True)
        image = np.zeros((24, 32, 3), np.uint8)
        image[..., 2] = 20 * number
        cv2.imwrite(str(path), image)
    Path('pool/.hidden').mkdir()
    Path('pool/.hidden/a.png').write_bytes(b'')
    Path('pool/notes.json').write_text('{}')
    return tmp_path


def rows_of(name='scores.csv'):
    return list(csv.DictReader(Path(name).read_text().splitlines()))


def calls():
    return Path('calls.txt').read_text().splitlines()


def status(words):
    try:
        return main(words)
    except SystemExit as stopped:  # of the parser
        return stopped.code


def names_of_pool():
    return [f'pool/cam{camera}/{n:02}.png' for camera in (0, 1) for n in range(camera, NUMBER, 2)]


def test_every_image_has_its_rows_in_the_order_of_the_pool(pool, capsys):
    assert main(['score', 'detector.py', 'pool', '--out', 'scores.csv']) == 0
    assert f'{NUMBER} scored, 0 failed: scores.csv' in capsys.readouterr().out
    rows = rows_of()
    assert list(rows[0]) == ['image', 'score', 'x', 'y', 'w', 'h', 'label', 'note']
    assert list(dict.fromkeys(row['image'] for row in rows)) == names_of_pool() == calls()
    assert len(rows) == 2 * NUMBER - 1
    assert rows[0] == dict(dict.fromkeys(rows[0], ''), image='pool/cam0/00.png', score='0.0')
    found = {one.image: one for one in read_scores('scores.csv')}
    for number in range(1, NUMBER):
        one = found[f'pool/cam{number % 2}/{number:02}.png']
        assert one.score == pytest.approx(20 * number / 255)
        assert (one.box, one.label) == ((1, 2, 4, 6.5), 'red')
    assert not Path(f'scores.csv{SUFFIX}').exists()


def test_workers_write_the_same_table(pool):
    assert main(['score', 'detector.py', 'pool', '--out', 'alone.csv']) == 0
    assert main(['score', 'detector.py', 'pool', '--out', 'scores.csv', '--workers', '2']) == 0
    assert Path('scores.csv').read_bytes() == Path('alone.csv').read_bytes()


def test_frames_of_videos_are_a_table_of_alarms(pool):
    frames = [np.full((64, 96, 3), (0, 0, 60 * number), np.uint8) for number in range(4)]
    Path('videos').mkdir()
    for name, shown in (('a.mp4', frames), ('b.MP4', frames[:2])):
        with VideoWriter(Path('videos', name), 10, (96, 64)) as writer:
            for frame in shown:
                writer.write(frame)
    os.rename('videos/b.MP4', 'videos/b.mp4')
    assert main(['score', 'detector.py', 'videos', '--out', 'frames.csv']) == 0
    rows = rows_of('frames.csv')
    assert list(rows[0]) == ['video', 'time', 'score', 'has_target']
    assert [row['video'] for row in rows] == ['videos/a.mp4'] * 4 + ['videos/b.mp4'] * 2
    assert [float(row['score']) for row in rows[:4]] == sorted(float(r['score']) for r in rows[:4])
    assert len(read_videos('frames.csv')) == 2
    assert main(['alarms', 'frames.csv', '--threshold', '0.5']) == 0


def test_lists_and_files_are_pools_too_and_each_path_counts_once(pool):
    Path('some.txt').write_text('pool/cam1/03.png\n\npool/cam0/02.png\n')
    words = ['score', 'detector.py', 'pool/cam0/02.png', 'some.txt', '--out', 'scores.csv']
    assert main(words) == 0
    assert calls() == ['pool/cam0/02.png', 'pool/cam1/03.png']


def test_an_image_that_fails_is_named_and_alone_tried_again(pool, capsys):
    whole = Path('pool/cam1/03.png').read_bytes()
    Path('pool/cam1/03.png').write_bytes(b'no image')
    words = ['score', 'detector.py', 'pool', '--out', 'scores.csv']
    assert main(words) == 1
    said = capsys.readouterr()
    assert 'error: pool/cam1/03.png: RuntimeError: no image (detector.py, line ' in said.err
    assert f'{NUMBER - 1} scored, 1 failed: scores.csv' in said.out
    assert 'pool/cam1/03.png' not in {row['image'] for row in rows_of()}

    Path('pool/cam1/03.png').write_bytes(whole)
    Path('calls.txt').unlink()
    assert main(words) == 0
    assert calls() == ['pool/cam1/03.png']
    assert list(dict.fromkeys(row['image'] for row in rows_of())) == names_of_pool()


@pytest.mark.parametrize('signal_name', ['SIGINT', 'SIGKILL'])
def test_the_same_command_goes_on_after_a_stop(pool, signal_name):
    words = [sys.executable, '-m', 'mmpolar.cli', 'score', 'detector.py', 'pool']
    words += ['--out', 'scores.csv']
    process = subprocess.Popen(
        words,
        env=os.environ | dict(MMPOLAR_TEST_SECONDS='0.2'),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    while not Path('calls.txt').exists() or len(calls()) < 4:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(getattr(signal, signal_name))
    _, said = process.communicate(timeout=60)
    if signal_name == 'SIGINT':
        assert process.returncode == 130
        assert f'of {NUMBER}; the same command goes on' in said
    assert not Path('scores.csv').exists()
    cut = calls()[-1]
    assert main(words[3:]) == 0
    assert list(dict.fromkeys(row['image'] for row in rows_of())) == names_of_pool()
    # The one that was cut may be scored again, no other.
    assert sorted(set(calls())) == sorted(names_of_pool())
    assert [name for name in set(calls()) if calls().count(name) > 1] in ([], [cut])


def test_scores_of_other_weights_are_not_mixed(pool, capsys):
    Path('pool/cam1/03.png').write_bytes(b'no image')
    words = ['score', 'detector.py', 'pool', '--out', 'scores.csv']
    assert main(words) == 1
    Path('weights.txt').write_text('0.25')
    assert main(words) == 2
    assert 'with another weights.txt: go on' in capsys.readouterr().err
    Path(f'scores.csv{SUFFIX}').unlink()
    assert main(words) == 1
    assert max(float(row['score']) for row in rows_of()) < 0.25


@pytest.mark.parametrize(
    ('source', 'message'),
    [
        ('def other(path): ...', 'has no function score(path)'),
        ('def score(path:', 'is no Python file'),
        ('import no_such_package\ndef score(path): ...', "No module named 'no_such_package'"),
    ],
)
def test_a_detector_that_cannot_be_used_is_one_error(pool, capsys, source, message):
    Path('detector.py').write_text(source)
    assert main(['score', 'detector.py', 'pool', '--out', 'scores.csv']) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert message in line
    assert not Path('scores.csv').exists()


@pytest.mark.parametrize(
    ('body', 'message'),
    [
        ('return [0.5]', 'must give dictionaries, got float'),
        ('return [dict(score=float("nan"))]', 'must be a finite number, got nan'),
        ('return [dict(x=1)]', 'must be a finite number, got None'),
        ('return [dict(score=1, box=[1, 2])]', 'must be a number or a text, got list'),
    ],
)
def test_rows_that_cannot_be_used_are_named(pool, capsys, body, message):
    Path('detector.py').write_text(f'def score(path):\n    {body}\n')
    assert main(['score', 'detector.py', 'pool', '--out', 'scores.csv']) == 2
    said = capsys.readouterr().err
    assert said.count(message) == NUMBER
    assert f'none of {NUMBER} images and videos could be scored' in said


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['absent.py', 'pool', '--out', 'a.csv'], 'detector absent.py does not exist'),
        (['detector.py', 'absent', '--out', 'a.csv'], 'absent of the pool does not exist'),
        (['detector.py', 'weight_of_red.py', '--out', 'a.csv'], 'is no image, video, folder or'),
        (['detector.py', 'pool/.hidden/..', '--out', 'a.txt'], 'ends in .csv'),
        (['detector.py', 'pool', '--out', 'a.csv', '--gpus', '1'], '--gpus is for --ray'),
        (['detector.py', 'pool', '--out', 'a.csv', '--ray', '127.0.0.1:1'], 'no Ray cluster'),
    ],
)
def test_what_cannot_be_done_is_one_error(pool, capsys, words, message):
    assert status(['score', *words]) == 2
    assert message in capsys.readouterr().err
    assert not Path('a.csv').exists()


KILLER = DETECTOR.replace(
    "    if path.endswith('.mp4')",
    "    if 'deadly' in path:\n        os.kill(os.getpid(), 9)\n    if path.endswith('.mp4')",
)


@pytest.mark.slow
def test_two_nodes_lose_no_image_when_workers_are_killed(pool):
    """A node goes away while it scores; the image that kills its process is named, and no other."""
    for number in range(300):
        cv2.imwrite(f'pool/more{number:03}.png', np.full((8, 8, 3), number % 256, np.uint8))
    assert main(['score', 'detector.py', 'pool', '--out', 'alone.csv']) == 0
    Path('calls.txt').unlink()
    Path('detector.py').write_text(KILLER)
    Path('pool/more100a_deadly.png').write_bytes(Path('pool/more100.png').read_bytes())
    words = [sys.executable, '-m', 'mmpolar.cli', 'score', 'detector.py', 'pool']
    with two_nodes() as (cluster, second):
        process = subprocess.Popen(
            [*words, '--out', 'scores.csv', '--ray', cluster.address],
            env=os.environ | dict(MMPOLAR_TEST_SECONDS='0.05'),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not Path('calls.txt').exists() or len(calls()) < 40:
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        cluster.remove_node(second, allow_graceful=False)
        said, errors = process.communicate(timeout=300)
    assert process.returncode == 1, (said, errors)
    assert 'error: pool/more100a_deadly.png: its process has died' in errors
    assert f'{NUMBER + 300} scored, 1 failed' in said
    assert Path('scores.csv').read_bytes() == Path('alone.csv').read_bytes()
