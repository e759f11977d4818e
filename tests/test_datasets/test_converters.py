"""What annotation tools export, written here as they write it, becomes the masks it was made of."""

import base64
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from benchmark_folders import HEIGHT, WIDTH, filled, write_image, write_mask
from PIL import Image
from pycocotools import mask as coco_mask
from scripts import help_of, load_script

from mmpolar.cli import requirements
from mmpolar.cli.main import main
from mmpolar.datasets import DavisDataset
from mmpolar.datasets.converters import (
    Clip,
    read_coco,
    read_cvat,
    read_labelme,
    read_mask_folders,
    write_clips,
)
from mmpolar.datasets.converters.clip import ClipFrame, find_image, group_into_clips
from mmpolar.datasets.left_out import LeftOut
from mmpolar.structures.rle import encode_runs
from mmpolar.structures.vot_region import mask_to_region
from mmpolar.utils.image import read_image, read_mask
from mmpolar.utils.outputs import OutputOverInputError

ROOT = Path(__file__).resolve().parents[2]
SIZE = (HEIGHT, WIDTH)
FRAMES = range(4)


def blob(x, y):
    """An irregular mask."""
    mask = np.zeros(SIZE, np.uint8)
    cv2.ellipse(mask, (x, y), (8, 5), 20, 0, 360, 1, cv2.FILLED)
    mask[y - 1 : y + 1, x - 2 : x + 1] = 0
    return mask


#: Two objects over four frames; the second is out of sight in frame 2.
FIRST = [filled(2 + i, 3, 11 + i, 12) for i in FRAMES]
SECOND = [blob(28, 18 + i) if i != 2 else np.zeros(SIZE, np.uint8) for i in FRAMES]
IDS = [np.where(b > 0, 2 * b, a) for a, b in zip(FIRST, SECOND, strict=True)]


def write_frames(folder, pattern='frame_{:06d}.png'):
    for number in FRAMES:
        write_image(folder / pattern.format(number))


def corners(mask):
    y, x = np.nonzero(mask)
    return int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1


def assert_written(out, clip, expected=IDS, names=None):
    masks = sorted((out / 'Annotations/480p' / clip).iterdir())
    assert len(masks) == len(expected)
    for path, ids in zip(masks, expected, strict=True):
        np.testing.assert_array_equal(read_mask(path), ids)
    dataset = DavisDataset(out, 'ImageSets/2017/train.txt', multi_object=True)
    tracks = [dataset.get_track(i) for i in range(len(dataset))]
    chosen = [t for t in tracks if t.sequence == clip]
    assert {t.object_id for t in chosen} == set(np.unique(expected[0]).tolist()) - {0}


# CVAT


def cvat_shape(mask, kind, **more):
    more = ' '.join(f'{key}="{value}"' for key, value in more.items())
    if kind == 'mask':
        region = mask_to_region(mask)
        runs = ', '.join(map(str, encode_runs(region.mask)))
        height, width = region.mask.shape
        where = f'left="{region.x}" top="{region.y}" width="{width}" height="{height}"'
        return f'<mask rle="{runs}" {where} {more}></mask>'
    x1, y1, x2, y2 = corners(mask)
    if kind == 'box':
        return f'<box xtl="{x1}.00" ytl="{y1}.00" xbr="{x2}.00" ybr="{y2}.00" {more}></box>'
    points = f'{x1}.00,{y1}.00;{x2}.00,{y1}.00;{x2}.00,{y2}.00;{x1}.00,{y2}.00'
    return f'<polygon points="{points}" {more}></polygon>'


def cvat_file(folder, body):
    folder.mkdir(parents=True, exist_ok=True)
    head = '<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version>'
    meta = '<meta><task><id>1</id><name>my clip</name></task></meta>'
    (folder / 'annotations.xml').write_text(f'{head}{meta}{body}</annotations>')
    return folder / 'annotations.xml'


@pytest.mark.parametrize('kind', ['box', 'polygon'])
@pytest.mark.parametrize('keyframes_only', [False, True])
def test_cvat_for_video(tmp_path, kind, keyframes_only):
    write_frames(tmp_path / 'images')
    first = ''.join(
        cvat_shape(mask, kind, frame=i, outside=0, occluded=0, keyframe=1, z_order=0)
        for i, mask in enumerate(FIRST)
    )
    second = ''.join(
        cvat_shape(
            SECOND[0] if i == 2 else SECOND[i], 'mask',
            frame=i, outside=int(i == 2), occluded=0, keyframe=1, z_order=1,
        )
        for i in FRAMES
    )  # fmt: skip
    expected = IDS
    if keyframes_only:
        first = cvat_shape(FIRST[0], kind, frame=0, outside=0, keyframe=1)
        expected = [np.where(b > 0, 2 * b, FIRST[0]) for b in SECOND]
    body = f'<track id="0" label="car">{first}</track><track id="1" label="car">{second}</track>'
    body += '<track id="2" label="line"><polyline frame="0" points="1,2;3,4"></polyline></track>'
    left_out = LeftOut()
    clips = read_cvat(cvat_file(tmp_path, body), tmp_path / 'images', left_out=left_out)
    summary = write_clips(clips, tmp_path / 'out')
    assert (summary.clips, summary.frames, summary.objects) == (['my_clip'], 4, 2)
    assert left_out.counts == {('polyline', 'no area'): 1}
    assert_written(tmp_path / 'out', 'my_clip', expected)


