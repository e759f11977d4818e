"""Synthetic videos: photographs, shapes, exact masks, what happens in them, and the files."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from scripts import load_script

from mmpolar.datasets.synthetic import (
    Camera,
    Layer,
    Light,
    Scene,
    Sprite,
    generate_dataset,
    make_scene,
    photographs,
    sample_photographs,
)
from mmpolar.datasets.synthetic.photographs import Photograph, find_photographs
from mmpolar.datasets.synthetic.random_curves import (
    curve_through,
    knot_count,
    knot_period,
    random_curve,
)
from mmpolar.datasets.synthetic.random_shapes import random_shape, shape_radius
from mmpolar.utils.image import read_image, read_mask

SIZE = (160, 120)
FRAMES = 12
TINY = dict(num_train=2, num_val=1, frames=3, size=(128, 96), seed=3, progress=False)
TOOL = Path(__file__).parents[2] / 'tools' / 'dataset_converters' / 'make_synthetic.py'


# --- photographs -----------------------------------------------------------------------------


def test_sample_photographs_are_large_bgr_images_in_a_fixed_order():
    samples = sample_photographs()
    names = [name for name, _ in samples]
    assert len(names) == len(set(names)) >= 10
    assert {'astronaut', 'china', 'flower'} <= set(names)
    for _, image in samples:
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert image.shape[2] == 3
        assert min(image.shape[:2]) >= 200
    assert names == [name for name, _ in sample_photographs()]


def test_sample_photographs_are_bgr():
    """The astronaut's suit is orange: more red than blue."""
    suit = dict(sample_photographs())['astronaut'][300:400, 150:300].reshape(-1, 3).mean(0)
    assert suit[2] > suit[0] + 50


def test_validation_photographs_are_not_those_of_training():
    training = {photo.name for photo in find_photographs(held_out=False)}
    validation = {photo.name for photo in find_photographs(held_out=True)}
    assert len(validation) >= 3
    assert not training & validation
    assert training | validation == {name for name, _ in sample_photographs()}


def test_missing_packages_are_skipped_and_none_at_all_is_an_error(monkeypatch):
    absent = Photograph('no_such_package_here', 'data/x.png')
    no_file = Photograph('skimage', 'data/no_such_file.png')
    present = Photograph('skimage', 'data/astronaut.png')
    monkeypatch.setattr(photographs, '_PHOTOGRAPHS', (absent, no_file, present))
    assert [name for name, _ in sample_photographs()] == ['astronaut']
    with pytest.raises(
        FileNotFoundError, match='validation.*pip install scikit-image scikit-learn'
    ):
        find_photographs(held_out=True)
    monkeypatch.setattr(photographs, '_PHOTOGRAPHS', (absent, no_file))
    with pytest.raises(FileNotFoundError, match='pip install scikit-image scikit-learn'):
        sample_photographs()


# --- curves and shapes ---------------------------------------------------------------------


def test_curve_passes_through_its_knots_and_reproduces_a_line():
    frames = 25
    assert knot_period(frames) == 8
    knots = np.random.default_rng(0).normal(size=(knot_count(frames), 2))
    np.testing.assert_allclose(curve_through(knots, frames)[::8], knots, atol=1e-12)
    line = np.arange(4.0) * 8
    np.testing.assert_allclose(curve_through(line, frames), np.arange(frames), atol=1e-12)


@pytest.mark.parametrize('frames', [2, 3, 7, 24, 100])
def test_random_curve_is_smooth_for_any_length(frames):
    curve = random_curve(np.random.default_rng(1), frames, (50,))
    assert curve.shape == (frames, 50)
    assert np.abs(curve).max() < 1.6
    if frames >= 24:
        assert np.abs(np.diff(curve, axis=0)).max() < 0.45


def _silhouette(parts: list[np.ndarray], frame: int, scale: float = 60) -> np.ndarray:
    half = int(np.ceil(shape_radius(parts) * scale)) + 2
    canvas = np.zeros((2 * half + 1, 2 * half + 1), np.uint8)
    for part in parts:
        for polygon in part[frame]:
            cv2.fillPoly(canvas, [np.rint(polygon * scale + half).astype(np.int32)], 1)
    return canvas


