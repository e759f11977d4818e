"""The review page in a real browser."""

import json
import time

import cv2
import numpy as np
import pytest
from browser import open_browser

from mmpolar.mining.candidate import Candidate
from mmpolar.mining.review import (
    FALSE_ALARM,
    IGNORE,
    TARGET,
    Alarm,
    Decision,
    read_decisions,
    write_review_page,
)

BOX = (10.0, 8.0, 40.0, 30.0)
EVIL = '</script><script>window.hacked = 1</script>'


@pytest.fixture(scope='module')
def browser():
    with open_browser() as opened:
        yield opened


@pytest.fixture
def page(browser):
    """A page with a storage of its own; a script error on it fails the test."""
    with browser.new_context(viewport=dict(width=900, height=900)) as context:
        opened, errors = context.new_page(), []
        opened.on('pageerror', lambda error: errors.append(str(error)))
        yield opened
        assert errors == []


@pytest.fixture(scope='module')
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp('images') / 'frame.jpg'
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8))
    return str(path)


def candidate(image, key, score, scene, **options):
    return Alarm(Candidate(key, score, image, scene=scene, **dict(dict(box=BOX), **options)))


@pytest.fixture
def few(image, tmp_path):
    """A page of five alarms in three scenes; one has no box, one no image, one is decided."""
    alarms = [
        candidate(image, 'low', 0.2, 0),
        candidate(image, 'high', 0.9, 0, label='dog', reasons=('steady',)),
        candidate(image, 'boxless', 0.5, 1, box=None),
        candidate('/gone.jpg', f'gone{EVIL}', 0.4, 1),
        candidate(image, 'decided', 0.1, None),
    ]
    decided = {'decided': Decision('decided', FALSE_ALARM, image, time=7.0)}
    write_review_page(tmp_path / 'round_0003.html', alarms, f'Round 3 {EVIL}', decided)
    return tmp_path / 'round_0003.html'


def keys_shown(page):
    return page.eval_on_selector_all('.item', 'nodes => nodes.map(node => node.title)')


def saved(page, folder, name='saved.jsonl'):
    """The decisions of the file that the page gives to download."""
    with page.expect_download() as waiting:
        page.keyboard.press('s')
    assert waiting.value.suggested_filename == 'round_0003_decisions.jsonl'
    waiting.value.save_as(folder / name)
    return read_decisions(folder / name)


def without_file_picker(page):
    # A dialog of the system, which a program cannot answer: the page then offers a download.
    page.add_init_script('delete window.showSaveFilePicker')


def test_alarms_are_shown_by_scene_worst_first_with_boxes(page, few):
    page.goto(few.as_uri())
    assert keys_shown(page) == ['high', 'low', 'boxless', f'gone{EVIL}', 'decided']
    heads = page.eval_on_selector_all('.scene', 'nodes => nodes.map(node => node.textContent)')
    assert heads == ['Scene 1 (2)', 'Scene 2 (2)', 'Scene 3 (1)']
    assert page.title() == f'Round 3 {EVIL}'
    assert page.evaluate('window.hacked') is None
    assert page.inner_text('#summary') == '5 alarms, 3 scenes, 1 suspects'
    assert page.locator('.item', has_text='suspect: steady').get_attribute('title') == 'high'
    assert page.inner_text('#status') == '1 of 5 decided, all saved'
    # The box lies on the image where it does in the file.
    frame = page.locator('.item >> nth=0 >> .frame')
    shown, box = frame.bounding_box(), frame.locator('rect.alarm').bounding_box()
    scale = shown['width'] / 64
    assert abs(box['x'] - shown['x'] - BOX[0] * scale) < 3
    assert abs(box['width'] - 30 * scale) < 5
    loaded = 'nodes => nodes.every(node => node.complete && node.naturalWidth > 0)'
    page.wait_for_function(f'({loaded})([...document.images])')


def test_keys_decide_undo_and_save_what_the_next_round_reads(page, few, tmp_path):
    without_file_picker(page)
    page.goto(few.as_uri())
    for key in ('t', 'f', 'i', 'f', 'u', 'u'):
        page.keyboard.press(key)
    made = saved(page, tmp_path)
    assert {key: one.decision for key, one in made.items()} == {
        'high': TARGET,
        'low': FALSE_ALARM,
        'decided': FALSE_ALARM,
    }
    assert made['high'].box == BOX
    assert made['high'].label == 'dog'
    assert made['high'].image.endswith('frame.jpg')
    assert abs(made['high'].time - time.time()) < 60
    assert made['decided'].time == 7.0
    assert page.inner_text('#status') == '3 of 5 decided, all saved'
    # An undone decision takes back what an earlier file says.
    page.keyboard.press('u')
    assert set(saved(page, tmp_path, 'z.jsonl')) == {'high', 'decided'}
    assert set(read_decisions(tmp_path)) == {'high', 'decided'}


