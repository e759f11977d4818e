"""Many videos in one ``mmpolar track``: what is written, by which machine, and what a later run leaves out."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest
from interrupts import heed_interrupts
from ray_clusters import two_nodes

from mmpolar.cli.main import build_parser, script_of
from mmpolar.cli.track_list import read_list, track_job
from mmpolar.runtime import OnnxEngine

main = script_of('track')
TINY = 'ocean-polar_effnet-lite0-tiny_natural'
BOX = '--box 60,40,40,40'


@pytest.fixture
def clips(tmp_path):
    """Three folders of images, of 4, 5 and 6 frames."""
    image = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    image = cv2.resize(image, (160, 120), interpolation=cv2.INTER_CUBIC)
    for number in range(3):
        folder = tmp_path / f'clip {number}'
        folder.mkdir()
        for frame in range(4 + number):
            cv2.imwrite(str(folder / f'{frame:03}.png'), np.roll(image, 2 * frame + number, 1))
    return tmp_path


def write_list(folder, *lines):
    path = folder / 'videos.list'
    path.write_text('\n'.join(lines) + '\n')
    return path


def usual_lines(folder):
    return [
        f"'{folder}/clip {number}' {BOX} --out '{folder}/out/{number}.jsonl'" for number in range(3)
    ]


def read(folder):
    return {
        path.name: [json.loads(line) for line in path.read_text().splitlines()]
        for path in sorted((folder / 'out').glob('*.jsonl'))
    }


def alone(folder, number):
    """What a run through one video writes."""
    out = folder / 'alone.jsonl'
    clip = str(folder / f'clip {number}')
    assert main([clip, *BOX.split(), '--model', TINY, '--threads', '1', '--out', str(out)]) == 0
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_each_video_is_tracked_as_alone_and_a_later_run_does_nothing_again(
    clips, capsys, monkeypatch
):
    path = write_list(clips, '# three clips', '', *usual_lines(clips))
    assert main([str(path), '--model', TINY]) == 0
    assert '3 videos tracked, 0 failed' in capsys.readouterr().out
    found = read(clips)
    assert [len(lines) for lines in found.values()] == [4, 5, 6]
    assert found['1.jsonl'] == alone(clips, 1)
    assert not list((clips / 'out').glob('*.resume'))

    monkeypatch.setattr(OnnxEngine, 'search', lambda *_: pytest.fail('tracked again'))
    assert main([str(path), '--model', TINY]) == 0
    assert capsys.readouterr().out.count('done before') == 3
    assert read(clips) == found


def test_options_of_a_line_come_before_those_of_the_command(clips):
    lines = usual_lines(clips)
    path = write_list(clips, lines[0], f'{lines[1]} --model ocean-polar_effnet-lite0_natural')
    parser = build_parser(['track'])
    args = parser.parse_args(['track', str(path), '--model', TINY])
    first, second = read_list(args)
    assert (first.model, second.model) == (TINY, 'ocean-polar_effnet-lite0_natural')
    assert (first.threads, first.source) == (1, str(clips / 'clip 0'))
    assert (first.out, second.out) == (
        [str(clips / 'out/0.jsonl')],
        [str(clips / 'out/1.jsonl')],
    )


def test_a_video_that_fails_does_not_stop_the_others(clips, capsys):
    (clips / 'clip 1' / '002.png').write_bytes(b'no image')
    path = write_list(clips, *usual_lines(clips))
    assert main([str(path), '--model', TINY]) == 1
    said = capsys.readouterr().out
    assert '2 videos tracked, 1 failed' in said
    assert '002.png' in said
    found = read(clips)
    assert [len(lines) for lines in found.values()] == [4, 2, 6]

    cv2.imwrite(str(clips / 'clip 1' / '002.png'), np.zeros((120, 160, 3), np.uint8))
    assert main([str(path), '--model', TINY]) == 0
    assert capsys.readouterr().out.count('done before') == 2
    assert [len(lines) for lines in read(clips).values()] == [4, 5, 6]


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ("'{0}/clip 0' --out {0}/a.jsonl", 'give a target'),
        ("'{0}/clip 0' --box 1,2,3,4 --out {0}/a.mp4", 'give --out FILE.jsonl'),
        ('{0}/absent.mp4 --box 1,2,3,4 --out {0}/a.jsonl', 'there is no'),
        ('rtsp://camera --box 1,2,3,4 --out {0}/a.jsonl', 'StreamPool'),
        ("'{0}/clip 0' --box 1,2,3,4 --out {0}/a.jsonl --fast", 'unrecognized arguments: --fast'),
        (
            "'{0}/clip 0' --box 1,2,3,4 --out {0}/a.jsonl --threads 0",
            'threads must be at least 1, got 0',
        ),
        ("'{0}/clip 0' --box 1,2,3,4 --out {0}/videos.list", 'give --out FILE.jsonl'),
        ("'{0}/clip 0' --box 1,2,3,4 --out '{0}/out/0.jsonl'", 'is written by line 1 too'),
        ("'{0}/clip 0 --box 1,2,3,4", 'No closing quotation'),
    ],
)
def test_a_line_that_cannot_be_used_is_named_before_anything_is_written(
    clips, capsys, line, message
):
    path = write_list(clips, usual_lines(clips)[0], line.format(clips))
    assert main([str(path)]) == 2
    said = capsys.readouterr().err
    assert f'line 2 of {path}: ' in said
    assert message in said
    assert not (clips / 'out').exists()


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--box', '1,2,3,4'], '--box belongs to the lines'),
        (['--out', 'a.jsonl'], '--out belongs to the lines'),
    ],
)
def test_options_that_belong_to_the_lines_are_refused(clips, capsys, words, message):
    with pytest.raises(SystemExit):
        main([str(write_list(clips, *usual_lines(clips))), *words])
    assert message in capsys.readouterr().err


def test_an_empty_list_is_an_error(clips, capsys):
    assert main([str(write_list(clips, '# nothing yet'))]) == 2
    assert 'lists no video' in capsys.readouterr().err


def long_clip(folder, frames=400):
    image = cv2.imread(str(folder / 'clip 0' / '000.png'))
    clip = folder / 'long'
    clip.mkdir()
    for frame in range(frames):
        cv2.imwrite(str(clip / f'{frame:04}.png'), np.roll(image, frame, 1))
    return clip


def wait_for_lines(path, count, seconds=120):
    for _ in range(seconds * 20):
        if path.exists() and path.read_bytes().count(b'\n') >= count:
            return
        time.sleep(0.05)
    pytest.fail(f'{path} has no {count} lines after {seconds} s')


@pytest.mark.parametrize('signal_name', ['SIGINT', 'SIGKILL'])
def test_the_same_command_goes_on_after_a_stop(clips, signal_name):
    clip, out = long_clip(clips, 60), clips / 'out' / 'long.jsonl'
    path = write_list(clips, f'{clip} {BOX} --out {out}')
    words = [sys.executable, '-m', 'mmpolar.cli', 'track', str(path), '--model', TINY]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts)
    wait_for_lines(out, 10)
    process.send_signal(getattr(signal, signal_name))
    _, said = process.communicate(timeout=60)
    if signal_name == 'SIGINT':
        assert process.returncode == 130
        assert 'the same command goes on' in said
    assert (clips / 'out' / 'long.jsonl.resume').exists()
    cut = out.read_text().splitlines()
    assert 10 <= len(cut) < 60
    assert subprocess.run(words, check=True, capture_output=True, text=True)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line['frame'] for line in lines] == list(range(60))
    kept = [json.loads(line) for line in cut[:10]]
    assert lines[:10] == kept


def test_a_stop_ends_a_video_and_keeps_what_was_tracked(clips):
    path = write_list(clips, *usual_lines(clips))
    args = build_parser(['track']).parse_args(['track', str(path), '--model', TINY])
    job, stop = read_list(args)[2], threading.Event()
    stop.set()
    assert track_job(job, stop).error == 'stopped'
    assert track_job(job).frames == 6
    assert [len(lines) for lines in read(clips).values()] == [6]


@pytest.fixture
def cluster():
    with two_nodes() as made:
        yield made


def workers_at(folder):
    """Processes that have a file of lines in this folder open."""
    import psutil

    return {
        process.pid
        for process in psutil.process_iter()
        if any(file.path.startswith(str(folder)) for file in open_files(process))
    }


def open_files(process):
    import psutil

    try:
        return [file for file in process.open_files() if file.path.endswith('.jsonl')]
    except psutil.Error:
        return []


@pytest.mark.slow
def test_two_nodes_lose_nothing_when_workers_are_killed(clips, cluster):
    """A worker is killed while it tracks, then the whole second node goes away."""
    cluster, second = cluster
    clip = long_clip(clips, 250)
    outs = [clips / 'out' / f'long{number}.jsonl' for number in range(3)]
    lines = [f'{clip} {BOX} --out {out}' for out in outs]
    path = write_list(clips, *usual_lines(clips), *lines)
    words = [sys.executable, '-m', 'mmpolar.cli', 'track', str(path), '--model', TINY]
    process = subprocess.Popen(
        [*words, '--ray', cluster.address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    begun = []
    while not begun:
        begun = [out for out in outs if out.exists() and out.read_bytes().count(b'\n') > 30]
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    victims = workers_at(begun[0])
    assert len(victims) == 1
    os.kill(victims.pop(), signal.SIGKILL)
    time.sleep(3)
    cluster.remove_node(second, allow_graceful=False)
    said, errors = process.communicate(timeout=300)
    assert process.returncode == 0, (said, errors)
    assert '6 videos tracked, 0 failed' in said
    found = read(clips)
    assert [len(found[f'{number}.jsonl']) for number in range(3)] == [4, 5, 6]
    for out in outs:
        assert [line['frame'] for line in found[out.name]] == list(range(250))
    assert found['long0.jsonl'] == found['long1.jsonl'] == found['long2.jsonl']
    again = subprocess.run(
        [*words, '--ray', cluster.address], check=True, capture_output=True, text=True
    )
    assert again.stdout.count('done before') == 6


def test_a_cluster_that_does_not_answer_is_one_error(clips, capsys):
    pytest.importorskip('ray')
    path = write_list(clips, *usual_lines(clips))
    assert main([str(path), '--ray', '127.0.0.1:1']) == 2
    assert 'no Ray cluster answers at 127.0.0.1:1' in capsys.readouterr().err
