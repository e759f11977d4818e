"""A pool of negatives from folders of videos."""

import json
import multiprocessing
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger

from mmpolar.datasets import VideoFolderDataset, frame_cache
from mmpolar.registry import DATASETS

FPS, SIZE = 10, (64, 48)


def write_video(path, num_frames, level=0):
    """Frame i has the grey value ``level + 4 * i``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), FPS, SIZE)
    for number in range(num_frames):
        writer.write(np.full((*SIZE[::-1], 3), level + 4 * number, np.uint8))
    writer.release()
    return path


@pytest.fixture
def videos(tmp_path):
    write_video(tmp_path / 'videos/cam1/a.avi', 30)
    write_video(tmp_path / 'videos/cam1/b.avi', 12)
    write_video(tmp_path / 'videos/cam2/c.avi', 25)
    return tmp_path / 'videos'


def infos(dataset):
    return [dataset.get_data_info(index) for index in range(len(dataset))]


def numbers(dataset):
    """Numbers of the frames of each video."""
    found = {}
    for info in infos(dataset):
        found.setdefault(Path(info['video']).name, []).append(info['frame'])
    return found


@pytest.fixture
def decoded(monkeypatch):
    """Names of the videos that are decoded."""
    names, read = [], frame_cache.iter_timed_frames

    def noted(path):
        names.append(path.name)
        return read(path)

    monkeypatch.setattr(frame_cache, 'iter_timed_frames', noted)
    return names


def test_frames_are_sampled_by_rate_and_have_group_video_and_time(videos):
    dataset = VideoFolderDataset(str(videos), rate=2)
    assert numbers(dataset) == {
        'a.avi': [0, 5, 10, 15, 20, 25],
        'b.avi': [0, 5, 10],
        'c.avi': [0, 5, 10, 15, 20],
    }
    info = infos(dataset)[2]
    assert (info['group'], info['frame'], info['seconds']) == ('cam1', 10, 1.0)
    assert info['video'] == str(videos / 'cam1/a.avi')
    assert info['img_id'] == 'cam1/a.avi#10'
    assert info['instances'] == []
    assert abs(cv2.imread(info['img_path']).mean() - 40) < 3


def test_a_config_reads_the_frames_as_it_does_images(videos, tmp_path):
    dataset = DATASETS.build(
        dict(
            type='VideoFolderDataset',
            data_root=str(videos),
            data_prefix=dict(img=['cam2', 'cam1']),
            group=dict(pattern=r'(?P<camera>cam\d)'),
            max_side=32,
            cache_dir=str(tmp_path / 'cache'),
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='mmdet.LoadAnnotations', with_bbox=True),
            ],
        )
    )
    assert list(numbers(dataset)) == ['c.avi', 'a.avi', 'b.avi']
    assert dataset.group_rule.kind == 'camera'
    assert dataset[0]['img'].shape == (24, 32, 3)
    assert len(dataset[0]['gt_bboxes']) == 0
    assert not (videos / '.mmpolar_frames').exists()


def test_each_video_is_decoded_once_and_again_when_it_has_changed(videos, decoded):
    first = infos(VideoFolderDataset(str(videos), rate=2))
    assert sorted(decoded) == ['a.avi', 'b.avi', 'c.avi']
    decoded.clear()
    assert infos(VideoFolderDataset(str(videos), rate=2)) == first
    assert decoded == []
    write_video(videos / 'cam2/c.avi', 11, level=100)
    write_video(videos / 'cam3/new.avi', 6)
    assert numbers(VideoFolderDataset(str(videos), rate=2))['c.avi'] == [0, 5, 10]
    assert sorted(decoded) == ['c.avi', 'new.avi']
    # What was known keeps its name, which picks and decisions go by.
    known = {info['img_path'] for info in infos(VideoFolderDataset(str(videos), rate=2))}
    assert {info['img_path'] for info in first if 'c.avi' not in info['img_path']} <= known
    assert len(list(videos.rglob('cam2/c.avi/*.jpg'))) == 3


def test_an_interrupted_run_goes_on_with_the_next_video(videos, decoded, monkeypatch):
    read = frame_cache.iter_timed_frames

    def stopped_in_b(path):
        for number, frame in enumerate(read(path)):
            if path.name == 'b.avi' and number == 7:
                raise KeyboardInterrupt
            yield frame

    with monkeypatch.context() as patch:
        patch.setattr(frame_cache, 'iter_timed_frames', stopped_in_b)
        with pytest.raises(KeyboardInterrupt):
            VideoFolderDataset(str(videos), rate=2, num_threads=1)
    decoded.clear()
    dataset = VideoFolderDataset(str(videos), rate=2, num_threads=1)
    assert 'a.avi' not in decoded
    assert 'b.avi' in decoded
    whole = VideoFolderDataset(str(videos), rate=2, cache_dir=str(videos / 'other'))
    assert numbers(dataset) == numbers(whole)


@pytest.fixture
def log(caplog, monkeypatch):
    monkeypatch.setattr(MMLogger.get_current_instance(), 'handlers', [caplog.handler])
    return caplog


@pytest.mark.filterwarnings('ignore:.* ends early')
def test_damaged_videos_are_named_and_left_out(videos, log):
    (videos / 'cam2/none.mp4').write_bytes(b'no video at all')
    (videos / 'cam2/empty.mkv').write_bytes(b'')
    whole = (videos / 'cam1/a.avi').read_bytes()
    (videos / 'cam1/cut.avi').write_bytes(whole[: len(whole) * 2 // 3])
    for _ in range(2):  # the second time from the cache
        log.clear()
        dataset = VideoFolderDataset(str(videos), rate=2)
        found = numbers(dataset)
        assert set(found) - {'cut.avi'} == {'a.avi', 'b.avi', 'c.avi'}
        (message,) = [r.getMessage() for r in log.records if 'damaged' in r.getMessage()]
        assert 'cam2/none.mp4 (' in message
        assert 'cam2/empty.mkv (' in message
    for name in ('none.mp4', 'empty.mkv'):
        (videos / 'broken').mkdir(exist_ok=True)
        shutil.copy(videos / 'cam2' / name, videos / 'broken')
    with pytest.raises(ValueError, match='none of 2 videos'):
        VideoFolderDataset(str(videos / 'broken'))


def test_the_budget_is_kept_by_dropping_every_second_frame_of_all(videos, log):
    whole = VideoFolderDataset(str(videos), rate=10, cache_dir=str(videos / 'whole'))
    sizes = {info['img_id']: Path(info['img_path']).stat().st_size for info in infos(whole)}

    def kept(step):
        return [name for name in sizes if int(name.split('#')[1]) % step == 0]

    budget = sum(sizes[name] for name in kept(4))
    found = []
    for threads in (1, 3):
        dataset = VideoFolderDataset(
            str(videos),
            rate=10,
            cache_dir=str(videos / f'threads{threads}'),
            cache_bytes=budget,
            num_threads=threads,
        )
        found.append([info['img_id'] for info in infos(dataset)])
        files = list((videos / f'threads{threads}').rglob('*.jpg'))
        assert sum(path.stat().st_size for path in files) == budget
    assert found == [kept(4)] * 2
    assert 'one of 4 frames that are sampled, 2.5 a second' in log.text
    with pytest.raises(ValueError, match='the first frames of .* raise it'):
        VideoFolderDataset(str(videos), cache_dir=str(videos / 'less'), cache_bytes=100)


def test_a_stop_while_frames_are_dropped_is_made_up_for(videos):
    dataset = VideoFolderDataset(str(videos), rate=10)
    index = next(videos.glob('.mmpolar_frames/*')) / 'index.json'
    index.write_text(json.dumps(dict(step=2)))  # written before the first frame is dropped
    again = VideoFolderDataset(str(videos), rate=10)
    assert len(dataset) > len(again) == len(list(videos.rglob('*.jpg')))


def build(root, queue):
    queue.put(len(VideoFolderDataset(root, rate=5)))


def test_processes_share_one_cache(videos):
    context = multiprocessing.get_context('fork')
    queue = context.Queue()
    processes = [context.Process(target=build, args=(str(videos), queue)) for _ in range(3)]
    for process in processes:
        process.start()
    assert {queue.get(timeout=60) for _ in processes} == {15 + 6 + 13}
    for process in processes:
        process.join()


@pytest.mark.parametrize(
    'options', [dict(rate=0), dict(quality=101), dict(max_side=0), dict(cache_bytes=0)]
)
def test_options_out_of_range_are_refused(videos, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        VideoFolderDataset(str(videos), **options)
