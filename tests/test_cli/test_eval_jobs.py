"""mmpolar eval: many videos at the same time have the values of one by one, and a cut run goes on."""

import json
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import psutil
import pytest
from benchmark_folders import as_rows, filled, moving_boxes, write_davis, write_otb, write_vot
from interrupts import heed_interrupts
from ray_clusters import two_nodes

from mmpolar.cli.main import main
from mmpolar.runtime import OnnxEngine
from mmpolar.utils.job_journal import SUFFIX

TINY = 'ocean-polar_effnet-lite0-tiny_natural'
NAMES = [f'clip-{number}' for number in range(5)]


@pytest.fixture
def davis(tmp_path):
    """Videos of 4 to 8 frames, in each of which something else moves."""
    return write_moving(tmp_path / 'davis', {name: 4 + n for n, name in enumerate(NAMES)})


def write_moving(root, lengths):
    masks = {name: [filled(5, 5, 24, 20)] * length for name, length in lengths.items()}
    data = write_davis(root, masks, {'2016/val.txt': list(lengths), '2017/val.txt': list(lengths)})
    for seed, (name, length) in enumerate(lengths.items()):
        noise = np.random.default_rng(seed).integers(0, 255, (8, 11, 3), dtype=np.uint8)
        image = cv2.resize(noise, (44, 32), interpolation=cv2.INTER_CUBIC)
        for frame in range(length):
            path = data / f'JPEGImages/480p/{name}/{frame:05d}.jpg'
            assert path.is_file()
            cv2.imwrite(str(path), np.roll(image, frame * (seed + 1), 1))
    return data


def words_of(data, out, benchmark='davis2016'):
    return ['eval', benchmark, '--data', str(data), '--model', TINY, '--out', str(out)]


def values(out):
    """All that is written but how long it took."""
    report = json.loads(out.read_text())
    for video in report['videos']:
        assert video.pop('seconds') >= 0
    return report


@pytest.fixture
def alone(davis, tmp_path):
    out = tmp_path / 'alone.json'
    assert main(words_of(davis, out)) == 0
    return values(out)


def test_workers_give_the_values_of_one_by_one(davis, alone, tmp_path, capsys):
    out = tmp_path / 'values.json'
    assert main([*words_of(davis, out), '--workers', '2']) == 0
    assert values(out) == alone
    assert [video['name'] for video in alone['videos']] == NAMES
    assert len({video['values']['iou'] for video in alone['videos']}) > 1
    assert 'mean of 5 videos' in capsys.readouterr().out
    assert not out.with_name(out.name + SUFFIX).exists()


def test_a_video_that_fails_is_named_and_alone_tried_again(davis, alone, tmp_path, capsys):
    out = tmp_path / 'values.json'
    image = davis / 'JPEGImages/480p/clip-1/00002.jpg'
    whole = image.read_bytes()
    image.write_bytes(b'no image')
    assert main(words_of(davis, out)) == 2
    said = capsys.readouterr()
    assert 'error: clip-1: image file' in said.err
    assert (
        '1 of 5 videos failed, so there is no mean; the same command tries them again' in said.err
    )
    assert 'mean' not in said.out
    report = values(out)
    assert report['mean'] is None
    assert report['videos'] == [video for video in alone['videos'] if video['name'] != 'clip-1']

    image.write_bytes(whole)
    # What was evaluated is not read again.
    for path in davis.glob('JPEGImages/480p/clip-3/*.jpg'):
        path.write_bytes(b'no image')
    assert main(words_of(davis, out)) == 0
    assert '4 videos were evaluated before' in capsys.readouterr().err
    assert values(out) == alone


@pytest.mark.parametrize('signal_name', ['SIGINT', 'SIGKILL'])
def test_the_same_command_goes_on_after_a_stop(davis, alone, tmp_path, signal_name):
    out = tmp_path / 'values.json'
    words = [sys.executable, '-m', 'mmpolar.cli', *words_of(davis, out)]
    journal = out.with_name(out.name + SUFFIX)
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    )
    # A row is printed after the result is in the journal.
    lines = [process.stdout.readline() for _ in range(3)]
    process.send_signal(getattr(signal, signal_name))
    _, said = process.communicate(timeout=60)
    done = journal.read_bytes().count(b'\n') - 1 if journal.exists() else 5
    assert lines[2].startswith('clip-1')
    assert done >= 2
    if signal_name == 'SIGINT' and done < 5:
        assert process.returncode == 130
        assert 'the same command goes on' in said
    again = subprocess.run(words, check=True, capture_output=True, text=True)
    assert values(out) == alone
    if done < 5:
        assert f'{done} videos were evaluated before' in again.stderr
    assert [line.split()[0] for line in again.stdout.splitlines()[1:-1]] == NAMES