def test_shapes_have_unit_area_their_centre_in_the_origin_and_all_kinds_of_shape():
    rng = np.random.default_rng(0)
    solidity, part_counts = [], set()
    for _ in range(60):
        parts = random_shape(rng, FRAMES)
        canvas = _silhouette(parts, 0)
        moments = cv2.moments(canvas, binaryImage=True)
        centre = np.array([moments['m10'], moments['m01']]) / moments['m00'] - len(canvas) // 2
        assert moments['m00'] / 60**2 == pytest.approx(1, abs=0.06)
        assert np.abs(centre).max() < 1.5
        hull = cv2.convexHull(cv2.findNonZero(canvas))
        solidity.append(moments['m00'] / cv2.contourArea(hull))
        part_counts.add(len(parts))
    assert min(solidity) < 0.55  # letters, horseshoes
    assert max(solidity) > 0.95  # nearly convex
    assert part_counts == {1, 3}  # single and articulated


def test_shapes_deform_smoothly():
    rng = np.random.default_rng(5)
    steps, changes = [], []
    for _ in range(30):
        parts = random_shape(rng, 24)
        moves = np.concatenate([np.diff(part, axis=0).ravel() for part in parts])
        steps.append(np.abs(moves).max())
        changes.append(np.mean(_silhouette(parts, 0, 30) != _silhouette(parts, 12, 30)))
    assert max(steps) < 0.35
    assert np.mean(np.array(changes) > 0.005) > 0.5


# --- exact masks -----------------------------------------------------------------------------


def _square(centre: np.ndarray, side: float, colour: int, **kwargs) -> Sprite:
    """A square of one colour; ``centre`` is (F, 2)."""
    frames = len(centre)
    corners = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
    polygons = np.broadcast_to(corners, (frames, 1, 4, 2))
    texture = np.full((32, 32, 3), colour, np.uint8)
    pose = dict(angle=np.zeros(frames), scale=np.full((frames, 2), side)) | kwargs
    return Sprite([Layer(polygons, texture, 0.8, 0.0)], centre, **pose)


def _plain_scene(sprites: list[Sprite], target: int = 0, size: tuple[int, int] = (64, 48)) -> Scene:
    """The sprites on a random still background, evenly lit."""
    frames = len(sprites[0].centre)
    canvas = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    middle = (np.array(size) - 1) / 2
    camera = Camera(canvas, np.tile(middle, (frames, 1)), np.ones(frames), np.zeros(frames))
    light = Light(np.ones((frames, 3)), np.zeros(frames), np.array([1.0, 0.0]), 0.0, 0.0)
    return Scene(size, camera, sprites, target, light)


def test_mask_is_the_pixels_whose_squares_the_contour_covers():
    centre = np.array([[19.5, 24.5]])  # spans x in [9.5, 29.5], y in [14.5, 34.5]
    scene = _plain_scene([_square(centre, 20, 200)])
    image, mask = scene.render(0)
    expected = np.zeros((48, 64), np.uint8)
    expected[15:35, 10:30] = 1
    np.testing.assert_array_equal(mask, expected)
    assert (image[mask == 1] == 200).all()
    untouched = cv2.dilate(mask, np.ones((3, 3), np.uint8)) == 0
    np.testing.assert_array_equal(image[untouched], scene.camera.canvas[untouched])


@pytest.mark.parametrize('shutter', [0.0, 0.5])
@pytest.mark.parametrize('angle', [0.0, 0.4])
def test_coverage_is_exactly_the_share_of_the_targets_colour(shutter, angle):
    centre = np.array([[20.3, 20.0], [27.8, 23.6], [36.0, 27.1]])
    square = _square(centre, 18.7, 240, angle=np.full(3, angle), shutter=shutter)
    scene = _plain_scene([square])
    for frame in range(3):
        image, coverage = scene.compose(frame)
        without, nothing = scene.compose(frame, hide=(0,))
        assert not nothing.any()
        blended = without * (1 - coverage[..., None]) + 240 * coverage[..., None]
        np.testing.assert_allclose(image, blended, atol=1e-2)
        np.testing.assert_array_equal(scene.render(frame)[1], coverage >= 0.5)
        assert coverage.sum() == pytest.approx(18.7**2, rel=0.04)


def test_motion_blur_leaves_the_mask_where_the_thing_is():
    centre = np.stack([np.linspace(20.5, 44.5, 5), np.full(5, 24.5)], axis=-1)
    sharp = _plain_scene([_square(centre, 20, 255)])
    blurred = _plain_scene([_square(centre, 20, 255, shutter=0.7)])
    np.testing.assert_array_equal(blurred.render(2)[1], sharp.render(2)[1])
    assert np.count_nonzero((blurred.compose(2)[1] % 1) > 0.01) > 80


