"""tools/dataset_converters/make_hard_negative_data.py over small sets of made-up photographs."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from scripts import help_of, load_script

ROOT = Path(__file__).resolve().parents[2]
CATEGORIES = [dict(id=3, name='dog'), dict(id=7, name='cat')]


@pytest.fixture(scope='module')
def tool():
    return load_script(ROOT / 'tools' / 'dataset_converters' / 'make_hard_negative_data.py')


def img(number):
    """A coarse random pattern, unlike those of other numbers."""
    noise = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(noise, (320, 240), interpolation=cv2.INTER_CUBIC)


def write_set(folder, numbers, annotations):
    """A set of images in COCO's format; annotations are (number, category, box, is crowd)."""
    (folder / 'images').mkdir(parents=True)
    for number in numbers:
        cv2.imwrite(str(folder / 'images' / f'{number:03d}.png'), img(number))
    images = [dict(id=n, file_name=f'{n:03d}.png', width=320, height=240) for n in numbers]
    entries = [
        dict(id=i, image_id=n, category_id=c, bbox=box, area=box[2] * box[3], iscrowd=crowd)
        for i, (n, c, box, crowd) in enumerate(annotations)
    ]
    content = dict(images=images, annotations=entries, categories=CATEGORIES)
    (folder / 'annotations.json').write_text(json.dumps(content))


@pytest.fixture(scope='module')
def sets(tmp_path_factory):
    """40 dogs and 40 cats; 10 of the cats' images are dogs of the other set; a set left out."""
    root = tmp_path_factory.mktemp('sets')
    dogs = [(n, 3, [80, 60, 160, 120], 0) for n in range(40)]
    write_set(root / 'images' / 'pets', range(80), dogs + [(39, 7, [0, 0, 32, 24], 0)])
    write_set(root / 'images' / 'strays', range(30, 41), [(40, 3, [0, 0, 300, 200], 1)])
    write_set(root / 'images' / 'crowd', [90, 91], [(90, 3, [0, 0, 300, 200], 1)])
    write_set(root / 'images' / 'coco_person', range(100, 110), [])
    return root


@pytest.fixture(scope='module')
def made(tool, sets, tmp_path_factory):
    """The data set made of the sets and 20 generated negatives."""
    out = tmp_path_factory.mktemp('made') / 'data'
    tool.main(['--data', str(sets), '--out', str(out), '--negatives', '20', '--side', '96'])
    return out


def names(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob('*.jpg')}


def test_photographs_are_sorted_by_what_they_show(made):
    positives = names(made / 'train/positives') | names(made / 'test/positives')
    negatives = names(made / 'train/negatives') | names(made / 'test/negatives')
    assert positives == {f'pets-{n:03d}.jpg' for n in range(40)}
    assert {name for name in negatives if name.startswith('pets/')} == {
        f'pets/{n:03d}.jpg' for n in range(40, 80)
    }
    assert {name.split('/')[0] for name in negatives} == {'pets', 'crowd', 'generated'}
    assert 'crowd/090.jpg' not in negatives


def test_no_image_is_on_both_sides_or_twice(made):
    for kind in ('positives', 'negatives'):
        assert not names(made / 'train' / kind) & names(made / 'test' / kind)
    kept = [cv2.imread(str(path)) for path in made.rglob('*.jpg') if 'generated' not in str(path)]
    thumbnails = np.stack(
        [cv2.resize(image, (8, 6), interpolation=cv2.INTER_AREA) for image in kept]
    )
    flat = thumbnails.reshape(len(kept), -1).astype(int)
    distance = np.abs(flat[:, None] - flat[None]).mean(-1) + 255 * np.eye(len(kept))
    assert distance.min() > 15


def test_boxes_shrink_with_the_images(made):
    for split in ('train', 'test'):
        content = json.loads((made / f'{split}.json').read_text())
        assert [category['name'] for category in content['categories']] == ['target']
        with_boxes = {entry['image_id'] for entry in content['annotations']}
        for image in content['images']:
            pixels = cv2.imread(str(made / image['file_name']))
            assert pixels.shape[:2] == (image['height'], image['width']) == (72, 96)
            assert (image['id'] in with_boxes) == ('positives' in image['file_name'])
        for entry in content['annotations']:
            np.testing.assert_allclose(entry['bbox'], [24, 18, 48, 36], atol=0.01)


def test_test_list_has_the_negatives_and_the_training_list_has_not(made):
    files = {
        split: {image['file_name'] for image in json.loads((made / f'{split}.json').read_text())['images']}
        for split in ('train', 'test')
    }  # fmt: skip
    assert files['train'] == {f'train/positives/{n}' for n in names(made / 'train/positives')}
    assert files['test'] == {f'test/{name}' for name in names(made / 'test')}


def test_manifest_counts_what_was_written(made):
    counts = json.loads((made / 'manifest.json').read_text())['counts']
    for split in ('train', 'test'):
        written = {}
        for name in names(made / split / 'negatives'):
            group = name.split('/')[0]
            written[group] = written.get(group, 0) + 1
        assert counts[split]['negatives'] == written
    assert counts['train']['negatives']['generated'] == 12
    assert counts['test']['negatives']['generated'] == 8


