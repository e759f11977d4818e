"""What annotation tools export, written here as they write it, becomes the masks it was made of."""

import base64
import io
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from benchmark_folders import HEIGHT, WIDTH, filled, write_image, write_mask
from PIL import Image
from pycocotools import mask as coco_mask
from scripts import load_script

from mmpolar.datasets import DavisDataset
from mmpolar.datasets.converters import (
    Clip,
    read_coco,
    read_cvat,
    read_labelme,
    read_mask_folders,
    write_clips,
)
from mmpolar.datasets.converters.clip import ClipFrame, group_into_clips
from mmpolar.structures.vot_region import encode_runs, mask_to_region
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
    skipped = Counter()
    clips = read_cvat(cvat_file(tmp_path, body), tmp_path / 'images', skipped=skipped)
    summary = write_clips(clips, tmp_path / 'out')
    assert (summary.clips, summary.frames, summary.objects) == (['my_clip'], 4, 2)
    assert skipped == Counter(polyline=1)
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
    skipped = Counter()
    clips = read_coco(tmp_path / 'a.json', tmp_path / 'frames', skipped=skipped)
    write_clips(clips, tmp_path / 'out')
    assert skipped == Counter(crowd=1)
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
            first = labelme_shape('hound', 'polygon', [[x1, y1], [x2, y1], [x2, y2], [x1, y2]], 1)
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
    skipped = Counter()
    write_clips(read_labelme(tmp_path / 'annotated', skipped), tmp_path / 'out')
    assert skipped == Counter(line=4)
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


@pytest.fixture
def tool():
    return load_script(ROOT / 'tools/dataset_converters/convert_to_davis.py')


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


@pytest.mark.parametrize('arguments', [['--help'], ['cvat', '--help'], ['masks', '--help']])
def test_help_teaches(tool, capsys, arguments):
    with pytest.raises(SystemExit) as error:
        tool.main(arguments)
    assert error.value.code == 0
    text = capsys.readouterr().out
    assert ('examples, one for each kind' in text) == (len(arguments) == 1)
    assert len(arguments) == 1 or '--out' in text


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


def test_folders_whose_names_would_become_one_are_refused(tmp_path):
    names = ['a/b/0.png', 'a_b/0.png']
    images = [dict(id=i, file_name=name, height=4, width=4) for i, name in enumerate(names)]
    path = tmp_path / 'all.json'
    path.write_text(json.dumps(dict(images=images, annotations=[])))
    with pytest.raises(ValueError, match="'a/b' and 'a_b' would both become the clip 'a_b'"):
        list(read_coco(path, tmp_path))
    images = ''.join(f'<image name="{name}" height="4" width="4"/>' for name in names)
    (tmp_path / 'annotations.xml').write_text(f'<annotations>{images}</annotations>')
    with pytest.raises(ValueError, match="'a/b' and 'a_b' would both become the clip 'a_b'"):
        list(read_cvat(tmp_path / 'annotations.xml', tmp_path))


def test_a_path_that_starts_from_its_own_folder_names_the_same_clip():
    images = ['./clip/0.png', 'clip/1.png', 'clip//2.png', '0.png']
    clips = group_into_clips(images, str, 'all')
    assert clips == {'clip': images[:3], 'all': images[3:]}
