"""Draw docs/images/masks.jpg: the polar contour and the mask stage on the same frames.

The videos are photographs that come inside Python packages, set in motion. Run it again when the
packaged tracker changes: ``python docs/draw_masks.py``.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpolar.apis import init_tracker
from mmpolar.datasets.synthetic import PHOTO_SCENES, Scene, photo_scene
from mmpolar.structures.polar import mask_to_box
from mmpolar.structures.track_result import TrackResult
from mmpolar.visualization import contact_sheet, draw_box, draw_mask, draw_mask_contour

OUT = Path(__file__).parent / 'images/masks.jpg'
FRAMES, SHOWN = 40, 30
CELL = (320, 240)
COLOR = (0, 140, 255)


def main() -> None:
    """Track each video from the first frame's box, and draw one of its last frames twice."""
    contours, masks = [], []
    for name in PHOTO_SCENES:
        frame, result = track(photo_scene(name, FRAMES))
        contours.append(drawn(frame, result.with_filled_contour(frame.shape[:2])))
        masks.append(drawn(frame, result))
    captions = ['polar contour'] * len(contours) + ['mask stage'] * len(masks)
    sheet = contact_sheet([*contours, *masks], len(contours), captions, CELL)
    cv2.imwrite(str(OUT), sheet, [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(f'wrote {OUT}')


def track(scene: Scene) -> tuple[NDArray[np.uint8], TrackResult]:
    """Frame SHOWN of a video, and what the tracker that comes with the package finds in it."""
    tracker = init_tracker(engine='onnx')
    frame, mask = scene.render(0)
    tracker.init(frame, mask_to_box(mask))
    for number in range(1, SHOWN + 1):
        frame, _ = scene.render(number)
        result = tracker.step(frame)
    return frame, result


def drawn(frame: NDArray[np.uint8], result: TrackResult) -> NDArray[np.uint8]:
    """A frame with the mask and the box of a result, cut to what lies around the target."""
    out = draw_mask_contour(draw_mask(frame, result.mask, COLOR), result.mask, COLOR, 1)
    return cut_around(draw_box(out, result.box, COLOR, 1), result.box)


def cut_around(frame: NDArray[np.uint8], box: NDArray) -> NDArray[np.uint8]:
    """The part of a frame around a box, in the proportions of a cell."""
    height = max(box[3] - box[1], (box[2] - box[0]) * CELL[1] / CELL[0]) * 1.5
    half = np.array([height * CELL[0] / CELL[1], height]) / 2
    middle = (box[:2] + box[2:]) / 2
    low = np.clip(np.floor(middle - half), 0, None).astype(int)
    high = np.ceil(middle + half).astype(int)
    part = frame[low[1] : high[1], low[0] : high[0]]
    zoom = CELL[1] / part.shape[0]
    return cv2.resize(part, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)


if __name__ == '__main__':
    sys.exit(main())