def test_what_lies_in_front_is_cut_out_of_the_mask_and_what_lies_behind_is_not():
    here, aside = np.array([[24.5, 24.5]]), np.array([[34.5, 24.5]])
    target, other = _square(here, 20, 250), _square(aside, 20, 10)
    in_front = _plain_scene([target, other])
    behind = _plain_scene([other, target], target=1)
    alone = _plain_scene([other])
    full = in_front.full_mask(0)
    assert full.sum() == 400
    np.testing.assert_array_equal(behind.render(0)[1], full)
    np.testing.assert_array_equal(in_front.render(0)[1], full & (1 - alone.full_mask(0)))


def test_target_made_of_parts_is_covered_by_their_union():
    centre = np.array([[24.0, 24.0]])
    left, right = _square(centre, 20, 90), _square(centre, 20, 160)
    right.layers[0].polygons = right.layers[0].polygons + np.array([0.5, 0])
    both = _plain_scene([Sprite(left.layers + right.layers, centre, left.angle, left.scale)])
    union = _plain_scene([left]).full_mask(0) | _plain_scene([right]).full_mask(0)
    np.testing.assert_array_equal(both.full_mask(0), union)


def test_random_scenes_show_the_target_exactly_where_the_mask_is():
    seen = []
    for index in range(6):
        scene = make_scene(0, 'train', index, FRAMES, SIZE)
        for frame in (0, FRAMES // 2):
            image, coverage = scene.compose(frame)
            without = scene.compose(frame, hide=(scene.target,))[0]
            difference = np.abs(image - without).max(axis=-1)
            assert not difference[coverage == 0].any()
            seen.append((difference > 5)[coverage >= 0.5])
    assert np.concatenate(seen).mean() > 0.95


# --- what happens in the sequences -----------------------------------------------------------


def test_target_starts_whole_and_later_is_hidden_or_leaves_in_some_sequences():
    hidden, left_and_back = 0, 0
    for index in range(24):
        scene = make_scene(1, 'train', index, FRAMES, SIZE, difficulty=1.0)
        areas, hidden_share = [], []
        for frame in range(len(scene)):
            visible, full = scene.compose(frame)[1] >= 0.5, scene.full_mask(frame)
            assert not (visible & (full == 0)).any()
            areas.append(full.sum())
            hidden_share.append(1 - visible.sum() / max(full.sum(), 1))
        assert areas[0] >= 400
        assert hidden_share[0] == 0
        border = scene.full_mask(0)
        assert not border[[0, -1]].any()
        assert not border[:, [0, -1]].any()
        hidden += max(share for share, area in zip(hidden_share, areas, strict=True) if area) > 0.3
        gone = [frame for frame, area in enumerate(areas) if area == 0]
        left_and_back += bool(gone) and any(areas[gone[-1] :])
    assert hidden >= 5
    assert left_and_back >= 2


def test_an_easy_target_is_alone_and_stays():
    for index in range(8):
        scene = make_scene(1, 'train', index, FRAMES, SIZE, difficulty=0.0)
        assert len(scene.sprites) == 1
        for frame in range(len(scene)):
            coverage = scene.compose(frame)[1]
            np.testing.assert_array_equal(coverage >= 0.5, scene.full_mask(frame) > 0)
            assert (coverage >= 0.5).any()


def test_scenes_move_change_light_and_differ():
    scenes = [make_scene(2, 'train', index, FRAMES, SIZE) for index in range(16)]
    travel = [np.ptp(scene.sprites[scene.target].centre, axis=0).max() for scene in scenes]
    pan = [np.ptp(scene.camera.centre, axis=0).max() for scene in scenes]
    brightness = [np.ptp(scene.light.gain) for scene in scenes]
    assert np.median(travel) > 10
    assert 0 < np.mean(np.array(pan) > 5) < 1
    assert 0 < np.mean(np.array(brightness) > 0.05) < 1
    assert len({scene.camera.canvas.shape for scene in scenes}) > 8
    assert len({len(scene.sprites) for scene in scenes}) >= 4


def test_frames_can_be_rendered_in_any_order():
    scene = make_scene(4, 'train', 0, 5, SIZE)
    forwards = [scene.render(frame) for frame in range(5)]
    again = make_scene(4, 'train', 0, 5, SIZE)
    for frame in reversed(range(5)):
        image, mask = again.render(frame)
        np.testing.assert_array_equal(image, forwards[frame][0])
        np.testing.assert_array_equal(mask, forwards[frame][1])
    other = make_scene(5, 'train', 0, 5, SIZE).render(0)[0]
    assert not np.array_equal(other, forwards[0][0])


# --- files -----------------------------------------------------------------------------------


def _contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob('*'))
        if path.is_file()
    }


