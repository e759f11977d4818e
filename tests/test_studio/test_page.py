"""A new user's way in a real browser: from a video without labels to a dataset."""

import shutil

import numpy as np
import pytest
from browser import open_page
from studio_server import SCENE, write_video

from mmpolar.evaluation.functional import region_similarity
from mmpolar.structures.polar import mask_to_box
from mmpolar.utils.image import read_mask

#: A job may wait for the processors of a busy machine.
PATIENCE = 60_000


@pytest.fixture
def page():
    with open_page(viewport=dict(width=1300, height=800)) as opened:
        opened.set_default_timeout(PATIENCE)
        yield opened


def expect_text(page, place, text):
    page.locator(f'#{place}', has_text=text).wait_for(timeout=PATIENCE)


def go_to(page, key, frame):
    page.keyboard.press(key)
    page.locator(f'#canvas[data-frame="{frame}"]').wait_for(timeout=PATIENCE)


# The canvas is transparent until the first frame is there, and takes no clicks.
FRAME_IS_SHOWN = """() => {
  const canvas = document.querySelector('#canvas');
  const [x, y] = [canvas.width / 2, canvas.height / 2];
  return canvas.getContext('2d').getImageData(x, y, 1, 1).data[3] === 255;
}"""


def on_screen(page, x, y):
    """Where a position of a frame is on the page."""
    box = page.locator('#canvas').bounding_box()
    width, height = SCENE.size
    scale = min(box['width'] / width, box['height'] / height)
    return (
        box['x'] + (box['width'] - scale * width) / 2 + scale * (x + 0.5),
        box['y'] + (box['height'] - scale * height) / 2 + scale * (y + 0.5),
    )


def drag(page, start, end):
    page.mouse.move(*on_screen(page, *start))
    page.mouse.down()
    page.mouse.move(*on_screen(page, *end), steps=4)
    page.mouse.up()


def open_server(page, server):
    page.goto(server.address)
    expect_text(page, 'number', 'frame 0 of 12')
    expect_text(page, 'hint', 'Mark target 1')
    page.wait_for_function(FRAME_IS_SHOWN)


def test_from_a_video_without_labels_to_a_dataset(page, tmp_path, serve):
    (tmp_path / 'videos').mkdir()
    write_video(tmp_path / 'car.mp4')
    page.goto(serve(tmp_path / 'videos').address)
    expect_text(page, 'hint', 'No video yet')
    page.set_input_files('#upload', tmp_path / 'car.mp4')
    expect_text(page, 'hint', 'Mark target 1: draw a box around it')
    page.wait_for_function(FRAME_IS_SHOWN)

    gt = [SCENE.render(number)[1] for number in range(len(SCENE))]
    x1, y1, x2, y2 = mask_to_box(gt[0])
    drag(page, (x1, y1), (x2, y2))
    expect_text(page, 'message', 'frame 0 is labelled')
    page.keyboard.press('t')
    expect_text(page, 'message', 'track has ended')
    page.locator('#canvas[data-frame="11"]').wait_for()  # followed up to the last frame
    expect_text(page, 'complete', '12 frames')

    # Correct the last frame: paint a part of the mask, and erase it again.
    go_to(page, 'End', 11)
    for key in 'de':  # one stroke after the other, without waiting
        page.keyboard.press(key)
        drag(page, (4, 4), (30, 4))
    expect_text(page, 'message', 'frame 11 is labelled')
    page.keyboard.press('t')
    expect_text(page, 'message', 'track has ended')

    # Another target, which is absent but for one frame, where the brush marks it.
    page.click('#new-target')
    expect_text(page, 'hint', 'Mark target 2')
    expect_text(page, 'complete', '0 frames')
    go_to(page, 'End', 11)
    page.keyboard.press('d')
    drag(page, (140, 10), (150, 10))
    expect_text(page, 'message', 'frame 11 is labelled')
    go_to(page, 'Home', 0)
    page.keyboard.press('Shift+A')
    expect_text(page, 'hint', 'target 2 is marked as absent')
    expect_text(page, 'complete', '12 frames')

    page.click('#export')
    expect_text(page, 'exported', '12 frames of 1 clip are in')
    folder = tmp_path / 'videos/mmpolar-studio/exports/davis/Annotations/480p/car'
    ids = [read_mask(path) for path in sorted(folder.iterdir())]
    assert np.mean([region_similarity(i == 1, m) for i, m in zip(ids, gt, strict=True)]) > 0.75
    assert [bool((i == 2).any()) for i in ids] == [False] * 11 + [True]