@pytest.mark.parametrize('id_attribute', [None, 'who'])
def test_cvat_for_images(tmp_path, id_attribute):
    images = []
    for number in FRAMES:
        name = f'walk/{number:03d}.jpg'
        write_image(tmp_path / 'images' / name)
        shapes = ''
        for who, (mask, kind) in enumerate(((FIRST[number], 'polygon'), (SECOND[number], 'mask'))):
            label = 'dog' if id_attribute else f'dog{who}'
            if mask.any():
                shape = cvat_shape(mask, kind, label=label, occluded=0, z_order=who)
                mark = f'<attribute name="who">{who}</attribute></'
                shapes += mark.join(shape.rsplit('</', 1))
        size = f'width="{WIDTH}" height="{HEIGHT}"'
        images.append(f'<image id="{number}" name="{name}" {size}>{shapes}</image>')
    xml = cvat_file(tmp_path, ''.join(images))
    write_clips(read_cvat(xml, tmp_path / 'images', id_attribute), tmp_path / 'out')
    assert_written(tmp_path / 'out', 'walk')


def test_cvat_files_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError, match='does not exist; unpack the export'):
        list(read_cvat(tmp_path / 'none.xml', tmp_path))
    for text in ('<annotations>', '<other/>'):
        (tmp_path / 'a.xml').write_text(text)
        with pytest.raises(ValueError, match='cannot be read as CVAT 1.1'):
            list(read_cvat(tmp_path / 'a.xml', tmp_path))


# COCO


@pytest.mark.parametrize('in_attributes', [False, True])
def test_coco_with_track_ids(tmp_path, in_attributes):
    images, annotations = [], []
    for number in FRAMES:
        name = f'walk/{number:03d}.jpg'
        write_image(tmp_path / 'frames' / name)
        images.append(dict(id=number, file_name=name, height=HEIGHT, width=WIDTH))
        x1, y1, x2, y2 = corners(FIRST[number])
        packed = coco_mask.encode(np.asfortranarray(SECOND[number]))
        packed['counts'] = packed['counts'].decode()
        shapes = [(7, [[x1, y1, x2, y1, x2, y2, x1, y2]]), (3, packed if number != 2 else None)]
        for track, segmentation in shapes:
            if segmentation is not None:
                who = dict(track_id=track)
                who = dict(attributes=who) if in_attributes else who
                annotations.append(
                    dict(id=len(annotations), image_id=number, category_id=1, **who)
                    | dict(segmentation=segmentation, bbox=[x1, y1, x2 - x1, y2 - y1])
                )
    annotations.append(dict(id=99, image_id=0, iscrowd=1, category_id=1, bbox=[0, 0, 9, 9]))
    (tmp_path / 'a.json').write_text(json.dumps(dict(images=images, annotations=annotations)))
    left_out = LeftOut()
    clips = read_coco(tmp_path / 'a.json', tmp_path / 'frames', left_out=left_out)
    write_clips(clips, tmp_path / 'out')
    assert left_out.lines() == ['1 crowd: a group of objects (first: annotation 99)']
    assert_written(tmp_path / 'out', 'walk')


def test_coco_boxes_and_categories(tmp_path):
    write_image(tmp_path / 'x.jpg')
    image = dict(id=1, file_name='x.jpg', height=HEIGHT, width=WIDTH)
    annotations = [
        dict(id=i, image_id=1, category_id=5, bbox=[x, 3, 4, 5], segmentation=[])
        for i, x in enumerate((2, 20))
    ]
    (tmp_path / 'mine.json').write_text(json.dumps(dict(images=[image], annotations=annotations)))
    write_clips(read_coco(tmp_path / 'mine.json', tmp_path), tmp_path / 'out')
    assert_written(tmp_path / 'out', 'mine', [filled(2, 3, 5, 7, base=filled(20, 3, 23, 7))])
    (tmp_path / 'mine.json').write_text('{"images": []}')
    with pytest.raises(ValueError, match="mine.json is not in COCO's instances format"):
        list(read_coco(tmp_path / 'mine.json', tmp_path))


# LabelMe


def labelme_shape(label, kind, points, group=None, **more):
    return dict(label=label, shape_type=kind, points=points, group_id=group, flags={}, **more)


def test_labelme(tmp_path):
    folder = tmp_path / 'annotated/walk'
    for number in FRAMES:
        write_image(folder / f'{number:03d}.jpg')
        x1, y1, x2, y2 = corners(FIRST[number])
        if number % 2:
            first = labelme_shape('dog', 'rectangle', [[x2, y2], [x1, y1]], 1)
        else:
            first = labelme_shape('dog', 'polygon', [[x1, y1], [x2, y1], [x2, y2], [x1, y2]], 1)
        shapes = [first, labelme_shape('tail', 'line', [[1, 2], [3, 4]])]
        if SECOND[number].any():
            region = mask_to_region(SECOND[number])
            file = io.BytesIO()
            Image.fromarray(region.mask.astype(bool)).save(file, 'PNG')
            height, width = region.mask.shape
            points = [[region.x, region.y], [region.x + width - 1, region.y + height - 1]]
            text = base64.b64encode(file.getvalue()).decode()
            shapes.append(labelme_shape('cat', 'mask', points, mask=text))
        content = dict(version='5.4', flags={}, shapes=shapes, imagePath=f'{number:03d}.jpg')
        content |= dict(imageData=None, imageHeight=HEIGHT, imageWidth=WIDTH)
        (folder / f'{number:03d}.json').write_text(json.dumps(content))
    left_out = LeftOut()
    write_clips(read_labelme(tmp_path / 'annotated', left_out), tmp_path / 'out')
    assert left_out.counts == {('line', 'no area'): 4}
    assert_written(tmp_path / 'out', 'walk')
    (folder / '001.json').write_text('{}')
    with pytest.raises(ValueError, match=r'001\.json is not a file of LabelMe'):
        write_clips(read_labelme(tmp_path / 'annotated'), tmp_path / 'out')


