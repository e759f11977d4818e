"""What docs/many_streams.md shows runs as it stands there."""

import re
from pathlib import Path

import cv2
import numpy as np

from mmpolar.cli.main import build_parser
from mmpolar.cli.track_list import read_list
from mmpolar.visualization.video_writer import VideoWriter

PAGE = Path(__file__).resolve().parents[2] / 'docs' / 'many_streams.md'


def blocks(language):
    return re.findall(rf'^```{language}\n(.*?)^```', PAGE.read_text(), re.M | re.S)


def write_video(path):
    path.parent.mkdir(exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    with VideoWriter(path, 10, (320, 240)) as writer:
        for shift in range(3):
            frame = cv2.resize(np.roll(noise, shift, 1), (320, 240))
            writer.write(frame)


def test_cameras_are_tracked_and_reported(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ('gate.mp4', 'yard.mp4'):
        write_video(tmp_path / name)
    exec(blocks('python')[0], {})
    said = capsys.readouterr().out.splitlines()
    # Frames that come too fast are dropped, the first one too, but for the newest.
    assert {line.split()[0] for line in said} >= {'gate', 'yard', '2'}
    assert all(line.endswith('None') for line in said if line.startswith(('gate', 'yard')))


def test_lines_of_the_list_are_understood(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('clips/a clip.mp4', 'clips/b.mp4'):
        write_video(tmp_path / name)
    (tmp_path / 'videos.list').write_text(blocks('text')[0])
    jobs = read_list(build_parser(['track']).parse_args(['track', 'videos.list']))
    assert [len(job.out) for job in jobs] == [2, 1]
    assert (jobs[0].box, jobs[1].point) == (['100,80,60,40'], ['130,100'])
