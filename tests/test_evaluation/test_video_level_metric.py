"""VideoLevelMetric over real data samples, compared with counting, and over two processes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.logging import MMLogger
from worker_processes import printed_metrics, run_workers

from mmpolar.evaluation.metrics import VideoLevelMetric
from mmpolar.evaluation.video_level_report import list_events, read_videos
from mmpolar.registry import METRICS

PATTERN = r'(?P<stream>cam\d)/(?P<video>[^/]+)/(?P<frame>\d+)\.jpg$'
#: Frames, one a second: two cameras, four videos. Score, and whether the frame shows a target.
FRAMES = [
    ('cam0/a/0.jpg', 0.9, 0),
    ('cam0/a/1.jpg', 0.1, 0),
    ('cam0/a/2.jpg', 0.8, 0),
    ('cam0/a/9.jpg', 0.8, 0),
    ('cam0/b/0.jpg', 0.3, 0),
    ('cam0/b/5.jpg', 0.2, 0),
    ('cam1/c/0.jpg', 0.7, 0),
    ('cam1/c/1.jpg', 0.6, 1),
    ('cam1/c/2.jpg', 0.2, 1),
    ('cam1/d/0.jpg', 0.4, 1),
    ('cam1/d/1.jpg', 0.1, 0),
]
OPTIONS = dict(score_thr=0.5, recall=[0.5, 1.0], checks_per_day=5, max_gap=3, pattern=PATTERN)

WORKER = """
import json, sys
import torch
from test_video_level_metric import values

rank, folder = int(sys.argv[1]), sys.argv[2]
torch.distributed.init_process_group('gloo', f'file://{folder}/store', rank=rank, world_size=2)
print('METRICS', json.dumps(values(out_file=f'{folder}/two.json')))
# Left to the exit of the process, the threads of gloo may end it with an abort.
torch.distributed.barrier()
torch.distributed.destroy_process_group()
"""


def answered(path, score, shown, **meta):
    return dict(
        img_path=path,
        gt_instances=dict(labels=torch.zeros(shown, dtype=torch.long)),
        pred_instances=dict(scores=torch.tensor([0.05, score])),
        **meta,
    )


def values(frames=FRAMES, **options):
    """Metrics of this process's share of the frames, and how many it saw."""
    metric = METRICS.build(dict(type='VideoLevelMetric') | OPTIONS | options)
    for index in DefaultSampler(range(len(frames)), shuffle=False):
        metric.process(None, [answered(*frames[index])])
    seen = len(metric.results)
    return metric.evaluate(size=len(frames)) | dict(seen=seen)


def test_values_by_hand():
    got = values()
    # Length of a video: last minus first time plus the median step: a 9 + 1, b 5 + 5, c 3, d 2 s.
    hours = 25 / 3600
    # At .5: events of a {0, 2} and {9}, of c {0, 1}, which shows the target.
    assert got['video/events_per_hour'] == pytest.approx(3 / hours)
    assert got['video/false_alarms_per_hour'] == pytest.approx(2 / hours)
    assert got['video/false_alarms_per_1k_videos'] == 500
    assert got['video/recall'] == 0.5
    assert got['video/threshold_at_recall_0.5'] == pytest.approx(0.6)
    assert got['video/threshold_at_recall_1'] == pytest.approx(0.4)
    assert got['video/false_alarms_per_hour_at_recall_1'] == pytest.approx(2 / hours)
    # Five events a day of 24 hours are fewer than any threshold makes in these few seconds.
    assert got['video/threshold_at_checks_5'] > np.float32(0.9)
    assert got['video/recall_at_checks_5'] == 0


def test_two_processes_give_the_values_of_one(tmp_path):
    one = values(out_file=str(tmp_path / 'one.json'))
    assert one.pop('seen') == len(FRAMES)
    two = printed_metrics(run_workers(WORKER, tmp_path, 2, tmp_path, imports=Path(__file__).parent))
    assert two == [one | dict(seen=6)] * 2
    assert json.loads((tmp_path / 'two.json').read_text()) == json.loads(
        (tmp_path / 'one.json').read_text()
    )
    rows = [set((tmp_path / f'{name}.csv').read_text().splitlines()) for name in ('one', 'two')]
    assert rows[0] == rows[1]
    assert len(rows[0]) == len(FRAMES) + 1