def test_labelme_circle_covers_its_area(tmp_path):
    write_image(tmp_path / 'c/0.jpg')
    shapes = [labelme_shape('ball', 'circle', [[20, 15], [20, 25]])]
    content = dict(shapes=shapes, imagePath='0.jpg', imageHeight=HEIGHT, imageWidth=WIDTH)
    (tmp_path / 'c/0.json').write_text(json.dumps(content))
    write_clips(read_labelme(tmp_path / 'c'), tmp_path / 'out')
    mask = read_mask(tmp_path / 'out/Annotations/480p/c/0.png')
    assert abs(mask.sum() - np.pi * 100) < 12
    assert corners(mask) == (10, 5, 30, 25)


# folders of masks


def save_gray(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(np.uint8)).save(path)


@pytest.mark.parametrize('form', ['palette', 'gray', 'colors', 'folders'])
def test_mask_folders(tmp_path, form):
    write_frames(tmp_path / 'frames/walk', '{:03d}.jpg')
    colors = np.uint8([[0, 0, 0], [10, 0, 0], [10, 0, 200]])
    for number, ids in enumerate(IDS):
        name = f'{number:03d}.png'
        if form == 'palette':
            write_mask(tmp_path / 'masks/walk' / name, ids)
        elif form == 'gray':
            save_gray(tmp_path / 'masks/walk' / name, ids * 40)
        elif form == 'colors':
            save_gray(tmp_path / 'masks/walk' / name, colors[ids])
        else:
            save_gray(tmp_path / 'masks/walk/one' / name, (ids == 1) * 255)
            save_gray(tmp_path / 'masks/walk/two' / name, (ids == 2) * 255)
    clips = read_mask_folders(tmp_path / 'frames', tmp_path / 'masks', colors=form == 'colors')
    write_clips(clips, tmp_path / 'out')
    assert_written(tmp_path / 'out', 'walk')


def test_flat_folder_of_black_and_white_masks(tmp_path):
    write_frames(tmp_path / 'clip', '{:03d}.jpg')
    for number, mask in enumerate(FIRST):
        save_gray(tmp_path / 'masks' / f'{number:03d}.png', mask * 255)
    write_clips(read_mask_folders(tmp_path / 'clip', tmp_path / 'masks'), tmp_path / 'out')
    assert_written(tmp_path / 'out', 'clip', FIRST)


def test_frames_without_a_mask(tmp_path):
    write_frames(tmp_path / 'frames/walk', '{:03d}.jpg')
    for number in (0, 3):
        write_mask(tmp_path / f'masks/walk/{number:03d}.png', IDS[number])
    folders = tmp_path / 'frames', tmp_path / 'masks'
    with pytest.raises(FileNotFoundError, match=r'001\.jpg has no mask in .*walk; add it'):
        write_clips(read_mask_folders(*folders), tmp_path / 'out')
    write_clips(read_mask_folders(*folders, 'empty'), tmp_path / 'empty')
    nothing = np.zeros(SIZE)
    assert_written(tmp_path / 'empty', 'walk', [IDS[0], nothing, nothing, IDS[3]])
    write_clips(read_mask_folders(*folders, 'skip'), tmp_path / 'skip')
    assert_written(tmp_path / 'skip', 'walk', [IDS[0], IDS[3]])


# the writer and the command