def test_undo_and_marks_by_keys(page, folder, serve):
    open_server(page, serve(folder))
    page.keyboard.press('a')
    expect_text(page, 'hint', 'marked as absent')
    go_to(page, 'ArrowRight', 1)
    page.keyboard.press('l')
    expect_text(page, 'hint', 'not known here')
    for text in ('no label here', 'Mark target 1'):
        page.keyboard.press('Control+z')
        expect_text(page, 'hint', text)
    expect_text(page, 'undo', 'Undo')
    assert page.locator('#undo').is_disabled()


def test_a_new_target_has_the_name_and_the_color_of_no_other(page, folder, serve):
    open_server(page, serve(folder))
    page.on('dialog', lambda dialog: dialog.accept())
    page.click('#new-target')
    expect_text(page, 'hint', 'Mark target 2')
    page.locator('#targets button[title^=remove]').first.click()
    page.wait_for_function("() => document.querySelectorAll('#targets li').length === 1")
    page.click('#new-target')
    expect_text(page, 'hint', 'Mark target 3')
    colors = page.locator('#targets input').evaluate_all('all => all.map((one) => one.value)')
    assert len(set(colors)) == 2


def test_a_target_is_renamed_by_its_button_or_a_key(page, folder, serve):
    open_server(page, serve(folder))
    names = iter(['car', 'bus', 'van'])
    page.on('dialog', lambda dialog: dialog.accept(next(names)))
    page.click('#targets button[title^=rename]')
    expect_text(page, 'targets', 'car')
    page.keyboard.press('r')
    expect_text(page, 'targets', 'bus')
    page.dblclick('#targets .name')
    expect_text(page, 'targets', 'van')
    expect_text(page, 'hint', 'Mark van')


def test_a_click_finds_the_object(page, folder, serve):
    server = serve(folder)
    open_server(page, server)
    page.keyboard.press('c')
    gt = SCENE.render(0)[1]
    y, x = np.argwhere(gt).mean(0)
    page.mouse.click(*on_screen(page, x, y))
    expect_text(page, 'message', 'frame 0 is labelled')
    [label] = server.ask('api/clips/1')[1]['labels']
    runs = server.ask(f'api/labels/{label["revision"]}')[1]['runs']
    mask = np.repeat(np.arange(len(runs)) % 2, runs).reshape(gt.shape)
    assert mask[round(y), round(x)]


def test_two_pages_see_each_other_and_conflicts_are_said(page, folder, serve):
    server = serve(folder)
    open_server(page, server)
    other = page.context.browser.new_page()
    other.set_default_timeout(PATIENCE)
    open_server(other, server)
    page.keyboard.press('a')
    expect_text(page, 'hint', 'marked as absent')
    expect_text(other, 'hint', 'marked as absent')  # it looks for news now and then

    # The other page acts on what it saw before the news.
    other.route('**/api/clips/1?since=*', lambda route: route.abort())
    page.keyboard.press('Delete')
    expect_text(page, 'hint', 'Mark target 1')
    page.keyboard.press('l')
    expect_text(page, 'hint', 'not known here')
    other.keyboard.press('a')
    other.unroute('**/api/clips/1?since=*')
    expect_text(other, 'hint', 'not known here')
    [label] = server.ask('api/clips/1')[1]['labels']
    assert label['kind'] == 'lost'


def test_of_clips_that_are_chosen_in_a_hurry_the_last_is_open(page, folder, serve):
    shutil.copy(folder / 'car.mp4', folder / 'bus.mp4')
    server = serve(folder)
    page.goto(server.address)
    page.locator('#clips li', has_text='car.mp4').wait_for()
    page.evaluate("""() => {
      const items = [...document.querySelectorAll('#clips li')];
      for (const index of [1, 0, 1, 0, 1]) items[index].click();
    }""")
    page.wait_for_load_state('networkidle')
    page.locator('#clips li.chosen', has_text='car.mp4').wait_for()
    for clip in (1, 2):
        assert len(server.ask(f'api/clips/{clip}')[1]['targets']) == 1
