"""mmpolar mine: what it refuses, and what it leaves out."""

import json

import cv2
import numpy as np
import pytest

from mmpolar.cli.main import main
from mmpolar.mining.lists import read_scores
from mmpolar.mining.review import Decision, write_decisions


@pytest.fixture
def pool(tmp_path, monkeypatch):
    """Twelve images, of which each four are near-copies, and their scores .01 to .12."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    lines = ['image,score,group']
    for scene in range(3):
        colours = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
        image = cv2.resize(colours, (128, 96), interpolation=cv2.INTER_CUBIC)
        for copy in range(4):
            number = 4 * scene + copy
            noisy = np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)
            cv2.imwrite(f'{number:02d}.png', noisy)
            lines.append(f'{number:02d}.png,{(number + 1) / 100},camera{number % 2}')
    (tmp_path / 'scores.csv').write_text('\n'.join(lines))
    return tmp_path


def picked(folder):
    lines = (folder / 'picks.csv').read_text().splitlines()[1:]
    return [line.partition('.')[0] for line in lines]


def test_near_copies_and_groups_have_their_limits(pool, capsys):
    assert (
        main(['mine', 'scores.csv', '--out', 'a', '--num-picks', '3', '--max-per-scene', '1']) == 0
    )
    assert '3 scenes, 1 group,' in capsys.readouterr().out
    assert sorted(int(name) // 4 for name in picked(pool / 'a')) == [0, 1, 2]
    words = ['--max-per-group', '1', '--max-per-scene', '0', '--diversity', '0']
    assert main(['mine', 'scores.csv', '--out', 'b', *words]) == 0
    assert picked(pool / 'b') == ['11', '10']
    assert (
        main(['mine', 'scores.csv', '--out', 'c', '--score-thr', '0.1', '--max-per-scene', '0'])
        == 0
    )
    assert sorted(picked(pool / 'c')) == ['09', '10', '11']


def test_groups_are_found_in_paths(pool, capsys):
    text = (pool / 'scores.csv').read_text().replace(',camera0', ',').replace(',camera1', ',')
    (pool / 'plain.csv').write_text(text)
    words = ['--max-per-group', '2', '--max-per-scene', '0', '--diversity', '0']
    assert main(['mine', 'plain.csv', '--out', 'a', '--group', '^[01]', *words]) == 0
    assert '2 groups' in capsys.readouterr().out
    assert picked(pool / 'a') == ['11', '10', '09', '08']
    assert main(['mine', 'plain.csv', '--out', 'b', '--group', 'camera', *words]) == 2
    assert 'does not match' in capsys.readouterr().err


def test_images_that_cannot_be_read_are_named_and_left_out(pool, capsys):
    (pool / '11.png').write_bytes(b'no image')
    words = ['--num-picks', '2', '--diversity', '0', '--max-per-scene', '0']
    assert main(['mine', 'scores.csv', '--out', 'a', *words]) == 0
    assert '1 of the hardest images left out: 11.png' in capsys.readouterr().out
    assert picked(pool / 'a') == ['10', '09']
    assert main(['mine', 'scores.csv', '--out', 'b', '--data-root', 'elsewhere']) == 2
    assert 'give the folder that their paths start from (--data-root)' in capsys.readouterr().err
    assert not (pool / 'b').exists()


def test_a_target_of_an_unknown_class_is_named(pool, capsys):
    box = (1.0, 1.0, 30.0, 40.0)
    write_decisions(
        'made.jsonl',
        [
            Decision('11.png', 'target', box=box, label='dog'),
            Decision('10.png', 'target', box=box, label='cat'),
        ],
    )
    words = ['--decisions', 'made.jsonl', '--classes', 'cat', 'bird']
    assert main(['mine', 'scores.csv', '--out', 'a', *words]) == 0
    assert "1 targets left out: 'dog' is none of the classes cat, bird" in capsys.readouterr().out
    targets = json.loads((pool / 'a/targets.json').read_text())
    assert [image['file_name'] for image in targets['images']] == ['10.png']
    assert not {'10', '11'} & set(picked(pool / 'a'))


def test_scores_of_an_image_are_those_of_its_highest_detection(tmp_path):
    path = tmp_path / 'scores.csv'
    path.write_text(
        '\ufeffimage,score,x,y,w,h,label\n'
        'a.jpg,.2,1,2,3,4,cat\na.jpg,.9,5,6,7,8,dog\nb.jpg,0,,,,,\na.jpg,.9,0,0,1,1,cat\n'
    )
    first, second = read_scores(path, tmp_path, group_of=lambda image: image[0])
    assert (first.key, first.score, first.box, first.label) == ('a.jpg', 0.9, (5, 6, 12, 14), 'dog')
    assert (first.image, first.group) == (str(tmp_path / 'a.jpg'), 'a')
    assert (second.score, second.box) == (0, None)


@pytest.mark.parametrize(
    ('table', 'message'),
    [
        ('image\na.jpg\n', 'no column score'),
        ('image,score\na.jpg,high\n', "line 2: score must be a number, got 'high'"),
        ('image,score\n,0.5\n', 'line 2: image is empty'),
        ('image,score\na.jpg,nan\n', 'score must be a number'),
        ('image,score,x,y,w,h\na.jpg,1,2,3,4,\n', 'a box needs x, y, w and h, but h is empty'),
        ('image,score,x,y,w,h\na.jpg,1,2,3,0,4\n', 'w and h of a box must be above 0'),
        ('image,score\n', 'has no row below its first line'),
    ],
)
def test_tables_with_mistakes_are_refused(tmp_path, capsys, table, message):
    (tmp_path / 'scores.csv').write_text(table)
    out = tmp_path / 'out'
    assert main(['mine', str(tmp_path / 'scores.csv'), '--out', str(out)]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_positives_that_are_not_in_coco_format_are_refused(pool, capsys):
    (pool / 'train.json').write_text('{"images": []}')
    words = ['--positives', 'train.json', '--out', 'a']
    assert main(['mine', 'scores.csv', *words]) == 2
    assert 'needs a list "annotations"' in capsys.readouterr().err
    assert main(['mine', 'scores.csv', '--out', 'a', '--diversity', '2']) == 2
    assert 'weight of diversity must lie in 0..1' in capsys.readouterr().err


def test_a_folder_of_others_is_not_replaced(pool, capsys):
    kept = pool / 'a' / 'yolo' / 'labels.txt'
    kept.parent.mkdir(parents=True)
    kept.write_text('years of work')
    assert main(['mine', 'scores.csv', '--out', 'a', '--num-picks', '3']) == 2
    assert 'yolo holds files' in capsys.readouterr().err
    assert kept.read_text() == 'years of work'
    for _ in range(2):  # a list of an earlier round is
        assert main(['mine', 'scores.csv', '--out', 'b', '--num-picks', '3']) == 0
