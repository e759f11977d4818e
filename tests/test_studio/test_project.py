"""What a project reads and writes lies in its folder, whatever links and entries lead elsewhere."""

import shutil
import sqlite3

import cv2
import numpy as np
import pytest

from mmpolar.datasets.video_folder_dataset import VideoFolderDataset
from mmpolar.studio.project import Project
from mmpolar.studio.store import MASK
from mmpolar.utils.video import iter_frames

MASK_OF_ALL = np.ones((120, 160), np.uint8)


def save_mask(project, clip, target):
    return project.save_mask(clip, target, 0, MASK_OF_ALL, flush=False)


def test_videos_are_those_of_the_dataset_of_video_folders(folder):
    for suffix in VideoFolderDataset.SUFFIXES:
        shutil.copy(folder / 'car.mp4', folder / f'a{suffix.upper()}')
    names = Project(folder).clip_names()
    assert names == sorted(['car.mp4', *(f'a{s.upper()}' for s in VideoFolderDataset.SUFFIXES)])


def test_images_that_are_links_out_of_the_project_are_refused(tmp_path, project):
    secret = tmp_path / 'secret.png'
    cv2.imwrite(str(secret), MASK_OF_ALL)
    clip = project.folder / 'images'
    clip.mkdir()
    (clip / '0.png').symlink_to(secret)
    with pytest.raises(ValueError, match='leads out of the project'):
        project.open_clip('images')


def test_a_clip_that_is_read_stays_open_while_others_are_opened(folder, project):
    source = project.frames(project.open_clip('car.mp4').id)
    for name in ('bus.mp4', 'van.mp4', 'bike.mp4'):
        shutil.copy(folder / 'car.mp4', folder / name)
        project.open_clip(name)
    frames = list(iter_frames(folder / 'car.mp4'))
    for number in (11, 0):
        np.testing.assert_allclose(source.read(number).astype(int), frames[number], atol=2)


@pytest.mark.parametrize(
    ('place', 'use'),
    [
        ('project.db', lambda project: None),
        ('masks', lambda project: save_mask(project, project.open_clip('car.mp4'), 1)),
        ('models', lambda project: project.model_folder('mine')),
        ('training', lambda project: project.own_path('training', 'mine')),
    ],
)
def test_links_out_of_the_own_folder_are_refused(tmp_path, folder, place, use):
    (tmp_path / 'elsewhere' / 'mine').mkdir(parents=True)
    (tmp_path / 'elsewhere/mine/model.json').touch()
    own = folder / 'mmpolar-studio'
    own.mkdir()
    (own / place).symlink_to(tmp_path / 'elsewhere')
    with pytest.raises(ValueError, match='leads out of the project'):
        use(Project(folder))
    assert [path.name for path in (tmp_path / 'elsewhere').iterdir()] == ['mine']


def test_a_mask_that_the_database_names_outside_is_not_read(tmp_path, project):
    cv2.imwrite(str(tmp_path / 'secret.png'), MASK_OF_ALL)
    clip = project.open_clip('car.mp4')
    target = project.store.add_target(clip.id, 'car', '#ff8800').id
    file = save_mask(project, clip, target)
    project.store.put_hand(target, [0], MASK, file, 0, 'mark')
    with sqlite3.connect(project.own / 'project.db') as database:
        database.execute('UPDATE labels SET mask=?', ('../../secret.png',))
    with pytest.raises(ValueError, match='cannot name a file'):
        project.mask(clip, project.store.current(target, 0))
