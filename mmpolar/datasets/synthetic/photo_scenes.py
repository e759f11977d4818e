"""Scenes of real things: a camera that moves over a photograph, a cut-out that crosses another one.

The masks are as exact as the contours of :mod:`mmpolar.datasets.synthetic.photo_objects`; those of a
cut-out are exact, since nothing else of its photograph is seen.
"""

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

from mmpolar.datasets.synthetic.photo_objects import PHOTO_OBJECTS, read_named_photograph
from mmpolar.datasets.synthetic.random_curves import random_curve
from mmpolar.datasets.synthetic.random_scene import pin_to_canvas
from mmpolar.datasets.synthetic.scene import Camera, Layer, Light, Scene, Sprite

#: Share of the frame's shorter side that a target fills, as the root of the area of its box.
_TARGET_SHARE = 0.42
#: Largest change of the target's size, as a logarithm.
_GROWTH = 0.25
#: Furthest that a target is from the middle, as a share of the frame.
_WAY = 0.22
#: Largest turn of the camera, radians.
_ROLL = 0.08
#: Largest share of a photograph's sides that a camera shows, so that it has room to move.
_LARGEST_VIEW = 0.8
_SHUTTER = 0.4
_NOISE = 2.0


def photo_scene(
    name: str, frames: int = 48, size: tuple[int, int] = (480, 360), take: int = 0
) -> Scene:
    """A scene of :data:`PHOTO_SCENES`, always the same one.

    Args:
        name: Its name.
        frames: Number of frames, at least 2.
        size: Width and height of the frames, pixels.
        take: Another number gives other motion and light, of the same target over the same background.

    Raises:
        ValueError: If there is no such scene.
        FileNotFoundError: If the packages that hold the photographs are not installed.
    """
    if name not in PHOTO_SCENES:
        raise ValueError(f'there is no scene {name!r}; there are {", ".join(PHOTO_SCENES)}')
    rng = np.random.default_rng([*name.encode(), *([take] if take else [])])
    return PHOTO_SCENES[name](rng, frames, size)


def _pan_over(thing: str, rng: np.random.Generator, frames: int, size: tuple[int, int]) -> Scene:
    """A camera that moves over the photograph in which the thing is, never beyond its border."""
    found = PHOTO_OBJECTS[thing]
    canvas, polygon = found.read(), found.polygon
    middle = (polygon.min(0) + polygon.max(0)) / 2
    roll = _ROLL * random_curve(rng, frames)
    zoom = _zoom_in(polygon, rng, frames, size)
    # Half the width and height of the turned frame on the canvas, in units of the zoom.
    turn = np.abs([[np.cos(roll), np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    half = np.einsum('ijf,j->fi', turn, np.array(size) / 2)
    canvas_size = np.array(canvas.shape[1::-1])
    zoom = np.minimum(zoom, _LARGEST_VIEW * (canvas_size / 2 / half).min(1))
    margin = half * zoom[:, None]
    wanted = middle + _WAY * np.array(size) * zoom[:, None] * random_curve(rng, frames, (2,))
    camera = Camera(
        canvas=canvas,
        centre=np.clip(wanted, margin, canvas_size - margin),
        zoom=zoom,
        roll=roll,
        shutter=_SHUTTER,
    )
    # The same pixels once more, where they are: what is gained is the mask.
    target = pin_to_canvas(camera, size, middle, [_cut_out(thing, frames)], angle=0.0, scale=1.0)
    return _film(rng, size, camera, target)


def _cross(
    thing: str, background: str, rng: np.random.Generator, frames: int, size: tuple[int, int]
) -> Scene:
    """The thing, cut out, on its way across another photograph."""
    polygon = PHOTO_OBJECTS[thing].polygon
    canvas = _covering(read_named_photograph(background), size)
    camera = Camera(
        canvas=canvas,
        centre=np.array(canvas.shape[1::-1]) / 2
        + 0.1 * np.array(size) * random_curve(rng, frames, (2,)),
        zoom=np.ones(frames),
        roll=np.zeros(frames),
        shutter=_SHUTTER,
    )
    scale = 1 / _zoom_in(polygon, rng, frames, size)
    target = Sprite(
        layers=[_cut_out(thing, frames)],
        centre=np.array(size) * (0.5 + _WAY * random_curve(rng, frames, (2,))),
        angle=0.2 * random_curve(rng, frames),
        scale=np.stack([scale, scale], axis=-1),
        shutter=_SHUTTER,
    )
    return _film(rng, size, camera, target)


def _zoom_in(
    polygon: np.ndarray, rng: np.random.Generator, frames: int, size: tuple[int, int]
) -> np.ndarray:
    """Pixels of the photograph per pixel of the frame, (F,), so that the thing is of a good size."""
    side = np.sqrt(np.prod(np.ptp(polygon, axis=0)))
    return side / (_TARGET_SHARE * min(size)) * np.exp(_GROWTH * random_curve(rng, frames))


def _cut_out(thing: str, frames: int) -> Layer:
    """A thing as a layer whose unit is a pixel of its photograph."""
    found = PHOTO_OBJECTS[thing]
    polygon, photo = found.polygon, found.read()
    middle = (polygon.min(0) + polygon.max(0)) / 2
    extent = float(np.ceil(np.abs(polygon - middle).max())) + 2
    side = int(2 * extent) + 1
    texture = cv2.warpAffine(
        photo,
        np.array([[1, 0, extent - middle[0]], [0, 1, extent - middle[1]]]),
        (side, side),
        borderMode=cv2.BORDER_REFLECT_101,
    )
    polygons = np.broadcast_to(polygon - middle, (frames, 1, *polygon.shape))
    return Layer(polygons=polygons, texture=texture, extent=extent, rim=0.0)


def _covering(photo: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A photograph scaled so that a camera can move over it without seeing its border."""
    scale = 1.3 * max(size[0] / photo.shape[1], size[1] / photo.shape[0])
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(photo, None, fx=scale, fy=scale, interpolation=interpolation)


def _film(rng: np.random.Generator, size: tuple[int, int], camera: Camera, target: Sprite) -> Scene:
    frames = len(camera.centre)
    light = Light(
        gain=np.exp(0.12 * random_curve(rng, frames, (1,)) * np.ones(3)),
        shadow=np.zeros(frames),
        shadow_direction=np.array([1.0, 0.0]),
        defocus=0.0,
        noise=_NOISE,
    )
    return Scene(size, camera, [target], target=0, light=light, noise_seed=[0, 0])


#: Scenes by name.
PHOTO_SCENES: dict[str, Callable[[np.random.Generator, int, tuple[int, int]], Scene]] = {
    'camera-over-coins': partial(_pan_over, 'coin'),
    'camera-over-head': partial(_pan_over, 'head'),
    'coffee-over-lake': partial(_cross, 'coffee', 'china'),
    'flower-on-grass': partial(_cross, 'flower', 'grass'),
    'motorcycle-on-bricks': partial(_cross, 'motorcycle', 'brick'),
}
