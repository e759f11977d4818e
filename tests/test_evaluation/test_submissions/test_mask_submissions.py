"""DAVIS and YouTube-VOS: what is written, and what the check finds."""

import io
import shutil

import numpy as np
import pytest
from benchmark_folders import HEIGHT, WIDTH, filled
from PIL import Image
from submission_cases import LENGTH, ONE, Case, answer_masks, answer_youtube, object_mask

from mmpolar.utils.image import read_mask
from mmpolar.utils.mask_file import davis_palette, encode_mask


def ids_of(content: bytes) -> np.ndarray:
    """Values of an image, which must have the form that DAVIS wants."""
    with Image.open(io.BytesIO(content)) as img:
        assert (img.format, img.mode) == ('PNG', 'P')
        assert img.getpalette() == davis_palette().ravel().tolist()
        return np.array(img)


def stack(below: np.ndarray, below_id: int, above: np.ndarray, above_id: int) -> np.ndarray:
    """Two masks, pixel by pixel."""
    ids = np.zeros_like(below)
    for row, column in np.ndindex(ids.shape):
        if below[row, column]:
            ids[row, column] = below_id
        if above[row, column]:
            ids[row, column] = above_id
    return ids


def test_davis2017_has_one_image_a_frame_with_the_surer_object_on_top(davis2017):
    files = davis2017.files()
    names = {f'{video}/{i:05d}.png' for video in ('one', 'two') for i in range(LENGTH)}
    assert set(files) == names
    for frame in range(LENGTH):
        path = f'{frame:05d}.jpg'
        first, second = (
            object_mask(dict(img_path=path, sequence='two', object_id=i)) for i in (1, 2)
        )
        assert (first & second).any()
        surer_first = frame % 2 == 1
        expected = stack(second, 2, first, 1) if surer_first else stack(first, 1, second, 2)
        np.testing.assert_array_equal(ids_of(files[f'two/{frame:05d}.png']), expected)
        np.testing.assert_array_equal(ids_of(files[f'one/{frame:05d}.png']), ONE[frame])
    assert davis2017.check() == set()


def test_davis2016_has_one_target(davis2016):
    files = davis2016.files()
    assert set(files) == {f'one/{i:05d}.png' for i in range(LENGTH)}
    for frame in range(LENGTH):
        np.testing.assert_array_equal(ids_of(files[f'one/{frame:05d}.png']), ONE[frame])
    assert davis2016.check() == set()


def test_davis2016_may_have_another_value(davis2016, tmp_path):
    case = Case('davis2016', davis2016.data_root, tmp_path, options=dict(foreground=255))
    case.submit(answer_masks)
    assert set(np.unique(ids_of(case.files()['one/00002.png']))) == {0, 255}
    assert case.check() == set()
    assert davis2016.check(case.archive) == {('error', 'unknown object', 'one')}
    with pytest.raises(ValueError, match=r'in 1..255, got 0'):
        Case('davis2016', davis2016.data_root, tmp_path, options=dict(foreground=0)).check()


def test_youtube_vos_has_the_named_frames_only_and_objects_from_their_first_one(youtube_vos):
    files = youtube_vos.files()
    named = ['00005', '00010', '00020', '00025']
    assert set(files) == {f'Annotations/late/{name}.png' for name in named}
    early, late = filled(2, 2, 29, 19), filled(10, 10, 14, 14)
    both = stack(early, 2, late, 4)
    np.testing.assert_array_equal(ids_of(files['Annotations/late/00005.png']), early * 2)
    for name in named[1:]:
        np.testing.assert_array_equal(ids_of(files[f'Annotations/late/{name}.png']), both)
    assert youtube_vos.check() == set()


def test_youtube_vos_is_the_same_from_every_fifth_frame(youtube_vos, tmp_path):
    case = Case('youtube_vos', youtube_vos.data_root, tmp_path)
    assert case.dataset.get_len_per_video(0) < youtube_vos.dataset.get_len_per_video(0)
    case.submit(answer_youtube)
    assert case.files() == youtube_vos.files()
    assert youtube_vos.check(case.archive) == set()


@pytest.mark.parametrize(
    ('case', 'answer'), [('davis2017', answer_masks), ('youtube_vos', answer_youtube)]
)
def test_objects_that_are_tracked_together_give_the_same(case, answer, request, tmp_path):
    case = request.getfixturevalue(case)
    together = Case(case.benchmark, case.data_root, tmp_path, case.data_options)
    together.submit(answer, together=True)
    assert together.files() == case.files()


