"""Draw docs/images/lost.jpg and other_object.jpg: what a tracker says of a target that a wall hides, and of one beside
which there is another of its kind.

The videos are photographs that come inside Python packages, set in motion behind another one. Run it
again when the packaged tracker changes: ``python docs/draw_lost.py``.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpolar.apis import init_tracker
from mmpolar.datasets.synthetic import photo_scene
from mmpolar.datasets.synthetic.photo_objects import read_named_photograph
from mmpolar.datasets.synthetic.scene import Layer, Sprite
from mmpolar.datasets.synthetic.textures import recolour
from mmpolar.structures.boxes import box_overlap
from mmpolar.structures.polar import mask_to_box
from mmpolar.tracking import SingleTargetTracker
from mmpolar.visualization import contact_sheet, draw_results

IMAGES = Path(__file__).parent / 'images'
SIZE, CELL = (480, 360), (320, 240)
#: Of the first image.
FRAMES, SHOWN = 48, (6, 18, 26, 40)
#: Of the second one, and its tracker.
CUP_FRAMES, CUP_SHOWN, CUP_MODEL = 30, (5, 10, 16, 27), 'ocean-polar_effnet-lite0-tiny_natural'
#: Where the two cups begin and end, and their size.
PATHS, CUP_SCALE = (((130, 200), (150, 190)), ((320, 170), (300, 190))), 0.25
#: How much the other cup's colours differ.
RECOLOUR = 0.3

Video = list[tuple[NDArray[np.uint8], NDArray[np.float32]]]


def main() -> str | None:
    """Draw both images; returns what is wrong with the second, for the shell."""
    hidden = list(hidden_cup())
    drawn, captions, _ = track(init_tracker(engine='onnx'), hidden, SHOWN)
    write('lost.jpg', drawn, captions)
    video, other = list(two_cups(0)), list(two_cups(1))
    tracker = init_tracker(CUP_MODEL, engine='onnx')
    on = tracker.params
    tracker.params = replace(on, lost_score=0.0, second_peak_score=0.0)
    without, captions_without, box = track(tracker, video, CUP_SHOWN)
    tracker.params = on
    drawn, captions, box_with = track(tracker, video, CUP_SHOWN)
    captions_without = [f'state off, {caption}' for caption in captions_without]
    captions = [f'state on, {caption}' for caption in captions]
    write('other_object.jpg', without + drawn, captions_without + captions)
    if box_overlap(box, other[-1][1]) < 0.5 or box_overlap(box_with, video[-1][1]) < 0.5:
        return 'other_object.jpg no longer shows a jump above and none below: change the video'
    return None


def track(
    tracker: SingleTargetTracker, video: Video, shown: Sequence[int]
) -> tuple[list[NDArray[np.uint8]], list[str], NDArray]:
    """Drawn frames with their captions, and the box in the last frame of the video."""
    drawn, captions = [], []
    tracker.init(*video[0])
    for number, (frame, _) in enumerate(video[1:], start=1):
        result = tracker.step(frame)
        if number in shown:
            drawn.append(draw_results(frame, [result]))
            state = 'lost' if result.lost else f'score {result.score:.2f}'
            captions.append(f'frame {number}: {state}')
    return drawn, captions, result.box


def write(name: str, drawn: Sequence[NDArray[np.uint8]], captions: Sequence[str]) -> None:
    """Write frames as an image, four in a row."""
    sheet = contact_sheet(drawn, len(SHOWN), captions, CELL)
    cv2.imwrite(str(IMAGES / name), sheet, [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(f'wrote {IMAGES / name}: {"; ".join(captions)}')


def hidden_cup() -> Iterable[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """A cup that a wall hides on its way from the left to the right."""
    scene, wall = photo_scene('coffee-over-lake', FRAMES, SIZE), read_wall(SIZE[0] * 3 // 4)
    for number in range(FRAMES):
        frame, mask = scene.render(number)
        slide(frame, wall, round((SIZE[0] + wall.shape[1]) * number / FRAMES))
        yield frame, mask_to_box(mask)


def two_cups(target: int) -> Iterable[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Two cups, the left one of which a wall hides and uncovers again, with the box of one of them."""
    scene, wall = photo_scene('flower-on-grass', CUP_FRAMES, SIZE), read_wall(220)
    [layer] = photo_scene('coffee-over-lake', CUP_FRAMES, SIZE).sprites[0].layers
    texture = recolour(np.random.default_rng(0), layer.texture, RECOLOUR)
    layers = layer, replace(layer, texture=texture)
    scene.sprites = [cup(*parts) for parts in zip(layers, PATHS, strict=True)]
    scene.target = target
    for number in range(CUP_FRAMES):
        frame, mask = scene.render(number)
        # It covers the left cup from frame 11 to 17, and goes back.
        come = 1.6 * max(0.0, 1 - abs(number - 14) / 8)
        slide(frame, wall, min(round(come * wall.shape[1]), wall.shape[1]))
        yield frame, mask_to_box(mask)


def cup(layer: Layer, path: tuple[tuple[int, int], tuple[int, int]]) -> Sprite:
    """A cup on its way."""
    scale = np.full((CUP_FRAMES, 2), CUP_SCALE)
    return Sprite([layer], np.linspace(*path, CUP_FRAMES), np.zeros(CUP_FRAMES), scale)


def read_wall(width: int) -> NDArray[np.uint8]:
    """A photograph of bricks of this width and of the frame's height."""
    return cv2.resize(read_named_photograph('brick'), (width, SIZE[1]))


def slide(frame: NDArray[np.uint8], wall: NDArray[np.uint8], right: int) -> None:
    """Draw the wall into a frame; its right side lies at column ``right``."""
    left = right - wall.shape[1]
    first, last = max(left, 0), min(right, SIZE[0])
    frame[:, first:last] = wall[:, first - left : last - left]


if __name__ == '__main__':
    sys.exit(main())
