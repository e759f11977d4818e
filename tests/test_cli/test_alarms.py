"""mmpolar alarms on tables of frames, from the command line."""

import csv
import json

import cv2
import numpy as np
import pytest

from mmpolar.cli.main import main


@pytest.fixture
def table(tmp_path):
    """Ten videos of an hour at four cameras, a frame each 10 s; a target in every second one."""
    rng = np.random.default_rng(0)
    path = tmp_path / 'frames.csv'
    with path.open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['video', 'time', 'score', 'has_target', 'stream', 'note'])
        for number in range(10):
            scores = rng.random(360) ** 8 * 0.9
            has_target = np.zeros(360, int)
            if number % 2:
                has_target[100:110] = 1
                scores[105] = 0.75 + number / 50
            for frame in range(360):
                row = [f'v{number}', 10 * frame, scores[frame], has_target[frame]]
                writer.writerow([*row, f'cam{number % 4}', 'x'])
    return path


def test_table_of_points_with_intervals(table, tmp_path, capsys):
    out = tmp_path / 'alarms.json'
    words = ['--recall', '0.8', '--checks-per-day', '24', '--max-gap', '30', '--json', str(out)]
    assert main(['alarms', str(table), *words]) == 0
    text = capsys.readouterr().out
    assert '3600 frames of 5 videos with a target and 5 without, 4 streams, 10 hours' in text
    assert out.read_text().endswith('}\n')
    report = json.loads(out.read_text())
    at_recall, at_checks = report['points']
    # Targets score .77, .81, .85, .89, .93: the second lowest finds four of five.
    assert at_recall['threshold'] == pytest.approx(0.81)
    assert at_recall['recall'] == 0.8
    low, high = at_recall['intervals']['false_alarms_per_hour']
    assert low < at_recall['false_alarms_per_hour'] < high
    assert at_checks['events_per_hour'] <= 1
    assert f'{at_recall["false_alarms_per_hour"]:.4g} ({low:.4g} to {high:.4g})' in text
    assert 'warning' not in text


def test_events_are_listed_and_the_curve_is_plotted(table, tmp_path):
    events, plot = tmp_path / 'events.csv', tmp_path / 'alarms.png'
    words = ['--threshold', '0.8', '--events', str(events), '--plot', str(plot)]
    assert main(['alarms', str(table), *words]) == 0
    rows = list(csv.DictReader(events.open()))
    assert [float(row['score']) for row in rows] == sorted(
        (float(row['score']) for row in rows), reverse=True
    )
    assert all(float(row['score']) >= 0.8 for row in rows)
    assert {row['video'] for row in rows if row['has_target'] == '1'} == {'v3', 'v5', 'v7', 'v9'}
    image = cv2.imread(str(plot))
    assert image.shape[1] > image.shape[0] > 300
    assert image.std() > 10


def test_too_few_hours_are_warned_of(table, capsys):
    assert main(['alarms', str(table), '--checks-per-day', '1']) == 0
    # 3 x 24 / 1 hours are needed to see that nothing happens.
    assert (
        '10 hours there may be up to 7.2 a day (95 %); test on 72 hours' in capsys.readouterr().out
    )


def test_videos_without_targets_have_alarms_alone(tmp_path, capsys):
    path = tmp_path / 'frames.csv'
    path.write_text('video,time,score\na,0,.9\na,60,.2\nb,0,.1\nb,60,.8\n')
    assert main(['alarms', str(path), '--threshold', '.5']) == 0
    line = next(row for row in capsys.readouterr().out.splitlines() if row.startswith('threshold'))
    assert '1000 (1000 to 1000)' in line
    assert main(['alarms', str(path), '--plot', str(tmp_path / 'x.png')]) == 2
    assert 'there is no recall to plot' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--json', 'TABLE'], 'would write over the table'),
        (['--max-gap', '-1'], 'max_gap must be at least 0'),
        (['--checks-per-day', '0'], 'must be above 0'),
        (['--recall', '2'], 'recall must be above 0'),
    ],
)
def test_wrong_options_are_explained(table, capsys, words, message):
    words = [str(table) if word == 'TABLE' else word for word in words]
    assert main(['alarms', str(table), *words]) == 2
    assert message in capsys.readouterr().err