def test_report_and_table_hold_what_was_measured(tmp_path):
    got = values(out_file=str(tmp_path / 'report.json'))
    report = json.loads((tmp_path / 'report.json').read_text())
    assert report['counts'] == dict(
        frames=11, videos_with_target=2, videos_without=2, streams=2, hours=pytest.approx(25 / 3600)
    )
    assert report['metrics'] == {
        name.removeprefix('video/'): value for name, value in got.items() if name != 'seen'
    }
    points = {point['name']: point for point in report['points']}
    assert list(points) == ['threshold 0.5', 'recall 0.5', 'recall 1', 'checks 5 a day']
    low, high = points['recall 0.5']['intervals']['false_alarms_per_hour']
    assert low <= points['recall 0.5']['false_alarms_per_hour'] <= high
    assert report['curve']['recall'] == [0, 0.5, 1, 1]
    videos = read_videos(tmp_path / 'report.csv')
    assert [(v.name, v.stream, len(v.times)) for v in videos] == [
        ('a', 'cam0', 4),
        ('b', 'cam0', 2),
        ('c', 'cam1', 3),
        ('d', 'cam1', 2),
    ]
    events = list(list_events(videos, max_gap=3, threshold=0.5))
    assert [(e['video'], e['first_time'], e['last_time'], e['has_target']) for e in events] == [
        ('a', 0, 2, 0),
        ('a', 9, 9, 0),
        ('c', 0, 1, 1),
    ]


def test_too_few_hours_for_a_number_of_checks_are_told(tmp_path):
    logger = MMLogger.get_instance('few_hours', log_file=str(tmp_path / 'log'))
    assert logger
    values(checks_per_day=[5, 1e6], hours_per_day=48)
    text = (tmp_path / 'log').read_text()
    # 3 / (25 / 3600) hours x 48 hours a day; 3 x 48 / 5 hours.
    assert '5 checks a day cannot be told from more' in text
    assert 'up to 2.07e+04 a day' in text
    assert 'test on 28.8 hours or more' in text
    assert '1e+06 checks a day cannot' not in text


def test_video_and_time_come_from_metainfo_or_the_path():
    metric = VideoLevelMetric(frame_seconds=0.5)
    by_path = metric.describe(answered('day1/gate/frame_0012.jpg', 0.5, 0))
    assert by_path == dict(video='day1/gate', stream=None, time=6.0)
    by_meta = metric.describe(answered('x.jpg', 0.5, 0, video_id=3, frame_id=8, stream='gate'))
    assert by_meta == dict(video='3', stream='gate', time=4.0)
    assert metric.describe(answered('x.jpg', 0.5, 0, time=2.25))['time'] == 2.25
    with pytest.raises(ValueError, match='position of frame cam/x.jpg in its video is not known'):
        metric.describe(answered('cam/x.jpg', 0.5, 0))


def test_videos_of_one_kind_have_the_values_that_there_are():
    negatives = [frame for frame in FRAMES if not frame[2]]
    got = values(negatives)
    assert not [name for name in got if 'recall' in name]
    assert got['video/false_alarms_per_1k_videos'] == 500
    positives = [frame for frame in FRAMES if frame[0][:6] in ('cam1/c', 'cam1/d')]
    assert 'video/false_alarms_per_1k_videos' not in values(positives)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(max_gap=-1), 'max_gap of at least 0'),
        (dict(recall=1.5), 'recall must be above 0'),
        (dict(pattern='(?P<camera>x)'), 'must name some of the groups video, frame, stream'),
        (dict(pattern='('), 'is no regular expression'),
        (dict(checks_per_day=0), 'checks_per_day must be above 0'),
    ],
)
def test_wrong_options_are_explained(options, message):
    with pytest.raises(ValueError, match=message):
        values(**options)


def test_tables_with_mistakes_are_refused(tmp_path):
    def read(text):
        (tmp_path / 'frames.csv').write_text(text)
        return read_videos(tmp_path / 'frames.csv')

    with pytest.raises(ValueError, match='no column time, score'):
        read('video,has_target\n')
    with pytest.raises(ValueError, match="line 3: score must be a number, got 'high'"):
        read('video,time,score\na,0,.5\na,1,high\n')
    with pytest.raises(ValueError, match='has_target must be 1 or 0'):
        read('video,time,score,has_target\na,0,.5,yes\n')
    with pytest.raises(ValueError, match='video a is of two streams'):
        read('video,time,score,stream\na,0,.5,x\na,1,.5,y\n')
    with pytest.raises(FileNotFoundError):
        read_videos(tmp_path / 'none.csv')
    (video,) = read('video,time,score\na,2,.5\na,0,.25\n')
    np.testing.assert_array_equal(video.scores, [0.25, 0.5])
    assert video.seconds == 4
