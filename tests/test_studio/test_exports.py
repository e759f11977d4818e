"""What exports write is what was labelled, as other programs read it."""

import json
import subprocess
import sys
from configparser import ConfigParser

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO
from studio_server import write_video

from mmpolar.cli.main import main
from mmpolar.datasets import DavisDataset
from mmpolar.structures.result_formats import from_mot
from mmpolar.studio.exports import export, mask_to_polygon
from mmpolar.studio.store import ABSENT, LOST, MASK
from mmpolar.utils.image import read_image, read_mask

SIZE = (120, 160)


#: A Python in which only the runtime's packages can be imported.
LIGHT = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in ('torch', 'mmengine', 'mmcv', 'mmdet', 'pycocotools', 'starlette'):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocker())
from mmpolar.cli.main import main
sys.exit(main({words!r}))
"""


def disc(x, y, radius=15):
    mask = np.zeros(SIZE, np.uint8)
    return cv2.circle(mask, (x, y), radius, 1, -1)


#: Masks of two targets in the frames 0 to 3; None where a target is not visible.
MASKS = {
    'car': [disc(40, 50), disc(45, 50), None, disc(60, 50)],
    'bus "2"': [disc(120, 80), disc(45, 60), disc(110, 80), disc(110, 80) | disc(40, 100, 8)],
}


@pytest.fixture
def labelled(project):
    """Both targets labelled in the frames 0 to 3; in frame 4 one of them alone, in frame 5 one lost."""
    clip = project.open_clip('car.mp4')
    for name, masks in MASKS.items():
        target = project.store.add_target(clip.id, name, '#ff8800').id
        for frame, mask in enumerate(masks):
            put(project, clip, target, frame, ABSENT if mask is None else MASK, mask)
        put(project, clip, target, 5, MASK if name == 'car' else LOST, disc(50, 50))
    put(project, clip, target, 4, MASK, disc(50, 50))
    return project


def put(project, clip, target, frame, kind, mask):
    file = project.save_mask(clip, target, frame, mask, True) if kind == MASK else None
    project.store.put_hand(target, [frame], kind, file, 0, 'label')


def test_davis_has_the_masks_and_is_what_the_dataset_reads(labelled, tmp_path):
    summary = export(labelled, 'davis', tmp_path / 'out')
    assert (summary.clips, summary.frames, summary.left_out) == (['car'], 4, 2)
    folder = tmp_path / 'out/Annotations/480p/car'
    assert sorted(path.stem for path in folder.iterdir()) == ['00000', '00001', '00002', '00003']
    for frame, (car, bus) in enumerate(zip(*MASKS.values(), strict=True)):
        expected = np.zeros(SIZE, np.uint8)
        if car is not None:
            expected[car != 0] = 1
        expected[bus != 0] = 2
        np.testing.assert_array_equal(read_mask(folder / f'{frame:05d}.png'), expected)
    source = labelled.frames(1)
    image = read_image(tmp_path / 'out/JPEGImages/480p/car/00002.jpg')
    assert np.abs(image.astype(int) - source.read(2)).mean() < 3
    dataset = DavisDataset(
        data_root=str(tmp_path / 'out'), ann_file='ImageSets/2017/train.txt', multi_object=True
    )
    dataset.full_init()
    assert dataset.num_videos == 2


def test_the_dataset_check_finds_nothing(labelled, tmp_path):
    export(labelled, 'davis', tmp_path / 'out')
    options = ['multi_object=True', 'ann_file=ImageSets/2017/train.txt']
    assert (
        main(['check', 'dataset', 'DavisDataset', str(tmp_path / 'out'), '--options', *options])
        == 0
    )


def test_coco_has_run_lengths_and_a_category_a_name(labelled, tmp_path):
    export(labelled, 'coco', tmp_path / 'out')
    coco = COCO(tmp_path / 'out/annotations.json')
    assert [one['name'] for one in coco.loadCats(coco.getCatIds())] == list(MASKS)
    assert len(coco.imgs) == 4
    assert {(image['height'], image['width']) for image in coco.imgs.values()} == {SIZE}
    for frame, image in enumerate(coco.dataset['images']):
        assert (tmp_path / 'out/images' / image['file_name']).is_file()
        entries = coco.loadAnns(coco.getAnnIds(imgIds=image['id']))
        expected = [masks[frame] for masks in MASKS.values() if masks[frame] is not None]
        for entry, mask in zip(entries, expected, strict=True):
            np.testing.assert_array_equal(coco.annToMask(entry), mask)
            assert entry['area'] == mask.sum()
            assert 'score' not in entry


def test_yolo_has_polygons_of_the_masks(labelled, tmp_path):
    export(labelled, 'yolo', tmp_path / 'out')
    assert json.dumps('bus "2"') in (tmp_path / 'out/data.yaml').read_text()
    text = (tmp_path / 'out/labels/train/car_00003.txt').read_text()
    for line, masks in zip(text.splitlines(), MASKS.values(), strict=True):
        number, *values = line.split()
        points = np.array(values, float).reshape(-1, 2) * SIZE[::-1]
        drawn = cv2.fillPoly(np.zeros(SIZE, np.uint8), [points.astype(np.int32)], 1)
        mask = masks[3]
        assert (drawn & mask).sum() / (drawn | mask).sum() > 0.93, number
    assert (tmp_path / 'out/images/train/car_00003.jpg').is_file()


def test_mot_has_boxes_by_frame_and_target(labelled, tmp_path):
    export(labelled, 'mot', tmp_path / 'out')
    found = from_mot((tmp_path / 'out/car/gt/gt.txt').read_text())
    assert [sorted(found[frame]) for frame in range(4)] == [[1, 2], [1, 2], [2], [1, 2]]
    np.testing.assert_allclose(found[0][1].box, [24.5, 34.5, 55.5, 65.5])
    assert len(list((tmp_path / 'out/car/img1').iterdir())) == 4
    info = ConfigParser()
    info.read(tmp_path / 'out/car/seqinfo.ini')
    expected = dict(name='car', imdir='img1', framerate='25', seqlength='4', imext='.jpg')
    assert dict(info['Sequence']) == dict(expected, imwidth='160', imheight='120')


def test_mot_says_the_rate_of_a_video_and_a_usual_one_of_images(project, tmp_path):
    write_video(project.folder / 'fast.mp4', rate=60)
    (project.folder / 'boat').mkdir()
    cv2.imwrite(str(project.folder / 'boat/1.png'), np.zeros((*SIZE, 3), np.uint8))
    for name in ('fast.mp4', 'boat'):
        clip = project.open_clip(name)
        put(project, clip, project.store.add_target(clip.id, name, '#ff8800').id, 0, ABSENT, None)
    export(project, 'mot', tmp_path / 'out')
    assert 'frameRate=60\n' in (tmp_path / 'out/fast/seqinfo.ini').read_text()
    assert 'frameRate=25\n' in (tmp_path / 'out/boat/seqinfo.ini').read_text()


@pytest.mark.parametrize('mask', [disc(50, 50), disc(50, 50) | disc(100, 60), disc(3, 3, 0)])
def test_polygon_of_a_mask_fills_it(mask):
    polygon = mask_to_polygon(mask)
    drawn = cv2.fillPoly(np.zeros(SIZE, np.uint8), [polygon.astype(np.int32)], 1)
    assert not (mask & ~drawn).any()
    assert len(polygon) > 2


def test_an_export_is_repeated_and_other_files_are_never_lost(labelled, tmp_path):
    export(labelled, 'coco', tmp_path / 'out')
    export(labelled, 'coco', tmp_path / 'out')
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine/thesis.txt').write_text('all of it')
    for kind in ('coco', 'yolo', 'mot'):
        with pytest.raises(FileExistsError, match='other files'):
            export(labelled, kind, tmp_path / 'mine')
    for out in (labelled.folder, labelled.folder.parent):
        with pytest.raises(ValueError, match='write over'):
            export(labelled, 'davis', out)
    assert (tmp_path / 'mine/thesis.txt').read_text() == 'all of it'


def test_nothing_labelled_is_said(project, tmp_path):
    project.open_clip('car.mp4')
    with pytest.raises(ValueError, match='no frame is labelled'):
        export(project, 'davis', tmp_path / 'out')
    with pytest.raises(ValueError, match='clip bus.mp4 has no labels'):
        export(project, 'davis', tmp_path / 'out', ['bus.mp4'])
    assert not (tmp_path / 'out').exists()


def test_the_command_line_exports_without_pytorch(labelled, tmp_path):
    words = ['studio', str(labelled.folder), '--export', 'davis', '--out', str(tmp_path / 'out')]
    code = LIGHT.format(words=words)
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert '1 clips and 4 frames' in done.stdout
    assert 'left out: 2 frames' in done.stdout