def test_same_options_change_nothing_and_others_are_refused(tool, sets, made, capsys):
    before = {path: path.stat().st_mtime_ns for path in made.rglob('*')}
    arguments = ['--data', str(sets), '--out', str(made), '--negatives', '20']
    tool.main([*arguments, '--side', '96'])
    assert {path: path.stat().st_mtime_ns for path in made.rglob('*')} == before
    with pytest.raises(SystemExit):
        tool.main(arguments)
    assert 'made with other options' in capsys.readouterr().err


def test_folds_test_with_other_images_and_cover_all(tool):
    imgs = [tool.StudyImage('pets', f'{n:03d}', img(0)) for n in range(100)]
    tested = [{p.name for p in imgs if tool.split_of(p, fold) == 'test'} for fold in range(5)]
    assert set.union(*tested) == {p.name for p in imgs}
    assert all(25 <= len(names_) <= 55 for names_ in tested)
    assert not tested[0] & tested[2]


def test_sets_that_are_held_out_are_the_test(tool, tmp_path, capsys):
    write_set(tmp_path / 'sets' / 'zoo', range(8), [(3, 3, [80, 60, 160, 120], 0)])
    write_set(tmp_path / 'sets' / 'farm', range(20, 30), [])
    out = tmp_path / 'data'
    arguments = ['--data', str(tmp_path / 'sets'), '--out', str(out), '--negatives', '20']
    with pytest.raises(SystemExit):
        tool.main([*arguments, '--held-out', 'zoo'])
    assert 'the train images lack positives' in capsys.readouterr().err
    write_set(tmp_path / 'sets' / 'town', range(40, 46), [(40, 3, [0, 0, 32, 24], 0)])
    tool.main([*arguments, '--held-out', 'zoo'])
    assert names(out / 'test/positives') == {'zoo-003.jpg'}
    assert names(out / 'train/positives') == {'town-040.jpg'}
    sides = {
        side: {name.split('/')[0] for name in names(out / side / 'negatives')}
        for side in ('train', 'test')
    }
    assert sides == dict(train={'farm', 'town', 'generated'}, test={'zoo', 'generated'})
    assert len(names(out / 'test/negatives')) == 7 + 8  # eight of 20 generated ones


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--held-out', 'zoo', '--data'], '--held-out names zoo, but the sets are '),
        (['--held-out', 'pets'], 'give --data too'),
    ],
)
def test_sets_that_cannot_be_held_out(tool, sets, tmp_path, capsys, options, message):
    data = [str(sets)] if options[-1] == '--data' else []
    with pytest.raises(SystemExit):
        tool.main([*options, *data, '--out', str(tmp_path / 'data')])
    assert message in capsys.readouterr().err


def test_generated_values_are_alone_in_their_box(tool, tmp_path):
    tool.main(['--out', str(tmp_path / 'data'), '--positives', '10', '--negatives', '100'])
    content = json.loads((tmp_path / 'data' / 'train.json').read_text())
    assert len(content['images']) == len(content['annotations']) == 6
    for entry in content['annotations']:
        left, top, width, height = entry['bbox']
        assert left > 0
        assert top > 0
        assert width * height >= tool.GENERATED_SIZE[0]
    counts = json.loads((tmp_path / 'data' / 'manifest.json').read_text())['counts']
    assert counts['train'] == dict(positives=dict(generated=6), negatives=dict(generated=60))


def test_negatives_without_data_show_shapes_in_one_of_ten(tool):
    scenes = {'all': 0, 'shapes': 0}
    for fold_split, index in tool.numbered(100, 0):
        scenes['all'] += 1
        scenes['shapes'] += tool.has_shapes(index)
        assert fold_split in ('train', 'test')
    assert scenes == {'all': 100, 'shapes': 10}
    by_split = [split for split, index in tool.numbered(100, 0) if tool.has_shapes(index)]
    assert by_split.count('train') == 6


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--data', 'nowhere'], 'no <set>/annotations.json'),
        (['--target', 'unicorn'], 'names of --target'),
    ],
)
def test_wrong_options_are_explained(tool, sets, tmp_path, arguments, message, capsys):
    base = ['--data', str(sets), '--out', str(tmp_path / 'data'), '--negatives', '10']
    with pytest.raises(SystemExit):
        tool.main(base + arguments)
    assert message in capsys.readouterr().err


def test_a_folder_of_something_else_is_left_alone(tool, tmp_path, capsys):
    (tmp_path / 'thesis.txt').write_text('mine')
    with pytest.raises(SystemExit):
        tool.main(['--out', str(tmp_path)])
    assert 'not empty' in capsys.readouterr().err
    assert (tmp_path / 'thesis.txt').read_text() == 'mine'


def test_help_teaches(tool, capsys):
    text = help_of(tool, capsys)
    assert 'easily mistaken' in text
    assert '--leave-out' in text