def test_mask_of_another_size_is_refused(tmp_path):
    write_image(tmp_path / 'x.jpg', (20, 20))
    image = dict(id=1, file_name='x.jpg', height=HEIGHT, width=WIDTH)
    content = dict(images=[image], annotations=[dict(id=1, image_id=1, bbox=[1, 1, 5, 5])])
    (tmp_path / 'a.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match='made for 44x32 pixels, the image has 20x20'):
        write_clips(read_coco(tmp_path / 'a.json', tmp_path), tmp_path / 'out')


@pytest.mark.parametrize('kind', ['coco', 'cvat', 'labelme'])
def test_sizes_are_compared_before_masks_of_them_are_made(tmp_path, kind):
    height, width = 16_000, 8_000
    write_image(tmp_path / '0.png')
    if kind == 'coco':
        image = dict(id=1, file_name='0.png', height=height, width=width)
        entries = [dict(id=i, image_id=1, bbox=[1, 1, 5, 5]) for i in range(500)]
        content = dict(images=[image], annotations=entries)
        (tmp_path / 'a.json').write_text(json.dumps(content))
        clips = read_coco(tmp_path / 'a.json', tmp_path)
    elif kind == 'cvat':
        shapes = cvat_shape(FIRST[0], 'box', label='a') * 500
        body = f'<image name="0.png" height="{height}" width="{width}">{shapes}</image>'
        clips = read_cvat(cvat_file(tmp_path, body), tmp_path)
    else:
        shapes = [labelme_shape('a', 'rectangle', [[1, 1], [5, 5]])] * 500
        labelme_file(tmp_path / '0.json', shapes, imageHeight=height, imageWidth=width)
        clips = read_labelme(tmp_path)
    with pytest.raises(ValueError, match='made for 8000x16000 pixels, the image has 44x32'):
        write_clips(clips, tmp_path / 'out')


@pytest.fixture
def tool():
    return load_script(ROOT / 'tools/dataset_converters/convert_to_davis.py')


LIGHT = """
import sys

TRAINING = ('torch', 'mmengine', 'mmcv', 'mmdet', 'pycocotools', 'zlib_ng', 'tqdm', 'rich')

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in TRAINING:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocker())
from mmpolar.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def convert_without_pytorch(*words):
    return subprocess.run(
        [sys.executable, '-c', LIGHT, 'convert', *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_command_needs_no_pytorch(tmp_path):
    write_frames(tmp_path / 'frames/walk', '{:03d}.jpg')
    for number, ids in enumerate(IDS):
        write_mask(tmp_path / f'masks/walk/{number:03d}.png', ids)
    out = tmp_path / 'out'
    words = ['masks', tmp_path / 'masks', '--images', tmp_path / 'frames', '--out', out]
    done = convert_without_pytorch(*words)
    assert done.returncode == 0, done.stderr
    assert_written(out, 'walk')


@pytest.mark.parametrize('kind', ['cvat', 'labelme'])
def test_other_readers_need_no_pytorch(kind, tmp_path):
    images = ['--images', tmp_path] if kind == 'cvat' else []
    done = convert_without_pytorch(kind, tmp_path / 'none', *images, '--out', tmp_path / 'out')
    assert done.returncode == 2
    assert 'error' in done.stderr
    assert 'Traceback' not in done.stderr


def test_coco_says_what_it_needs(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(requirements, 'find_spec', lambda name: None)
    words = ['convert', 'coco', 'x.json', '--images', str(tmp_path), '--out', str(tmp_path / 'out')]
    assert main(words) == 2
    assert 'mmpolar convert coco needs pycocotools' in capsys.readouterr().err


def test_command_converts_and_adds_to_the_list(tool, tmp_path, capsys):
    for clip in ('a', 'b'):
        write_frames(tmp_path / 'frames' / clip, '{:03d}.jpg')
        for number, ids in enumerate(IDS):
            write_mask(tmp_path / f'masks/{clip}/{number:03d}.png', ids)
    arguments = ['masks', str(tmp_path / 'masks'), '--images', str(tmp_path / 'frames')]
    out = tmp_path / 'out'
    tool.main([*arguments, '--out', str(out)])
    assert '2 clips, 8 frames and 4 objects are in' in capsys.readouterr().out
    shutil.rmtree(tmp_path / 'frames/a')
    tool.main([*arguments, '--out', str(out), '--symlink'])
    assert (out / 'ImageSets/2017/train.txt').read_text() == 'a\nb\n'
    link = out / 'JPEGImages/480p/b/000.jpg'
    assert link.is_symlink()
    np.testing.assert_array_equal(read_image(link), read_image(tmp_path / 'frames/b/000.jpg'))
    wrong = ['masks', str(tmp_path), '--images', str(tmp_path / 'masks'), '--out', str(out)]
    assert tool.main(wrong) == 2
    assert re.match('error: frame .* has no mask in', capsys.readouterr().err)


@pytest.mark.parametrize('kind', [[], ['cvat'], ['masks']])
def test_help_teaches(tool, capsys, kind):
    text = help_of(tool, capsys, *kind)
    assert ('examples, one for each kind' in text) == (not kind)
    assert not kind or '--out' in text


def folder_of_clips(root):
    """Frames and masks of one clip, as DAVIS has them."""
    write_frames(root / 'JPEGImages/480p/clip', '{:03d}.jpg')
    for number, ids in enumerate(IDS):
        write_mask(root / f'Annotations/480p/clip/{number:03d}.png', ids)
        write_mask(root / f'masks/clip/{number:03d}.png', ids)


def contents(root):
    return {path: path.read_bytes() for path in sorted(root.rglob('*')) if path.is_file()}


@pytest.mark.parametrize('more', [[], ['--symlink']])
@pytest.mark.parametrize(
    ('masks', 'images'),
    [
        ('masks', 'JPEGImages/480p'),
        ('masks', 'JPEGImages/480p/clip'),
        ('Annotations/480p', 'frames'),
        ('masks', 'linked'),
    ],
)
def test_nothing_is_written_over_frames_or_masks_in_the_output(
    tool, tmp_path, capsys, masks, images, more
):
    folder_of_clips(tmp_path)
    write_frames(tmp_path / 'frames/clip', '{:03d}.jpg')
    (tmp_path / 'linked').symlink_to('JPEGImages/480p')
    before = contents(tmp_path)
    arguments = ['masks', str(tmp_path / masks), '--images', str(tmp_path / images)]
    assert tool.main([*arguments, '--out', str(tmp_path), *more]) == 2
    assert 'would write over the input' in capsys.readouterr().err
    assert contents(tmp_path) == before


@pytest.mark.parametrize('symlink', [False, True])
def test_a_frame_that_lies_where_it_would_be_written_is_left_as_it_is(tmp_path, symlink):
    folder_of_clips(tmp_path)
    before = contents(tmp_path)
    (tmp_path / 'other').mkdir()
    (tmp_path / 'other/000.jpg').symlink_to(tmp_path / 'JPEGImages/480p/clip/000.jpg')
    for image in ('JPEGImages/480p/clip/000.jpg', 'other/000.jpg'):
        clip = Clip('clip', [ClipFrame(tmp_path / image, [])])
        with pytest.raises(OutputOverInputError, match='lies where it would be written'):
            write_clips([clip], tmp_path, symlink=symlink)
    assert contents(tmp_path) == before | {
        tmp_path / 'other/000.jpg': before[tmp_path / 'JPEGImages/480p/clip/000.jpg']
    }


def test_links_of_an_earlier_conversion_are_replaced_by_copies(tmp_path):
    write_frames(tmp_path / 'frames', '{:03d}.jpg')
    frame = tmp_path / 'frames/000.jpg'
    before = contents(tmp_path)
    for symlink in (True, True, False):
        write_clips([Clip('clip', [ClipFrame(frame, [])])], tmp_path / 'out', symlink=symlink)
        written = tmp_path / 'out/JPEGImages/480p/clip/000.jpg'
        assert written.is_symlink() == symlink
        assert written.read_bytes() == before[frame]
    assert before.items() <= contents(tmp_path).items()


@pytest.mark.parametrize('name', ['../out2', '/abs', 'a/b', '..', ''])
def test_a_clip_whose_name_leads_elsewhere_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match='a clip is called'):
        write_clips([Clip(name, [])], tmp_path / 'out')
    assert not list(tmp_path.rglob('*'))


def test_two_clips_never_become_one(tmp_path):
    with pytest.raises(ValueError, match="two clips are called 'a_b'"):
        write_clips([Clip('a_b', []), Clip('a_b', [])], tmp_path)


def test_folders_whose_short_names_are_one_stay_two_clips(tmp_path):
    names = ['a/b/0.png', 'a_b/0.png', 'c/d/0.png']
    expected = {'a__b': names[:1], 'a_b': names[1:2], 'c_d': names[2:]}
    assert group_into_clips(names, str, 'all') == expected
    with pytest.raises(ValueError, match="would both become the clip 'a_b'"):
        group_into_clips(['a_b/0.png', '0.png'], str, 'a_b')
    for name in names:
        write_image(tmp_path / 'images' / name)
        shape = labelme_shape('dog', 'rectangle', [[1, 1], [9, 9]])
        size = dict(imageHeight=HEIGHT, imageWidth=WIDTH)
        content = dict(shapes=[shape], imagePath='0.png', **size)
        (tmp_path / 'images' / name).with_suffix('.json').write_text(json.dumps(content))
    summary = write_clips(read_labelme(tmp_path / 'images'), tmp_path / 'out')
    assert summary.clips == ['a__b', 'a_b', 'c_d']
    assert len(list((tmp_path / 'out/JPEGImages').rglob('*.png'))) == 3


def test_a_path_that_starts_from_its_own_folder_names_the_same_clip():
    images = ['./clip/0.png', 'clip/1.png', 'clip//2.png', '0.png']
    clips = group_into_clips(images, str, 'all')
    assert clips == {'clip': images[:3], 'all': images[3:]}


# geometry and identity


def corner_box(mask):
    y, x = np.nonzero(mask)
    return x.min(), y.min(), x.max(), y.max()


def written(out, clip):
    masks = sorted((out / 'Annotations/480p' / clip).iterdir())
    return [read_mask(path) for path in masks]


TURNED = 'xtl="10" ytl="12" xbr="34" ybr="20" rotation="90.00"'


@pytest.mark.parametrize(
    'body',
    [
        '<track id="0" label="a"><box frame="0" {}/></track>',
        '<image id="0" name="frame_000000" {size}><box label="a" {}/></image>',
    ],
)
def test_cvat_box_is_turned_about_its_centre(tmp_path, body):
    write_image(tmp_path / 'images/frame_000000.png')
    size = f'width="{WIDTH}" height="{HEIGHT}"'
    xml = cvat_file(tmp_path, body.format(TURNED, size=size))
    write_clips(read_cvat(xml, tmp_path / 'images'), tmp_path / 'out')
    (mask,) = written(tmp_path / 'out', 'my_clip')
    assert corner_box(mask) == (18, 4, 25, 27)
    assert mask.sum() == 8 * 24


@pytest.mark.parametrize('degrees', [0, 30, 90])
def test_cvat_ellipse_covers_what_opencv_draws(tmp_path, degrees):
    write_image(tmp_path / 'images/frame_000000.png')
    shape = f'<ellipse frame="0" cx="22" cy="16" rx="14" ry="6" rotation="{degrees}"/>'
    xml = cvat_file(tmp_path, f'<track id="0" label="a">{shape}</track>')
    write_clips(read_cvat(xml, tmp_path / 'images'), tmp_path / 'out')
    (mask,) = written(tmp_path / 'out', 'my_clip')
    drawn = np.zeros((HEIGHT * 16, WIDTH * 16), np.uint8)
    cv2.ellipse(drawn, (22 * 16, 16 * 16), (14 * 16, 6 * 16), degrees, 0, 360, 1, cv2.FILLED)
    assert np.count_nonzero(mask != drawn[8::16, 8::16]) <= 10
    assert mask.sum() == pytest.approx(np.pi * 14 * 6, rel=0.03)


def test_cvat_cuboid_covers_the_hull_of_its_faces(tmp_path):
    write_image(tmp_path / 'images/frame_000000.png')
    front = dict(tl=(4, 4), tr=(20, 4), bl=(4, 24), br=(20, 24))
    values = {f'x{k}1': v[0] for k, v in front.items()} | {f'y{k}1': v[1] for k, v in front.items()}
    values |= {f'x{k}2': v[0] + 10 for k, v in front.items()}
    values |= {f'y{k}2': v[1] + 4 for k, v in front.items()}
    shape = ' '.join(f'{key}="{value}"' for key, value in values.items())
    xml = cvat_file(tmp_path, f'<track id="0" label="a"><cuboid frame="0" {shape}/></track>')
    write_clips(read_cvat(xml, tmp_path / 'images'), tmp_path / 'out')
    (mask,) = written(tmp_path / 'out', 'my_clip')
    hull = np.array([(4, 4), (20, 4), (30, 8), (30, 28), (14, 28), (4, 24)])
    assert mask.sum() == pytest.approx(cv2.contourArea(hull.astype(np.float32)), rel=0.02)


def project(tmp_path, body):
    tasks = ''.join(
        f'<task><id>{number}</id><name>{name}</name><start_frame>0</start_frame>'
        f'<stop_frame>1</stop_frame></task>'
        for number, name in ((5, 'left'), (9, 'right'))
    )
    meta = f'<meta><project><tasks>{tasks}</tasks></project></meta>'
    (tmp_path / 'annotations.xml').write_text(f'<annotations>{meta}{body}</annotations>')
    return tmp_path / 'annotations.xml'


def test_tasks_of_a_cvat_project_are_clips_of_their_own(tmp_path):
    tracks = ''
    for number, name, mask in ((5, 'left', FIRST[0]), (9, 'right', FIRST[3])):
        for frame in range(2):
            write_image(tmp_path / f'images/{name}/frame_{frame:06d}.png')
        shape = cvat_shape(mask, 'box', frame=0)
        tracks += f'<track id="0" label="a" task_id="{number}" subset="Train">{shape}</track>'
    xml = project(tmp_path, tracks)
    summary = write_clips(read_cvat(xml, tmp_path / 'images'), tmp_path / 'out')
    assert summary.clips == ['left', 'right']
    for name, mask in (('left', FIRST[0]), ('right', FIRST[3])):
        for got in written(tmp_path / 'out', name):
            np.testing.assert_array_equal(got, mask)
    shutil.rmtree(tmp_path / 'images/right')
    with pytest.raises(FileNotFoundError, match='no frames of task right'):
        write_clips(read_cvat(xml, tmp_path / 'images'), tmp_path / 'out')
    xml = project(tmp_path, tracks.replace('task_id="9"', ''))
    with pytest.raises(ValueError, match=r'track 0: <track> has no task_id'):
        write_clips(read_cvat(xml, tmp_path / 'images'), tmp_path / 'out')


@pytest.mark.parametrize('folder', ['', 'my_clip', 'task_1', '1'])
def test_frames_of_a_single_task_may_lie_in_its_folder(tmp_path, folder):
    write_image(tmp_path / 'images' / folder / 'frame_000000.png')
    tracks = ''.join(
        f'<track label="a">{cvat_shape(mask, "box", frame=0)}</track>'
        for mask in (FIRST[0], SECOND[0])
    )
    clips = read_cvat(cvat_file(tmp_path, tracks), tmp_path / 'images')
    assert write_clips(clips, tmp_path / 'out').objects == 2
    shutil.rmtree(tmp_path / 'images')
    with pytest.raises(FileNotFoundError, match='no images in'):
        list(read_cvat(tmp_path / 'annotations.xml', tmp_path / 'images'))


@pytest.mark.parametrize('folders', ['tasks', 'subsets', 'none'])
def test_images_of_a_cvat_project_with_the_same_names(tmp_path, folders):
    size = f'width="{WIDTH}" height="{HEIGHT}"'
    images = ''
    for number, name, subset, mask in ((5, 'left', 'A', FIRST[0]), (9, 'right', 'B', FIRST[3])):
        folder = dict(tasks=name, subsets=subset, none='')[folders]
        write_image(tmp_path / 'images' / folder / 'walk/0.png')
        shape = cvat_shape(mask, 'polygon', label='a')
        about = f'id="0" name="walk/0" task_id="{number}" subset="{subset}"'
        images += f'<image {about} {size}>{shape}</image>'
    clips = read_cvat(project(tmp_path, images), tmp_path / 'images')
    if folders == 'none':
        with pytest.raises(ValueError, match=r"image 'walk/0': tasks 5 and 9 both have"):
            write_clips(clips, tmp_path / 'out')
        return
    assert write_clips(clips, tmp_path / 'out').clips == ['left_walk', 'right_walk']
    np.testing.assert_array_equal(written(tmp_path / 'out', 'right_walk')[0], FIRST[3])


@pytest.mark.parametrize(
    ('shape', 'reason'),
    [
        ('<box frame="0" xtl="1" ytl="1" xbr="x" ybr="3"/>', 'could not convert'),
        ('<box frame="0" xtl="1" ytl="1" xbr="inf" ybr="3"/>', 'must be finite'),
        (
            '<box frame="0" xtl="1" ytl="1" xbr="3" ybr="3" rotation="nan"/>',
            'corners must be finite',
        ),
        ('<box frame="0" xtl="1" ytl="1" xbr="3"/>', "'ybr' is missing"),
        ('<box xtl="1" ytl="1" xbr="3" ybr="3"/>', "'frame' is missing"),
        ('<box frame="0" z_order="top" xtl="1" ytl="1" xbr="3" ybr="3"/>', 'invalid literal'),
        ('<polygon frame="0" points="1,2;3"/>', 'corners must be numbers'),
        ('<polygon frame="0" points="1,2;3,4"/>', 'V >= 3'),
        ('<polygon frame="0" points="0,0;1e9,0;1e9,1e9"/>', 'must be finite and at most'),
        ('<ellipse frame="0" cx="1" cy="1" rx="1e30" ry="2"/>', 'must be finite and at most'),
        (
            '<mask frame="0" rle="1,2" left="0" top="0" width="200000" height="200000"/>',
            'more than',
        ),
        ('<mask frame="0" rle="9,9" left="0" top="0" width="3" height="3"/>', 'runs of 18 pixels'),
        (
            f'<mask frame="0" rle="{2**63 - 1},{2**63 - 1},2" left="0" top="0" width="3" height="3"/>',
            'do not fit a mask',
        ),
        (f'<mask frame="0" rle="9" left="{10**30}" top="0" width="3" height="3"/>', 'left and top'),
    ],
)
def test_broken_shapes_of_cvat_are_errors_that_name_file_and_track(tmp_path, shape, reason):
    write_image(tmp_path / 'images/frame_000000.png')
    xml = cvat_file(tmp_path, f'<track id="4" label="a">{shape}</track>')
    with pytest.raises(ValueError, match=rf'annotations\.xml.*track 4.*{reason}'):
        write_clips(read_cvat(xml, tmp_path / 'images'), tmp_path / 'out')
    shape = shape.replace('frame="0"', 'label="a"')
    about = f'id="0" name="frame_000000" width="{WIDTH}" height="{HEIGHT}"'
    xml = cvat_file(tmp_path, f'<image {about}>{shape}</image>')
    if "'frame'" not in reason:
        with pytest.raises(
            ValueError, match=rf"annotations\.xml: image 'frame_000000': .*{reason}"
        ):
            write_clips(read_cvat(xml, tmp_path / 'images'), tmp_path / 'out')


def test_what_is_left_out_is_counted_by_kind_and_reason(tmp_path):
    write_image(tmp_path / 'images/frame_000000.png')
    shapes = (
        '<polyline frame="0" points="1,2;3,4"/><points frame="0" points="1,2"/><star frame="0"/>'
        '<box frame="0" xtl="-9" ytl="-9" xbr="-1" ybr="-1"/>'
    )
    xml = cvat_file(tmp_path, f'<track id="4" label="a">{shapes}</track>')
    left_out = LeftOut()
    write_clips(read_cvat(xml, tmp_path / 'images', left_out=left_out), tmp_path / 'out')
    assert left_out.counts == {
        ('polyline', 'no area'): 1,
        ('points', 'no area'): 1,
        ('star', 'a kind that is not known'): 1,
        ('box', 'covers no pixel of the image'): 1,
    }


def test_cvat_annotations_without_name_in_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / 'walk').mkdir()
    monkeypatch.chdir(tmp_path / 'walk')
    write_image(Path('frame_000000.png'))
    shape = cvat_shape(FIRST[0], 'box', frame=0)
    Path('a.xml').write_text(f'<annotations><track id="0">{shape}</track></annotations>', 'utf-16')
    assert write_clips(read_cvat(Path('a.xml'), Path()), Path('out')).clips == ['walk']


# LabelMe


def labelme_file(path, shapes, **more):
    content = dict(
        shapes=shapes, imageHeight=HEIGHT, imageWidth=WIDTH, imagePath=f'{path.stem}.png'
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content | more), encoding='utf-8-sig')
    if not path.with_suffix('.png').exists():
        write_image(path.with_suffix('.png'))
    return path


def test_labelme_numbers_objects_within_a_label(tmp_path):
    shapes = [
        labelme_shape('dog', 'rectangle', [[2, 2], [12, 12]], 1),
        labelme_shape('cat', 'rectangle', [[20, 2], [30, 12]], 1),
        labelme_shape('cat', 'rectangle', [[20, 20], [30, 30]], 2),
    ]
    labelme_file(tmp_path / 'c/0.json', shapes)
    assert write_clips(read_labelme(tmp_path / 'c'), tmp_path / 'out').objects == 3


@pytest.mark.parametrize('kind', ['rotation', 'quadrilateral', 'polygon', None])
def test_turned_rectangles_of_other_programs_are_polygons(tmp_path, kind):
    shapes = [labelme_shape('cow', kind, [[20, 4], [30, 14], [20, 24], [10, 14]], direction=0.785)]
    labelme_file(tmp_path / 'c/0.json', shapes)
    write_clips(read_labelme(tmp_path / 'c'), tmp_path / 'out')
    assert written(tmp_path / 'out', 'c')[0].sum() == pytest.approx(200, abs=4)


@pytest.mark.parametrize(
    'more',
    [
        dict(imagePath='C:\\Users\\me\\0.png'),
        dict(imagePath='..\\c\\0.png'),
        dict(imagePath='old name.png'),
        dict(imagePath=None),
        dict(imageHeight=None, imageWidth=None),
    ],
    ids=str,
)
def test_labelme_files_that_were_moved_or_have_no_size(tmp_path, more):
    labelme_file(
        tmp_path / 'c/0.json', [labelme_shape('a', 'circle', [[20, 15], [20, 20]])], **more
    )
    assert write_clips(read_labelme(tmp_path / 'c'), tmp_path / 'out').frames == 1


@pytest.mark.parametrize(
    ('shape', 'reason'),
    [
        (labelme_shape(None, 'polygon', [[1, 1], [2, 2], [3, 1]]), 'label must be text'),
        (labelme_shape('a', 'polygon', [[1, 1], [2, None], [3, 1]]), 'points must be numbers'),
        (labelme_shape('a', 'polygon', [[1, 1], [float('nan'), 3], [3, 1]]), 'must be finite'),
        (labelme_shape('a', 'polygon', [1, 1, 2, 2]), 'pairs x, y'),
        (labelme_shape('a', 'polygon', 'x'), 'points must be numbers'),
        (labelme_shape('a', 'polygon', [[1, 1], [2, 2], [3, 1]], [1]), 'unhashable'),
        (labelme_shape('a', 'mask', [[1, 1], [2, 2]]), "'mask' is missing"),
        (labelme_shape('a', 'mask', [[1, 1], [2, 2]], mask='AAAA'), 'cannot be decoded'),
        (labelme_shape('a', 'mask', [[1, 1], [2, 2]], mask=7), 'must be|argument|bytes'),
        ('shape', 'attribute|indices'),
        (None, 'attribute'),
    ],
)
def test_broken_shapes_of_labelme_are_errors_that_name_file_and_shape(tmp_path, shape, reason):
    good = labelme_shape('a', 'polygon', [[1, 1], [9, 2], [3, 9]])
    labelme_file(tmp_path / 'c/0.json', [good, shape])
    with pytest.raises(ValueError, match=rf'0\.json: shape 1: .*({reason})'):
        write_clips(read_labelme(tmp_path / 'c'), tmp_path / 'out')


@pytest.mark.parametrize('content', ['[]', '{"shapes": 3}', '[' * 10**5, 'x', '{"imageHeight": 1}'])
def test_files_that_are_not_of_labelme_are_named(tmp_path, content):
    labelme_file(tmp_path / 'c/0.json', []).write_text(content)
    with pytest.raises(ValueError, match=r'0\.json is not'):
        write_clips(read_labelme(tmp_path / 'c'), tmp_path / 'out')


# COCO and masks


@pytest.mark.parametrize('rotation', [0, 90])
def test_turned_boxes_and_brush_masks_of_cvat_in_coco(tmp_path, rotation):
    write_image(tmp_path / 'x.jpg')
    image = dict(id=1, file_name='x.jpg', height=HEIGHT, width=WIDTH)
    runs = coco_mask.encode(np.asfortranarray(SECOND[0]))
    brush = dict(size=list(SIZE), counts=runs['counts'].decode())
    attributes = dict(occluded=False, rotation=rotation)
    annotations = [
        dict(id=1, image_id=1, category_id=1, bbox=[4, 12, 16, 6], attributes=attributes),
        dict(id=2, image_id=1, category_id=2, iscrowd=1, segmentation=brush,
             bbox=[20, 10, 9, 9], attributes=attributes),
    ]  # fmt: skip
    (tmp_path / 'a.json').write_text(json.dumps(dict(images=[image], annotations=annotations)))
    write_clips(read_coco(tmp_path / 'a.json', tmp_path), tmp_path / 'out')
    (mask,) = written(tmp_path / 'out', 'a')
    assert corner_box(mask == 1) == ((9, 7, 14, 22) if rotation else (4, 12, 19, 17))
    np.testing.assert_array_equal(mask == 2, SECOND[0])


@pytest.mark.parametrize('suffix', ['png', 'jpg'])
def test_soft_masks_are_one_object(tmp_path, suffix):
    write_frames(tmp_path / 'clip', '{:03d}.jpg')
    for number, mask in enumerate(FIRST):
        soft = cv2.GaussianBlur(mask * 255, (5, 5), 1)
        assert len(np.unique(soft)) > 8
        (tmp_path / 'masks').mkdir(exist_ok=True)
        assert cv2.imwrite(str(tmp_path / f'masks/{number:03d}.{suffix}'), soft)
    summary = write_clips(
        read_mask_folders(tmp_path / 'clip', tmp_path / 'masks'), tmp_path / 'out'
    )
    assert summary.objects == 1
    for got, mask in zip(written(tmp_path / 'out', 'clip'), FIRST, strict=True):
        assert np.count_nonzero(got != mask) <= 4
    ids = read_mask_folders(tmp_path / 'clip', tmp_path / 'masks', mask_values='ids')
    assert write_clips(ids, tmp_path / 'ids').objects > 4


def test_grey_masks_of_a_clip_are_all_ids_or_none(tmp_path):
    write_frames(tmp_path / 'clip', '{:03d}.jpg')
    for number, mask in enumerate(FIRST):
        save_gray(tmp_path / f'masks/{number:03d}.png', mask * (255 if number < 2 else 40))
    with pytest.raises(
        ValueError, match=r'000\.png, .* black and white, but .*002\.png as object ids'
    ):
        write_clips(read_mask_folders(tmp_path / 'clip', tmp_path / 'masks'), tmp_path / 'out')
    clips = read_mask_folders(tmp_path / 'clip', tmp_path / 'masks', mask_values='ids')
    assert write_clips(clips, tmp_path / 'out').objects == 1


def test_command_tells_what_it_left_out_and_removed(tool, tmp_path, capsys):
    shapes = [labelme_shape('a', 'circle', [[20, 15], [20, 20]]), labelme_shape('a', 'line', [])]
    for name in ('0', '1'):
        labelme_file(tmp_path / f'c/{name}.json', shapes)
    arguments = ['labelme', str(tmp_path / 'c'), '--out', str(tmp_path / 'out')]
    tool.main(arguments)
    text = capsys.readouterr().out
    assert f'left out: 2 line: no area (first: {tmp_path}/c/0.json: shape 1)' in text
    assert 'removed' not in text
    (tmp_path / 'c/1.json').unlink()
    tool.main(arguments)
    assert 'removed 1 masks of an earlier conversion' in capsys.readouterr().out


@pytest.mark.parametrize('name', [' a', 'a ', '\u00a0a'])
def test_a_clip_whose_name_no_list_can_have_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match='take the spaces at its ends away'):
        write_clips([Clip(name, [])], tmp_path)


def test_frames_with_an_unknown_ending_are_refused(tmp_path):
    write_frames(tmp_path / 'clip', '{:03d}.jpg')
    (tmp_path / 'clip/004.jp2').touch()
    with pytest.raises(ValueError, match=r'004\.jp2 cannot be read'):
        list(read_mask_folders(tmp_path / 'clip', tmp_path / 'masks'))


def test_a_shorter_conversion_removes_the_frames_of_the_longer_one(tmp_path):
    out = tmp_path / 'out'
    for length, suffix in ((4, 'png'), (2, 'jpg')):
        folder = tmp_path / str(length)
        for number in range(length):
            write_image(folder / f'frames/my clip/{number:03d}.{suffix}')
            write_mask(folder / f'masks/my clip/{number:03d}.png', IDS[number])
        clips = read_mask_folders(folder / 'frames', folder / 'masks')
        summary = write_clips(clips, out, symlink=length == 4)
    assert summary.removed == 2
    names = {path.name for path in out.rglob('*.*')}
    assert names == {'000.jpg', '001.jpg', '000.png', '001.png', 'train.txt'}
    assert (out / 'ImageSets/2017/train.txt').read_text() == 'my clip\n'
    assert len(list((tmp_path / '4/frames').rglob('*.png'))) == 4
    assert len(DavisDataset(out, 'ImageSets/2017/train.txt').get_track(0)) == 2


@pytest.mark.parametrize('name', ['walk/0001', 'walk\\0001', 'walk/0001.PNG', './walk/0001'])
def test_images_are_found_without_their_ending_and_with_backslashes(tmp_path, name):
    write_image(tmp_path / 'walk/0001.png')
    (tmp_path / 'walk/0001.png').rename(tmp_path / 'walk/0001.PNG')
    assert find_image(tmp_path, name).samefile(tmp_path / 'walk/0001.PNG')
    assert find_image(tmp_path, 'walk/0002') == tmp_path / 'walk/0002'