@pytest.fixture(scope='module')
def made(tmp_path_factory) -> Path:
    return generate_dataset(tmp_path_factory.mktemp('synthetic'), **TINY)


def test_files_have_the_layout_of_davis(made):
    names = ['train-0000', 'train-0001', 'val-0000']
    assert sorted(p.name for p in (made / 'JPEGImages/480p').iterdir()) == names
    assert sorted(p.name for p in made.iterdir()) == [
        'Annotations',
        'ImageSets',
        'JPEGImages',
        'manifest.json',
    ]
    for name in names:
        for frame in range(3):
            image = read_image(made / f'JPEGImages/480p/{name}/{frame:05d}.jpg')
            mask = read_mask(made / f'Annotations/480p/{name}/{frame:05d}.png')
            assert image.shape == (96, 128, 3)
            assert mask.shape == (96, 128)
            assert set(np.unique(mask)) <= {0, 1}
    assert (made / 'ImageSets/2017/train.txt').read_text().split() == names[:2]
    assert (made / 'ImageSets/2017/val.txt').read_text().split() == names[2:]
    pairs = (made / 'ImageSets/2016/train.txt').read_text().splitlines()
    assert len(pairs) == 6
    assert all((made / path.lstrip('/')).is_file() for pair in pairs for path in pair.split())


def test_files_hold_what_the_scene_renders(made):
    scene = make_scene(3, 'train', 1, 3, (128, 96))
    image, mask = scene.render(2)
    np.testing.assert_array_equal(read_mask(made / 'Annotations/480p/train-0001/00002.png'), mask)
    stored = read_image(made / 'JPEGImages/480p/train-0001/00002.jpg')
    assert np.abs(stored.astype(int) - image).mean() < 12


def test_a_sequence_depends_on_neither_the_others_nor_the_process(made, tmp_path):
    alone = generate_dataset(tmp_path / 'alone', **(TINY | dict(num_train=1, num_val=0)))
    shared = generate_dataset(tmp_path / 'shared', **TINY, workers=1)
    full = _contents(made)
    assert _contents(shared) == full
    frames = {path: data for path, data in _contents(alone).items() if 'train-0000/' in path}
    assert len(frames) == 6
    assert all(full[path] == data for path, data in frames.items())


def test_an_interrupted_run_is_finished_and_what_is_complete_is_kept(made, tmp_path):
    root = generate_dataset(tmp_path / 'set', **(TINY | dict(num_train=1)))
    kept = root / 'JPEGImages/480p/val-0000/00000.jpg'
    stamp = kept.stat().st_mtime_ns
    (root / 'Annotations/480p/train-0000/00001.png').unlink()
    stale, fresh = root / '.partial-train-0001-old', root / '.partial-train-0001-new'
    for folder in (stale, fresh):
        (folder / 'images').mkdir(parents=True)
    os.utime(stale, (0, 0))

    generate_dataset(root, **TINY)
    assert not stale.exists()
    assert fresh.exists()
    fresh.joinpath('images').rmdir()
    fresh.rmdir()
    assert kept.stat().st_mtime_ns == stamp
    assert _contents(root) == _contents(made)


def test_a_failed_sequence_leaves_nothing_half_written(tmp_path, monkeypatch):
    def fail(self, frame):
        raise OSError('disk full')

    with monkeypatch.context() as patch:
        patch.setattr(Scene, 'render', fail)
        with pytest.raises(OSError, match='disk full'):
            generate_dataset(tmp_path, **TINY)
    assert [path.name for path in tmp_path.iterdir()] == ['manifest.json']


def test_fewer_sequences_keep_the_lists_and_more_extend_them(tmp_path):
    small = dict(frames=2, size=(96, 72), progress=False, num_val=0)
    generate_dataset(tmp_path, num_train=2, **small)
    generate_dataset(tmp_path, num_train=1, **small)
    lists = tmp_path / 'ImageSets' / '2017'
    assert (lists / 'train.txt').read_text().split() == ['train-0000', 'train-0001']
    assert not (lists / 'val.txt').exists()
    generate_dataset(tmp_path, num_train=3, **small)
    assert len((lists / 'train.txt').read_text().split()) == 3


