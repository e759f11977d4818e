"""Review pages of a project: served with the package's own code, decisions into the file beside them."""

import json

import cv2
import numpy as np
import pytest
from browser import open_page

from mmpolar.mining.candidate import Candidate
from mmpolar.mining.review import Alarm, read_decisions, write_review_page
from mmpolar.studio.reviews import Reviews

NAME = 'round_1/review.html'


@pytest.fixture
def round_folder(folder):
    """Two alarms in a folder of the project."""
    out = folder / 'round_1'
    alarms = []
    for number in range(2):
        path = folder.parent / f'{number}.png'
        cv2.imwrite(str(path), np.full((60, 80, 3), 90 * number + 40, np.uint8))
        alarms.append(Alarm(Candidate(str(path), 0.9 - number / 10, box=(10, 10, 40, 40))))
    out.mkdir()
    write_review_page(out / 'review.html', alarms, 'round 1')
    return out


def line(key, decision, time):
    return json.dumps(dict(key=key, decision=decision, time=time, box=[1, 2, 3, 4])) + '\n'


def test_decisions_by_keys_are_in_the_file_at_once_and_come_back(round_folder, folder, serve):
    server = serve(folder)
    assert server.ask('api/reviews')[1] == [NAME]
    with open_page() as page:
        page.goto(f'{server.address}reviews/{NAME}')
        page.locator('.item').first.wait_for()
        with page.expect_response(lambda answer: answer.request.method == 'POST') as saved:
            page.keyboard.press('f')
        assert saved.value.ok
        [decision] = read_decisions(round_folder / 'review_decisions.jsonl').values()
        assert decision.decision == 'false_alarm'
    with open_page() as other:  # another browser
        other.goto(f'{server.address}reviews/{NAME}')
        other.locator('#status', has_text='1 of 2 decided').wait_for()


def test_the_later_decision_of_two_people_counts(round_folder, project):
    reviews = Reviews(project)
    reviews.save(NAME, line('a.png', 'target', 20) + line('b.png', 'ignore', 10))
    reviews.save(NAME, line('a.png', 'ignore', 15) + line('b.png', 'undecided', 30))
    decisions = read_decisions(round_folder / 'review_decisions.jsonl')
    assert {key: one.decision for key, one in decisions.items()} == {'a.png': 'target'}
    before = (round_folder / 'review_decisions.jsonl').read_bytes()
    for wrong in ('nonsense', '[]\n', line('c.png', 'other', 1)):
        with pytest.raises(ValueError, match='.'):
            reviews.save(NAME, line('c.png', 'ignore', 40) + wrong)
    assert (round_folder / 'review_decisions.jsonl').read_bytes() == before


def test_other_pages_and_paths_are_refused(round_folder, folder, project):
    reviews = Reviews(project)
    page = (round_folder / 'review.html').read_text()
    (round_folder / 'changed.html').write_text(page.replace("'use strict';", 'steal();'))
    (folder.parent / 'outside.html').write_text(page)
    (round_folder / 'link.html').symlink_to(folder.parent / 'outside.html')
    assert reviews.names() == [NAME]
    for name in ('round_1/changed.html', 'round_1/link.html', '../outside.html', 'round_1/../../x'):
        with pytest.raises(ValueError, match='no review page|leads out|cannot name'):
            reviews.page(name)
    for name in ('../outside.html', 'round_1/link.html'):
        with pytest.raises(ValueError, match='leads out|cannot name'):
            reviews.save(name, line('a.png', 'ignore', 1))
