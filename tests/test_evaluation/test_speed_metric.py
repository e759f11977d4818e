import json

import pytest
from evaluated import evaluate_with
from mmengine.logging import MMLogger

BOX = [10.0, 10.0, 30.0, 30.0]


evaluate = evaluate_with('SpeedMetric')


@pytest.fixture
def video(make_sample):
    def make(seconds, name='a', video_id=0):
        meta = [{} if value is None else dict(track_seconds=value) for value in seconds]
        return [
            make_sample(name, frame, len(seconds), BOX, BOX, video_id=video_id, **more)
            for frame, more in enumerate(meta)
        ]

    return make


def test_values_by_hand(video, tmp_path):
    file = tmp_path / 'speed.json'
    samples = video([0.5, 0.1, 0.3], 'a', 0) + video([0.3, 0.1, 0.1], 'b', 1)
    metrics = evaluate(samples, out_file=str(file))
    assert metrics['speed/fps'] == pytest.approx((5 + 10) / 2)
    assert metrics['speed/ms'] == pytest.approx((200 + 100) / 2)
    assert metrics['speed/init_ms'] == pytest.approx(400)
    report = json.loads(file.read_text())
    assert report['sequences'][0]['frames']['seconds'] == [0.5, 0.1, 0.3]


def test_sequences_without_times_have_no_speed(video, tmp_path):
    log = tmp_path / 'run.log'
    MMLogger.get_instance(f'test_{tmp_path.name}', log_file=str(log))
    samples = video([0.5, 0.1], 'timed', 0) + video([None, None], 'untimed', 1)
    assert evaluate(samples)['speed/fps'] == pytest.approx(10)
    assert "1 of 2 sequences carry no measured times and have no speed, the first is 'untimed'" in (
        log.read_text()
    )
    assert evaluate(video([None, None])) == {}


def test_frames_need_no_annotation(video):
    samples = video([0.5, 0.1])
    del samples[1].gt_instances
    assert evaluate(samples)['speed/fps'] == pytest.approx(10)
