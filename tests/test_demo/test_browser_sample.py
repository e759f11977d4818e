"""The browser sample finds the boxes that Python finds."""

import json
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import cv2
import pytest
from browser import open_page
from sample_clips import (
    DEMO,
    SOON_LOST,
    assert_same,
    model_folder,
    moving_clip,
    python_lines,
    read_lines,
    vanishing_clip,
)

BROWSER = DEMO / 'browser'


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def test_lock_pins_what_the_page_loads_and_names_no_server():
    package = json.loads((BROWSER / 'package.json').read_text())
    text = (BROWSER / 'package-lock.json').read_text()
    locked = json.loads(text)['packages']
    for name, version in package['dependencies'].items():
        assert locked[f'node_modules/{name}']['version'] == version
        assert locked[f'node_modules/{name}']['integrity']
    assert 'http' not in text


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """The page, with what package-lock.json names installed beside it."""
    if shutil.which('npm') is None:
        pytest.skip('no npm on this machine')
    root = tmp_path_factory.mktemp('browser')
    page = root / 'page'
    shutil.copytree(BROWSER, page, ignore=shutil.ignore_patterns('node_modules'))
    subprocess.run(['npm', 'ci', '--ignore-scripts'], cwd=page, check=True, timeout=300)
    return root


@pytest.fixture(scope='module')
def server(root):
    """Its address."""
    handler = partial(QuietHandler, directory=str(root))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


def track_on_page(address, clip):
    """What the page says, and the lines that it gives."""
    frames, box = clip
    files = [
        dict(name=f'{n}.png', mimeType='image/png', buffer=cv2.imencode('.png', f)[1].tobytes())
        for n, f in enumerate(frames)
    ]
    with open_page() as page:
        page.goto(address)
        page.set_input_files('#files', files)
        page.wait_for_function('!document.getElementById("track").disabled')
        page.fill('#box', ','.join(map(str, [*box[:2], *(box[2:] - box[:2])])))
        page.click('#track')
        page.wait_for_function(
            '/Done|Failed/.test(document.getElementById("state").value)', timeout=300_000
        )
        return page.evaluate('document.getElementById("state").value'), page.input_value('#lines')


@pytest.mark.slow
@pytest.mark.parametrize('make_clip', [moving_clip, vanishing_clip])
def test_browser_finds_the_boxes_of_python(make_clip, root, server):
    clip, name = make_clip(), make_clip.__name__
    folder = model_folder(root / name, **SOON_LOST, second_peak_score=0.01)
    expected = python_lines(clip, folder)
    assert expected[:, 5].all() == (make_clip is moving_clip)
    said, lines = track_on_page(f'{server}/page/index.html?model=/{name}/', clip)
    assert said.startswith('Done'), said
    assert_same(read_lines(lines), expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    'presence',
    [
        (-0.2, 0.4, 1.0, 0.0, 1.0, 1.0),
        dict(bias=-4.0, completeness=2.0, quality=0.3, color=3.0, contrast=1.0, online=1.0),
    ],
)
def test_browser_has_the_online_model_of_python(presence, root, server):
    clip = moving_clip()
    online = dict(online_share=0.5, online_interval=2, online_score=0.0, online_rate=0.5)
    name = 'online' if isinstance(presence, dict) else 'list'
    folder = model_folder(root / name, presence=presence, **online)
    said, lines = track_on_page(f'{server}/page/index.html?model=/{name}/', clip)
    assert said.startswith('Done'), said
    assert_same(read_lines(lines), python_lines(clip, folder))


@pytest.mark.slow
def test_page_says_that_there_is_no_model(server):
    said, _ = track_on_page(f'{server}/page/index.html?model=/none/', moving_clip())
    assert 'Failed' in said
    assert '/none/model.json' in said
