"""Candidates and decisions in files, and the targets that come of decisions."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from mmpolar.mining.candidate import Candidate, read_candidates, write_candidates
from mmpolar.mining.review import (
    FALSE_ALARM,
    IGNORE,
    TARGET,
    UNDECIDED,
    Decision,
    read_decisions,
    write_decisions,
    write_targets,
)

BOX = (10.0, 20.0, 30.5, 50.0)


def test_candidates_come_back_from_a_file_as_they_were(tmp_path):
    given = [
        Candidate('a.jpg', 0.9),
        Candidate('b\u2028ü "<x>".jpg', 0.5, '/data/b.jpg', BOX, 'dog', 'cam1', 3, 'v.mp4', 7, ('x',)),
    ]  # fmt: skip
    write_candidates(tmp_path / 'round.jsonl', given)
    assert read_candidates(tmp_path / 'round.jsonl') == given
    assert json.loads((tmp_path / 'round.jsonl').read_text().splitlines()[0]) == dict(
        key='a.jpg', score=0.9
    )


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('{"score": 1}', '"key" must be the name of an image'),
        ('{"key": "a", "score": "high"}', '"score" must be a finite number'),
        ('{"key": "a", "score": NaN}', '"score" must be a finite number'),
        ('{"key": "a", "score": 1, "box": [1, 2, 3]}', '"box" must be x1, y1, x2, y2'),
        ('{"key": "a", "score": 1, "box": [5, 2, 3, 9]}', 'no positive width and height'),
        ('[1]', 'a JSON object is expected'),
        ('{"key"', 'is not valid JSON'),
    ],
)
def test_a_wrong_line_of_candidates_is_named(tmp_path, line, message):
    path = tmp_path / 'round.jsonl'
    path.write_text(f'{{"key": "good", "score": 1}}\n\n{line}\n')
    with pytest.raises(ValueError, match=message) as error:
        read_candidates(path)
    assert f'{path}, line 3' in str(error.value)


def test_the_last_decision_on_an_image_counts_in_whichever_file_it_is(tmp_path):
    write_decisions(
        tmp_path / 'b.jsonl',
        [Decision('1', FALSE_ALARM, time=5), Decision('2', TARGET, box=BOX, time=1)],
    )
    write_decisions(
        tmp_path / 'a.jsonl',
        [
            Decision('1', IGNORE, time=9),
            Decision('2', IGNORE, time=0.5),
            Decision('3', FALSE_ALARM, time=1),
            Decision('3', UNDECIDED, time=2),
        ],
    )
    (tmp_path / 'notes.txt').write_text('not read')
    found = read_decisions(tmp_path)
    assert {key: made.decision for key, made in found.items()} == {'1': IGNORE, '2': TARGET}
    assert found['2'].box == BOX
    assert read_decisions(tmp_path / 'a.jsonl', tmp_path / 'b.jsonl') == found
    assert read_decisions(tmp_path / 'absent') == {}


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        (dict(key='a', decision='maybe'), '"decision" must be one of false_alarm, target'),
        (dict(key='a', decision=TARGET), 'target a has no "box"'),
        (dict(key='', decision=IGNORE), '"key"'),
        (dict(key='a', decision=IGNORE, time='noon'), '"time" must be seconds'),
    ],
)
def test_a_wrong_decision_is_refused(tmp_path, values, message):
    path = tmp_path / 'decisions.jsonl'
    path.write_text(json.dumps(values))
    with pytest.raises(ValueError, match=message):
        read_decisions(path)


def test_targets_become_annotated_images(tmp_path):
    for name, size in (('a.jpg', (60, 80)), ('b.jpg', (40, 30))):
        cv2.imwrite(str(tmp_path / name), np.zeros((*size, 3), np.uint8))
    decisions = [
        Decision('a', TARGET, 'a.jpg', (70, 10, 99, 30), 'cat'),
        Decision('b', TARGET, 'b.jpg', (-3, 5, 20, 25)),
        Decision('c', TARGET, 'gone.jpg', BOX),
        Decision('d', TARGET, 'b.jpg', (31, 5, 40, 25)),
        Decision('e', TARGET, 'b.jpg', BOX, 'cow'),
        Decision('f', FALSE_ALARM, 'b.jpg', BOX),
    ]
    left_out = write_targets(tmp_path / 'targets.json', decisions, ['dog', 'cat'], tmp_path)
    assert set(left_out) == {'c', 'd', 'e'}
    assert 'gone.jpg' in left_out['c']
    assert 'outside the image of 30x40' in left_out['d']
    assert 'none of the classes dog, cat' in left_out['e']
    content = json.loads((tmp_path / 'targets.json').read_text())
    assert [c['name'] for c in content['categories']] == ['dog', 'cat']
    assert content['images'] == [
        dict(id=1, file_name='a.jpg', width=80, height=60),
        dict(id=2, file_name='b.jpg', width=30, height=40),
    ]
    assert [(a['image_id'], a['category_id'], a['bbox'], a['area']) for a in content['annotations']] == [
        (1, 2, [70, 10, 10, 20], 200),
        (2, 1, [0, 5, 20, 20], 400),
    ]  # fmt: skip


def test_records_are_read_without_torch():
    code = (
        'import sys; sys.modules["torch"] = None; '
        'import mmpolar.mining.review, mmpolar.mining.candidate'
    )
    subprocess.run([sys.executable, '-c', code], check=True)