def test_results_of_another_model_are_not_mixed(davis, tmp_path, capsys):
    out = tmp_path / 'values.json'
    (davis / 'JPEGImages/480p/clip-1/00002.jpg').write_bytes(b'no image')
    assert main(words_of(davis, out)) == 2
    other = words_of(davis, out)
    other[other.index(TINY)] = 'ocean-polar_effnet-lite0_natural'
    assert main(other) == 2
    assert 'with another model' in capsys.readouterr().err


@pytest.mark.parametrize('benchmark', ['otb', 'vot_lt', 'davis2017', 'vot2018'])
def test_a_cut_run_of_any_benchmark_ends_with_the_same_mean(
    benchmark, davis, tmp_path, monkeypatch, capsys
):
    """Means of curves, of frames, of objects and of runs, made of what was in the journal."""
    data = davis
    if benchmark == 'otb':
        rows = as_rows(moving_boxes(5))
        data = write_otb(tmp_path / 'otb', 'Boat', range(1, 6), {'groundtruth_rect.txt': rows})
    elif benchmark.startswith('vot'):
        rows = as_rows(moving_boxes(8))
        data = write_vot(tmp_path / 'vot', {'boat': rows, 'bus': rows[:6]})
    whole, out = tmp_path / 'whole.json', tmp_path / 'values.json'
    assert main(words_of(data, whole, benchmark)) == 0

    def cut(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        # Stopped when all videos are evaluated, before the mean is.
        patch.setattr('mmpolar.cli.eval.say_end', cut)
        assert main(words_of(data, out, benchmark)) == 130
    monkeypatch.setattr(OnnxEngine, 'search', lambda *_: pytest.fail('tracked again'))
    assert main(words_of(data, out, benchmark)) == 0
    assert 'videos were evaluated before' in capsys.readouterr().err
    assert values(out) == values(whole)
    assert values(out)['mean']


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--workers', '0'], '--workers must be at least 1'),
        (['--workers', '2', '--ray', 'auto'], '--workers is for this machine'),
    ],
)
def test_options_that_do_not_go_together_are_refused(davis, tmp_path, capsys, words, message):
    with pytest.raises(SystemExit):
        main([*words_of(davis, tmp_path / 'values.json'), *words])
    assert message in capsys.readouterr().err


def busy_worker():
    """A process of Ray that evaluates a video."""
    for process in psutil.process_iter(['cmdline']):
        if (process.info['cmdline'] or [''])[0].startswith('ray::evaluate_job'):
            return process.pid
    return None


@pytest.mark.slow
def test_two_nodes_give_the_same_values_when_workers_are_killed(tmp_path):
    """A worker is killed, then a whole node goes away, and the command itself is killed once."""
    lengths = {f'long-{number}': 60 + number for number in range(6)}
    data = write_moving(tmp_path / 'davis', lengths)
    whole, out = tmp_path / 'whole.json', tmp_path / 'values.json'
    assert main(words_of(data, whole)) == 0
    with two_nodes() as (cluster, second):
        words = [sys.executable, '-m', 'mmpolar.cli', *words_of(data, out)]
        words += ['--ray', cluster.address]
        first = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert [first.stdout.readline() for _ in range(2)][1].startswith('long-')
        first.kill()
        first.communicate()
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        victim = None
        while victim is None:
            assert process.poll() is None, process.communicate()
            victim = busy_worker()
            time.sleep(0.05)
        os.kill(victim, signal.SIGKILL)
        time.sleep(2)
        cluster.remove_node(second, allow_graceful=False)
        said, errors = process.communicate(timeout=300)
        assert process.returncode == 0, (said, errors)
        assert 'videos were evaluated before' in errors
    assert values(out) == values(whole)
    assert [video['name'] for video in values(out)['videos']] == list(lengths)
