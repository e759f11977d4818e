"""Draw docs/images/lost.jpg: a target that a wall hides, and what the tracker says of it.

The video is a photograph that comes inside a Python package, set in motion behind another one. Run it
again when the packaged tracker changes: ``python docs/draw_lost.py``.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpolar.apis import init_tracker
from mmpolar.datasets.synthetic import photo_scene
from mmpolar.datasets.synthetic.photo_objects import read_named_photograph
from mmpolar.structures.polar import mask_to_box
from mmpolar.visualization import contact_sheet, draw_results

OUT = Path(__file__).parent / 'images/lost.jpg'
SIZE, FRAMES, SHOWN = (480, 360), 48, (6, 18, 26, 40)
CELL = (320, 240)


def main() -> None:
    """Track the video from the first frame's box, and draw some of its frames."""
    scene, wall = photo_scene('coffee-over-lake', FRAMES, SIZE), read_wall()
    tracker, drawn, captions = init_tracker(engine='onnx'), [], []
    for number in range(FRAMES):
        frame, mask = scene.render(number)
        slide(frame, wall, number)
        if number == 0:
            tracker.init(frame, mask_to_box(mask))
            continue
        result = tracker.step(frame)
        if number in SHOWN:
            drawn.append(draw_results(frame, [result]))
            state = 'lost' if result.lost else f'score {result.score:.2f}'
            captions.append(f'frame {number}: {state}')
    sheet = contact_sheet(drawn, len(drawn), captions, CELL)
    cv2.imwrite(str(OUT), sheet, [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(f'wrote {OUT}: {", ".join(captions)}')


def read_wall() -> NDArray[np.uint8]:
    """A photograph of bricks of the frame's height, three quarters as wide as the frame."""
    return cv2.resize(read_named_photograph('brick'), (SIZE[0] * 3 // 4, SIZE[1]))


def slide(frame: NDArray[np.uint8], wall: NDArray[np.uint8], number: int) -> None:
    """Draw the wall into a frame; it passes from the left to the right during the video."""
    width, way = wall.shape[1], SIZE[0] + wall.shape[1]
    left = round(way * number / FRAMES) - width
    first, last = max(left, 0), min(left + width, SIZE[0])
    frame[:, first:last] = wall[:, first - left : last - left]


if __name__ == '__main__':
    sys.exit(main())
