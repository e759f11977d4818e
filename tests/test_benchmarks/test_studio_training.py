"""Scenes of four videos, and their labels, for what training on three brings on the fourth."""

import cv2
import numpy as np
import pytest

from benchmarks.studio_training import LabelledVideo, label, parse_args, videos_of
from mmpolar.studio.project import Project
from mmpolar.studio.store import ABSENT, MASK
from mmpolar.utils.mask_file import encode_mask

SIZE = (48, 64)


@pytest.fixture
def root(tmp_path):
    """Clips ``a`` and ``b`` of nine frames, whose grey value is their number."""
    for name in 'ab':
        images, masks = (tmp_path / part / name for part in ('JPEGImages/480p', 'Annotations/480p'))
        for number in range(9):
            for folder in (images, masks):
                folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(images / f'{number:05d}.png'), np.full((*SIZE, 3), number, np.uint8))
            ids = np.zeros(SIZE, np.uint8)
            ids[:9, :9], ids[20:, 20:] = 255, 1 + number % 2
            (masks / f'{number:05d}.png').write_bytes(encode_mask(ids))
    return tmp_path


def read(root, scene, *options):
    args = parse_args(['--data', str(root), *options])
    return [
        (video.name, [int(frame[0, 0, 0]) for frame in video.frames])
        for video in videos_of(scene, args)
    ]


def test_clips_of_a_dataset_are_read_up_to_the_wanted_frames(root):
    assert read(root, 'a,b', '--frames', '2') == [('a', [0, 1]), ('b', [0, 1])]


def test_quarters_of_a_clip_share_no_frame(root):
    parts = read(root, 'a')
    assert [name for name, _ in parts] == ['part-0', 'part-1', 'part-2', 'part-3']
    assert [frame for _, frames in parts for frame in frames] == list(range(9))


def test_takes_of_a_generated_scene_differ():
    videos = list(videos_of('flower-on-grass', parse_args(['--frames', '2'])))
    assert [video.name for video in videos] == [f'take-{take}' for take in range(4)]
    videos += videos_of('flower-on-grass', parse_args(['--frames', '2', '--seed', '1']))
    assert len({video.frames[0].tobytes() for video in videos}) == 8
    assert all(ids.any() for video in videos for ids in video.ids)


def test_each_value_is_a_target_labelled_once_in_every_frame(tmp_path):
    ids = [np.zeros(SIZE, np.uint8) for _ in range(3)]
    ids[0][5:20, 5:20], ids[2][5:20, 5:20], ids[2][30:, 30:] = 1, 1, 2
    video = LabelledVideo('clip', [np.zeros((*SIZE, 3), np.uint8)] * 3, ids)
    (tmp_path / 'project').mkdir()
    project = Project(tmp_path / 'project')
    for _ in range(2):
        assert label(project, video) == 'clip'
    clip = project.open_clip('clip')
    targets = [target.id for target in project.store.targets(clip.id)]
    assert len(targets) == 2
    labels = {(one.target, one.frame): one for one in project.store.labels(clip.id)}
    kinds = [[labels[target, frame].kind for frame in range(3)] for target in targets]
    assert kinds == [[MASK, ABSENT, MASK], [ABSENT, ABSENT, MASK]]
    np.testing.assert_array_equal(project.mask(clip, labels[targets[1], 2]), ids[2] == 2)