def test_a_complete_set_can_be_used_without_the_photographs(made, monkeypatch):
    monkeypatch.setattr(photographs, '_PHOTOGRAPHS', (Photograph('no_such_package', 'x.png'),))
    before = _contents(made)
    generate_dataset(made, **TINY)
    assert _contents(made) == before
    with pytest.raises(FileNotFoundError, match='pip install'):
        generate_dataset(made, **(TINY | dict(num_train=3)))


def test_other_photographs_are_refused_when_something_must_be_made(made, monkeypatch):
    fewer = tuple(photo for photo in photographs._PHOTOGRAPHS if photo.package == 'skimage')
    monkeypatch.setattr(photographs, '_PHOTOGRAPHS', fewer)
    with pytest.raises(ValueError, match='photographs is .*astronaut.*choose another folder'):
        generate_dataset(made, **(TINY | dict(num_train=3)))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(seed=4), 'seed is 3 there but 4 is asked for'),
        (dict(difficulty=0.75), 'difficulty is 0.5 there but 0.75 is asked for'),
        (dict(frames=5), 'frames is 3 there but 5 is asked for'),
        (dict(size=(96, 128)), r'size is \[128, 96\] there but \[96, 128\]'),
    ],
)
def test_other_parameters_in_the_same_folder_are_refused(made, change, message):
    with pytest.raises(ValueError, match=f'{message}.*choose another folder, or delete'):
        generate_dataset(made, **(TINY | change))


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / 'JPEGImages' / '480p' / 'bear').mkdir(parents=True)
    with pytest.raises(ValueError, match='no folder of synthetic sequences; choose another'):
        generate_dataset(tmp_path, **TINY)
    assert [path.name for path in tmp_path.iterdir()] == ['JPEGImages']


@pytest.mark.parametrize('text', ['{"seed": 3', '[1, 2]', ''])
def test_a_damaged_manifest_is_named(tmp_path, text):
    (tmp_path / 'manifest.json').write_text(text)
    with pytest.raises(ValueError, match=r'manifest\.json is no manifest.*delete'):
        generate_dataset(tmp_path, **TINY)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(num_train=-1), 'num_train must not be negative, got -1'),
        (dict(num_train=0, num_val=0), 'both 0'),
        (dict(frames=1), 'frames must be at least 2, got 1'),
        (dict(size=(320, 40)), r'at least 64 px each, got \(320, 40\)'),
        (dict(seed=-1), 'seed must not be negative'),
        (dict(workers=-2), 'workers must not be negative'),
        (dict(difficulty=1.5), r'difficulty must lie in \[0, 1\], got 1.5'),
    ],
)
def test_arguments_out_of_range_are_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        generate_dataset(tmp_path / 'set', **(TINY | change))
    assert not (tmp_path / 'set').exists()


# --- command line ----------------------------------------------------------------------------


@pytest.fixture(scope='module')
def tool():
    return load_script(TOOL)


def test_command_writes_a_set_and_a_contact_sheet(tool, tmp_path, capsys):
    options = ['--train', '1', '--val', '1', '--frames', '2', '--size', '96x72', '--seed', '7']
    sheet = tmp_path / 'images' / 'sheet.png'
    tool.main(['--out', str(tmp_path / 'set'), *options, '--preview', str(sheet)])
    manifest = json.loads((tmp_path / 'set' / 'manifest.json').read_text())
    assert (manifest['seed'], manifest['frames'], manifest['size']) == (7, 2, [96, 72])
    assert read_image(sheet).shape == (2 * 180, 6 * 240, 3)
    assert '1 training and 1 validation videos' in capsys.readouterr().out


def test_command_explains_mistakes_in_one_line(tool, tmp_path, capsys):
    with pytest.raises(SystemExit):
        tool.main(['--out', str(tmp_path), '--frames', '1'])
    assert capsys.readouterr().err == 'error: frames must be at least 2, got 1\n'
    for option, value in (('--size', '320'), ('--preview', 'sheet.txt')):
        with pytest.raises(SystemExit):
            tool.main(['--out', str(tmp_path), option, value])
        assert f'got {value!r}' in capsys.readouterr().err
