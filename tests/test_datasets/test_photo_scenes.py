"""Scenes of real things: the mask is where the thing is, and nothing shows beyond a photograph."""

import cv2
import numpy as np
import pytest

from mmpolar.datasets import DavisDataset
from mmpolar.datasets.synthetic import PHOTO_SCENES, photo_scene, write_scene
from mmpolar.datasets.synthetic.photo_objects import PHOTO_OBJECTS, read_named_photograph
from mmpolar.structures.polar import mask_to_box

FRAMES = 12
OVER = sorted(name for name in PHOTO_SCENES if name.startswith('camera-over'))
ACROSS = sorted(set(PHOTO_SCENES) - set(OVER))


@pytest.fixture(scope='module')
def scenes():
    return {name: photo_scene(name, FRAMES) for name in PHOTO_SCENES}


@pytest.mark.parametrize('name', PHOTO_OBJECTS)
def test_contours_lie_in_their_photographs(name):
    found = PHOTO_OBJECTS[name]
    height, width = found.read().shape[:2]
    polygon = found.polygon
    assert (polygon >= 0).all()
    assert (polygon < (width, height)).all()
    assert cv2.contourArea(polygon.astype(np.float32)) > 1000


@pytest.mark.parametrize('name', PHOTO_SCENES)
def test_target_is_whole_in_every_frame_and_moves(scenes, name):
    scene = scenes[name]
    boxes = []
    for frame in range(FRAMES):
        image, mask = scene.render(frame)
        assert image.shape == (360, 480, 3)
        assert mask.sum() > 0.02 * mask.size
        assert not np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).any()
        boxes.append(mask_to_box(mask))
    centres = np.array(boxes)[:, :2] + np.array(boxes)[:, 2:]
    assert np.ptp(centres / 2, axis=0).max() > 20


@pytest.mark.parametrize('name', PHOTO_SCENES)
def test_scene_is_always_the_same(scenes, name):
    again = photo_scene(name, FRAMES).render(3)
    for got, expected in zip(again, scenes[name].render(3), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize('name', OVER)
def test_filmed_thing_stays_in_its_place_in_the_photograph(scenes, name):
    scene = scenes[name]
    for frame in (0, FRAMES - 1):
        with_target, coverage = scene.compose(frame)
        alone = scene.compose(frame, hide=(0,))[0]
        assert np.abs(with_target - alone)[coverage > 0].mean() < 3


@pytest.mark.parametrize('name', OVER)
def test_camera_shows_nothing_beyond_the_photograph(scenes, name):
    camera, size = scenes[name].camera, scenes[name].size
    height, width = camera.canvas.shape[:2]
    corners = np.array([(0, 0), (size[0] - 1, 0), (0, size[1] - 1), (size[0] - 1, size[1] - 1)])
    for frame in range(FRAMES):
        matrix = camera.matrix(frame, size)
        seen = corners @ matrix[:, :2].T + matrix[:, 2]
        assert (seen >= -1).all()
        assert (seen <= (width, height)).all()


@pytest.mark.parametrize('name', ACROSS)
def test_cut_out_shows_its_own_pixels_and_none_around_it(scenes, name):
    scene = scenes[name]
    image, coverage = scene.compose(0)
    background = scene.compose(0, hide=(0,))[0]
    np.testing.assert_array_equal(image[coverage == 0], background[coverage == 0])
    assert np.abs(image - background)[coverage > 0.99].mean() > 15


def test_names_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="no scene 'x'; there are camera-over"):
        photo_scene('x')
    with pytest.raises(FileNotFoundError, match='pip install scikit-image'):
        read_named_photograph('x')


def test_written_scene_is_a_sequence_of_davis(scenes, tmp_path):
    name = ACROSS[0]
    for _ in range(2):
        write_scene(scenes[name], tmp_path, name)
    dataset = DavisDataset(data_root=str(tmp_path), test_mode=True)
    assert dataset.get_track(0).video_name == name
    assert len(dataset) == FRAMES
    mask = dataset.load_target(0, 5).mask
    np.testing.assert_array_equal(mask, scenes[name].render(5)[1])
    assert not list(tmp_path.glob('.partial*'))


def test_another_take_has_the_same_things_and_other_motion():
    first, other = (photo_scene('flower-on-grass', FRAMES, take=take) for take in (0, 1))
    np.testing.assert_array_equal(first.camera.canvas, other.camera.canvas)
    np.testing.assert_array_equal(
        first.sprites[0].layers[0].texture, other.sprites[0].layers[0].texture
    )
    assert not np.allclose(first.sprites[0].centre, other.sprites[0].centre)
    again = photo_scene('flower-on-grass', FRAMES, take=1)
    np.testing.assert_array_equal(other.sprites[0].centre, again.sprites[0].centre)
