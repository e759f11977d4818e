"""Draw docs/images/review_page.jpg: the page on which people look at the alarms of a mining round.

The images are photographs that come inside Python packages, set in motion; the scores are made up. Run it
again when the page changes: ``python docs/draw_review_page.py``. It needs Chromium.
"""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from playwright.sync_api import sync_playwright

from mmpolar.datasets.synthetic import PHOTO_SCENES, photo_scene
from mmpolar.mining.candidate import Candidate
from mmpolar.mining.review import Alarm, write_review_page
from mmpolar.mining.scenes import Appearance, Diversity, find_scenes
from mmpolar.structures.polar import mask_to_box

OUT = Path(__file__).parent / 'images/review_page.jpg'
FRAMES, SHOWN = 40, (0, 1, 2, 3, 38, 39)


def main() -> None:
    """Write a page of a few videos, press some keys and keep what it looks like."""
    with TemporaryDirectory() as folder:
        page = Path(folder) / 'round_0003.html'
        write_review_page(page, alarms(Path(folder)), 'Mining round 3')
        draw(page)
    print(f'wrote {OUT}')


def alarms(folder: Path) -> list[Alarm]:
    """Frames of each video, with the box of what moves in them."""
    rng = np.random.default_rng(2)
    candidates = []
    for number, name in enumerate(PHOTO_SCENES):
        scene = photo_scene(name, FRAMES)
        for frame in SHOWN:
            image, mask = scene.render(frame)
            path = folder / f'{name}_{frame}.jpg'
            cv2.imwrite(str(path), image)
            box = tuple(map(float, mask_to_box(mask)))
            key = f'cam{number % 2}/{name}.mp4#{frame}'
            score = float(rng.uniform(0.3, 0.95))
            reasons = ('steady',) if number == 0 else ()
            candidates.append(
                Candidate(key, score, str(path), box, group=f'cam{number % 2}', reasons=reasons)
            )
    candidates.sort(key=lambda one: -one.score)
    looks = Appearance.of_files([one.image for one in candidates])
    scenes = find_scenes(looks, [one.group for one in candidates], Diversity(max_hash_bits=14))
    return [
        Alarm(Candidate(**{**vars(one), 'scene': int(scene)}))
        for one, scene in zip(candidates, scenes, strict=True)
    ]


def draw(address: Path) -> None:
    """Press keys on a page, and write what it shows."""
    program = shutil.which('chromium') or shutil.which('chromium-browser')
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=['--no-sandbox'])
        page = browser.new_page(viewport=dict(width=1280, height=720))
        page.goto(address.as_uri())
        for key in ('f', 'f', 't', 'i'):
            page.keyboard.press(key)
        page.evaluate("document.getElementById('list').scrollTop = 0")
        page.wait_for_function('[...document.images].every(one => one.complete)')
        page.wait_for_timeout(500)
        page.screenshot(path=OUT, type='jpeg', quality=80)
        browser.close()


if __name__ == '__main__':
    main()
