"""Generated frames and the box of what moves in them."""

from typing import NamedTuple

import numpy as np

from mmpolar.datasets.synthetic import Scene, make_scene
from mmpolar.structures.polar import mask_to_box

#: Width and height by name.
FRAME_SIZES = {
    '480p': (854, 480),
    '720p': (1280, 720),
    '1080p': (1920, 1080),
    '2160p': (3840, 2160),
}
#: Targets below this share of the frame's area get a larger search crop, which would blur comparisons.
_MIN_SHARE = 0.006
_TRIES = 50


class Video(NamedTuple):
    """Frames, uint8 BGR (H, W, 3) each, and the true boxes, (4,) xyxy in pixels each."""

    frames: list[np.ndarray]
    boxes: list[np.ndarray]


def make_video(size: tuple[int, int], frames: int, seed: int = 0) -> Video:
    """A generated video of a target on its own, visible in every frame.

    Args:
        size: Width and height in pixels.
        frames: Number of frames, at least 2.
        seed: Seed of the scene.

    Raises:
        RuntimeError: If no scene of this size shows a target all the time.
    """
    for index in range(_TRIES):
        scene = make_scene(seed, 'val', index, frames, size, difficulty=0.0)
        video = _render(scene)
        if video is not None:
            return video
    raise RuntimeError(
        f'none of {_TRIES} scenes of {size} px shows its target in all {frames} frames'
    )


def _render(scene: Scene) -> Video | None:
    """The scene's frames; None if a target is missing or small in one of them."""
    frames, boxes = [], []
    for number in range(len(scene)):
        frame, mask = scene.render(number)
        box = mask_to_box(mask)
        if box is None or np.prod(box[2:] - box[:2]) < _MIN_SHARE * mask.size:
            return None
        frames.append(frame)
        boxes.append(box.astype(np.float64))
    return Video(frames, boxes)
