"""Writes ``docs/images/studio.png``: the page of ``mmpolar studio`` with a generated video.

Usage: python docs/draw_studio.py (needs Playwright and Chromium)
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from mmpolar.datasets.synthetic import Scene, photo_scene
from mmpolar.structures.polar import mask_to_box
from mmpolar.visualization import VideoWriter

OUT = Path(__file__).parent / 'images' / 'studio.png'
SCENE, FRAMES = 'coffee-over-lake', 48
SIZE = dict(width=1240, height=700)
COLORS, BACK = 200, 15


def main() -> None:
    """Serve a project of one video, label it as a user does, and take the image."""
    scene = photo_scene(SCENE, FRAMES)
    with tempfile.TemporaryDirectory() as parent:
        folder = str(Path(parent, 'my_videos'))
        with VideoWriter(Path(folder, 'coffee.mp4'), 25, scene.size) as writer:
            for number in range(FRAMES):
                writer.write(scene.render(number)[0])
        words = ['studio', folder, '--no-browser', '--port', '0']
        with subprocess.Popen(
            [sys.executable, '-m', 'mmpolar.cli', *words], stdout=subprocess.PIPE, text=True
        ) as server:
            try:
                address = server.stdout.readline().split()[-1]
                with sync_playwright() as playwright:
                    browser = playwright.chromium.launch(
                        executable_path=shutil.which('chromium'), args=['--no-sandbox']
                    )
                    page = browser.new_page(viewport=SIZE)
                    page.goto(address)
                    label(page, scene)
                    page.screenshot(path=OUT)
                    browser.close()
            finally:
                server.terminate()
    image = Image.open(OUT).convert('RGB')
    image.quantize(COLORS, dither=Image.Dither.NONE).save(OUT, optimize=True)
    print(f'wrote {OUT}, {OUT.stat().st_size / 1e3:.0f} kB')


def label(page: Page, scene: Scene) -> None:
    """Mark the target with a box, track it, and name it."""
    page.locator('#hint', has_text='Mark target 1').wait_for()
    canvas = page.locator('#canvas').bounding_box()
    width, height = scene.size
    scale = min(canvas['width'] / width, canvas['height'] / height)
    left = canvas['x'] + (canvas['width'] - scale * width) / 2
    top = canvas['y'] + (canvas['height'] - scale * height) / 2
    x1, y1, x2, y2 = (scale * (float(side) + 0.5) for side in mask_to_box(scene.render(0)[1]))
    page.mouse.move(left + x1, top + y1)
    page.mouse.down()
    page.mouse.move(left + x2, top + y2, steps=3)
    page.mouse.up()
    page.locator('#message', has_text='is labelled').wait_for()
    page.on('dialog', lambda dialog: dialog.accept('coffee'))
    page.dblclick('#targets .name')
    page.locator('#targets .name', has_text='coffee').wait_for()
    page.fill('#targets input', '#28a0ff')
    page.keyboard.press('t')
    page.locator('#message', has_text='track has ended').wait_for(timeout=200_000)
    page.keyboard.press('End')
    for _ in range(BACK):
        page.keyboard.press('ArrowLeft')
    page.locator(f'#canvas[data-frame="{FRAMES - 1 - BACK}"]').wait_for()


if __name__ == '__main__':
    main()