def test_an_empty_answer_is_an_empty_image(davis2016, tmp_path):
    case = Case('davis2016', davis2016.data_root, tmp_path)
    case.submit(lambda frame: (None, 0, None) if frame['frame_id'] > 1 else answer_masks(frame))
    assert not ids_of(case.files()['one/00003.png']).any()
    assert case.check() == set()


def test_a_box_tracker_cannot_submit_masks(davis2016, tmp_path):
    case = Case('davis2016', davis2016.data_root, tmp_path)
    with pytest.raises(ValueError, match='results of one have no mask in frame 0'):
        case.submit(lambda frame: (*answer_masks(frame)[:2], None))


def paint(path, ids=None, mode='P', palette=None):
    """Write an image in another way than the package does."""
    img = Image.fromarray(read_mask(path) if ids is None else ids)
    if mode == 'P':
        palette = davis_palette() if palette is None else palette
        img.putpalette(np.asarray(palette, np.uint8).tobytes())
    else:
        img = img.convert(mode)
    img.save(path, format='PNG')


PICTURE_FAULTS = {
    'size': lambda path: paint(path, np.zeros((HEIGHT, WIDTH + 1), np.uint8)),
    'not indexed': lambda path: paint(path, mode='L'),
    'palette': lambda path: paint(path, palette=255 - davis_palette()),
    'unknown object': lambda path: paint(path, filled(0, 0, 3, 3, 3)),
    'undecodable file': lambda path: path.write_bytes(path.read_bytes()[:60]),
}


@pytest.mark.parametrize('kind', PICTURE_FAULTS)
@pytest.mark.parametrize('case', ['davis2016', 'davis2017', 'youtube_vos'])
def test_a_fault_in_a_image_is_found(case, kind, request):
    case = request.getfixturevalue(case)
    folder = case.unpack()
    video, frame = ('late', '00020') if case.benchmark == 'youtube_vos' else ('one', '00002')
    (path,) = folder.rglob(f'{video}/{frame}.png')
    PICTURE_FAULTS[kind](path)
    if case.benchmark == 'youtube_vos' and kind == 'palette':
        assert case.check(folder) == set()  # its own masks have other colours than DAVIS's
    else:
        assert case.check(folder) == {('error', kind, video)}


def test_a_colour_image_is_not_indexed(davis2017):
    folder = davis2017.unpack()
    paint(folder / 'one/00001.png', mode='RGB')
    assert davis2017.check(folder) == {('error', 'not indexed', 'one')}


def test_a_jpeg_called_png_cannot_be_decoded(davis2017):
    folder = davis2017.unpack()
    Image.fromarray(ONE[0]).save(folder / 'one/00001.png', format='JPEG')
    assert davis2017.check(folder) == {('error', 'undecodable file', 'one')}


def test_an_object_before_its_first_frame_is_found(youtube_vos):
    folder = youtube_vos.unpack()
    path = folder / 'Annotations/late/00005.png'
    path.write_bytes(encode_mask(filled(2, 2, 9, 9, 4)))
    assert youtube_vos.check(folder) == {('error', 'early object', 'late')}


def test_frames_that_are_not_named_are_in_the_way(youtube_vos):
    folder = youtube_vos.unpack() / 'Annotations/late'
    shutil.copy(folder / '00020.png', folder / '00015.png')
    found = youtube_vos.check(folder.parents[1])
    assert found == {('error', 'extra file', 'Annotations/late/00015.png')}


def test_missing_frames_and_videos_are_told_apart(davis2017):
    folder = davis2017.unpack()
    (folder / 'two/00000.png').unlink()
    assert davis2017.check(folder) == {('error', 'missing file', 'two')}
    shutil.rmtree(folder / 'one')
    assert davis2017.check(folder) == {
        ('error', 'missing file', 'two'),
        ('error', 'missing sequence', 'one'),
    }


def test_an_object_that_is_nowhere_is_noted(davis2017):
    folder = davis2017.unpack()
    for path in (folder / 'two').iterdir():
        ids = read_mask(path)
        path.write_bytes(encode_mask(np.where(ids == 2, 0, ids).astype(np.uint8)))
    assert davis2017.check(folder) == {('note', 'object never seen', 'two')}


def test_everything_is_found_at_once(davis2017):
    folder = davis2017.unpack()
    for kind, frame in zip(PICTURE_FAULTS, range(LENGTH), strict=True):
        PICTURE_FAULTS[kind](folder / f'two/{frame:05d}.png')
    (folder / 'one/00003.png').unlink()
    (folder / 'one/notes.txt').write_text('x')
    assert davis2017.check(folder) == {('error', kind, 'two') for kind in PICTURE_FAULTS} | {
        ('error', 'missing file', 'one'),
        ('error', 'extra file', 'one/notes.txt'),
    }