def test_a_whole_scene_is_decided_at_once_and_taken_back_at_once(page, few):
    page.goto(few.as_uri())
    page.keyboard.press('ArrowRight')
    page.keyboard.press('i')
    page.keyboard.press('ArrowLeft')
    page.keyboard.press('ArrowLeft')
    page.keyboard.press('Shift+F')
    read = 'nodes => nodes.map(node => node.dataset.decision)'
    decisions = page.eval_on_selector_all('.item', read)
    assert decisions == ['false_alarm', 'ignore', '', '', 'false_alarm']
    assert page.locator('.item.current').get_attribute('title') == 'boxless'
    page.keyboard.press('Control+z')
    assert page.eval_on_selector_all('.item', read) == ['', 'ignore', '', '', 'false_alarm']


def test_a_target_without_a_box_gets_one_by_dragging(page, few, tmp_path):
    page.set_viewport_size(dict(width=1200, height=800))
    without_file_picker(page)
    page.goto(few.as_uri())
    page.locator('.item[title=boxless]').click()
    page.keyboard.press('t')
    frame = page.locator('#large .frame')
    area = frame.bounding_box()
    page.mouse.move(area['x'] + area['width'] / 4, area['y'] + area['height'] / 4)
    page.mouse.down()
    page.mouse.move(area['x'] + area['width'] * 3 / 4, area['y'] + area['height'] / 2, steps=3)
    page.mouse.up()
    page.keyboard.press('Escape')
    made = saved(page, tmp_path)['boxless']
    assert made.decision == TARGET
    np.testing.assert_allclose(made.box, (16, 12, 48, 24), atol=1)


def test_filters_show_what_is_left_and_what_is_suspect(page, few):
    page.goto(few.as_uri())
    page.select_option('#filter', 'suspects')
    assert keys_shown(page) == ['high']
    page.select_option('#filter', 'decided')
    assert keys_shown(page) == ['decided']
    page.select_option('#filter', 'open')
    assert keys_shown(page) == ['high', 'low', 'boxless', f'gone{EVIL}']
    page.keyboard.press('n')
    assert page.locator('.item.current').get_attribute('title') == 'high'


def test_the_browser_keeps_decisions_that_were_not_saved(page, few):
    page.goto(few.as_uri())
    page.keyboard.press('f')
    again = page.context.new_page()
    again.goto(few.as_uri())
    assert again.inner_text('#status') == '2 of 5 decided, 1 not saved'


def test_decisions_are_written_to_the_chosen_file_after_each_change(page, few, tmp_path):
    # In place of the system's dialog: the file that it would give.
    page.add_init_script("""
        window.written = [];
        window.showSaveFilePicker = async options => ({createWritable: async () => ({
            write: async text => window.written.push(text), close: async () => {}})});
    """)
    page.goto(few.as_uri())
    page.keyboard.press('f')
    page.keyboard.press('s')
    page.wait_for_function('window.written.length === 1')
    page.keyboard.press('i')
    page.wait_for_function('window.written.length === 2')
    (tmp_path / 'own.jsonl').write_text(page.evaluate('window.written[1]'))
    page.wait_for_function("document.getElementById('status').textContent.endsWith('all saved')")
    decisions = [one.decision for one in read_decisions(tmp_path / 'own.jsonl').values()]
    assert decisions == [FALSE_ALARM, FALSE_ALARM, IGNORE]


def write_many(path, image, count):
    rng = np.random.default_rng(0)
    alarms = [
        candidate(image, f'frame{number}', float(score), int(rng.integers(count // 8)))
        for number, score in enumerate(rng.random(count))
    ]
    done = []
    write_review_page(path, alarms, on_progress=done.append)
    assert sum(done) == count
    return path.as_uri()


def milliseconds_of_use(page, address):
    """Medians of scrolling to any position and of a decision."""
    page.goto(address)
    times = page.evaluate("""() => {
        const list = document.getElementById('list'), times = {scroll: [], decide: []};
        const timed = (name, act) => {
            const start = performance.now();
            act();
            list.getBoundingClientRect();
            times[name].push(performance.now() - start);
        };
        for (let step = 0; step < 40; step++) {
            list.scrollTop = ((step * 17) % 40) * list.scrollHeight / 40;
            timed('scroll', render);
        }
        list.scrollTop = 0;
        for (let step = 0; step < 40; step++) timed('decide', () => decide('false_alarm', false));
        return times;
    }""")
    return np.array([np.median(times['scroll']), np.median(times['decide'])])


def test_three_thousand_alarms_are_used_as_fast_as_two_hundred(page, image, tmp_path):
    page.set_viewport_size(dict(width=1300, height=900))
    few = write_many(tmp_path / 'few.html', image, 200)
    many = write_many(tmp_path / 'many.html', image, 3000)
    # Side by side, as other programs may be at work; drawing all would take fifteen times as long.
    ratios = [milliseconds_of_use(page, many) / milliseconds_of_use(page, few) for _ in range(3)]
    assert np.median(ratios, axis=0).max() < 4, ratios
    page.goto(many)
    assert 0 < page.locator('.item').count() < 60
    assert page.inner_text('#status').startswith('40 of 3000 decided')
    page.keyboard.press('n')
    assert page.locator('.item.current').is_visible()


def test_what_the_page_embeds_is_json_without_an_end_of_its_element(few):
    text = few.read_text()
    start = text.index('id="data">') + len('id="data">')
    data = json.loads(text[start : text.index('</script>', start)])
    assert len(data['items']) == 5
    assert data['items'][0]['window'] == [1, 0, 49, 48]
