"""Random shapes that deform with time: star-convex, concave, letter-like and articulated.

A shape is an array of shape (F, P, V, 2): for each of F frames the V vertices of P polygons. The
thing rendered is the *union* of its polygons. Units are chosen so that the area is 1 in frame 0, and
the origin is the centre of mass of frame 0.
"""

import cv2
import numpy as np

from mmpolar.datasets.synthetic.random_curves import random_curve

_CIRCLE_VERTICES = 32
_CAPSULE_VERTICES = 20
_STAR_VERTICES = 96
_ARC_VERTICES = 40
_NORMALISE_PIXELS = 100

# Strokes of letter-like shapes: each a polyline in a box of about [-1, 1]^2.
_GLYPHS = {
    'L': [[(-0.6, -1), (-0.6, 1), (0.7, 1)]],
    'T': [[(-0.8, -0.9), (0.8, -0.9)], [(0, -0.9), (0, 1)]],
    'U': [[(-0.7, -1), (-0.7, 0.5), (-0.3, 0.95), (0.3, 0.95), (0.7, 0.5), (0.7, -1)]],
    'Y': [[(-0.8, -1), (0, 0)], [(0.8, -1), (0, 0)], [(0, 0), (0, 1)]],
    'H': [[(-0.7, -1), (-0.7, 1)], [(0.7, -1), (0.7, 1)], [(-0.7, 0), (0.7, 0)]],
    'E': [[(0.7, -1), (-0.6, -1), (-0.6, 1), (0.7, 1)], [(-0.6, 0), (0.5, 0)]],
    'F': [[(0.7, -1), (-0.6, -1), (-0.6, 1)], [(-0.6, 0), (0.4, 0)]],
    'Z': [[(-0.8, -0.9), (0.8, -0.9), (-0.8, 0.9), (0.8, 0.9)]],
    'X': [[(-0.8, -0.9), (0.8, 0.9)], [(0.8, -0.9), (-0.8, 0.9)]],
    'S': [
        [
            (0.7, -0.7),
            (0.2, -1),
            (-0.5, -0.85),
            (-0.6, -0.35),
            (0, 0),
            (0.6, 0.35),
            (0.5, 0.85),
            (-0.2, 1),
            (-0.7, 0.7),
        ]
    ],
    'J': [[(0.5, -1), (0.5, 0.5), (0.1, 0.95), (-0.4, 0.85), (-0.6, 0.4)]],
    'O': [
        [
            (0, -0.95),
            (0.6, -0.65),
            (0.85, 0),
            (0.6, 0.65),
            (0, 0.95),
            (-0.6, 0.65),
            (-0.85, 0),
            (-0.6, -0.65),
            (0, -0.95),
        ]
    ],
}


def random_shape(rng: np.random.Generator, frames: int) -> list[np.ndarray]:
    """Sample a shape from a random family and let it deform.

    Args:
        rng: Source of all randomness.
        frames: Number of frames F.

    Returns:
        One shape (F, P, V, 2) for each part, to be painted in this order. The parts together
        have the area 1 and their centre of mass in the origin in frame 0.
    """
    family = _FAMILIES[rng.choice(len(_FAMILIES), p=_FAMILY_SHARES)]
    parts = family(rng, frames)
    if rng.random() < 0.5:
        parts = _bend(parts, 0.25 * random_curve(rng, frames))
    return _normalise(parts)


def bar_shape(frames: int) -> np.ndarray:
    """A rigid upright bar, 1 wide and 40 long: one shape (F, 1, 4, 2), not of area 1."""
    corners = np.array([(-0.5, -20), (0.5, -20), (0.5, 20), (-0.5, 20)], np.float64)
    return np.broadcast_to(corners, (frames, 1, 4, 2))


def shape_radius(parts: list[np.ndarray]) -> float:
    """Largest distance of any vertex from the origin over all frames."""
    return float(np.sqrt(max((np.square(part).sum(-1)).max() for part in parts)))


def _smooth_star(rng: np.random.Generator, frames: int) -> list[np.ndarray]:
    """Star-convex: log radius is a sum of harmonics whose phases drift."""
    order = np.arange(2, 7)
    amplitude = rng.uniform(0, 0.6, order.size) / np.sqrt(order)
    phase = rng.uniform(0, 2 * np.pi, order.size) + 0.7 * random_curve(rng, frames, (order.size,))
    angle = _angles(_STAR_VERTICES)
    waves = np.cos(order[:, None] * angle + phase[..., None])
    radius = np.exp((amplitude[:, None] * waves).sum(1))
    return [_stretch(rng, _polar(radius, angle))[:, None]]


def _straight_polygon(rng: np.random.Generator, frames: int) -> list[np.ndarray]:
    """Straight edges: triangles to hexagons and spiky stars."""
    corners = int(rng.integers(3, 7))
    radius = rng.uniform(0.75, 1.2, corners)
    if rng.random() < 0.5:
        radius = np.stack([radius, radius * rng.uniform(0.35, 0.7)], axis=1).ravel()
    wobble = 1 + 0.12 * random_curve(rng, frames, (radius.size,))
    return [_stretch(rng, _polar(radius * wobble, _angles(radius.size)))[:, None]]


def _blob(rng: np.random.Generator, frames: int) -> list[np.ndarray]:
    """A chain of discs that drift against each other."""
    discs = int(rng.integers(3, 7))
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.uniform(-1.2, 1.2, discs))
    radius = rng.uniform(0.5, 1.0, discs)
    centre = np.cumsum(0.85 * radius[:, None] * _unit(heading), axis=0)
    centre = centre + 0.3 * random_curve(rng, frames, (discs, 2))
    circle = _unit(_angles(_CIRCLE_VERTICES))
    return [centre[:, :, None] + radius[:, None, None] * circle]


def _glyph(rng: np.random.Generator, frames: int) -> list[np.ndarray]:
    """Letter-like strokes of one width, mirrored at random."""
    strokes = _GLYPHS[rng.choice(sorted(_GLYPHS))]
    start = np.concatenate([np.array(stroke[:-1]) for stroke in strokes])
    end = np.concatenate([np.array(stroke[1:]) for stroke in strokes])
    mirror = np.array([rng.choice([-1, 1]) * rng.uniform(0.8, 1.2), 1])
    width = rng.uniform(0.2, 0.34)
    capsules = _capsules(start * mirror, end * mirror, width)
    return [np.broadcast_to(capsules, (frames, *capsules.shape))]


def _crescent(rng: np.random.Generator, frames: int) -> list[np.ndarray]:
    """A horseshoe or moon whose opening breathes."""
    half_opening = np.deg2rad(rng.uniform(95, 150) + 15 * random_curve(rng, frames))
    across = np.linspace(-1, 1, _ARC_VERTICES)
    angle = half_opening[:, None] * across
    thickness = rng.uniform(0.35, 0.6)
    taper = rng.uniform(0, 0.8)
    inner = 1 - thickness * (1 - taper * across**2)
    shape = np.concatenate(
        [_unit(angle), (inner[:, None] * _unit(angle))[:, ::-1]],
        axis=1,
    )
    return [_stretch(rng, shape)[:, None]]


def _articulated(rng: np.random.Generator, frames: int) -> list[np.ndarray]:
    """Body, head and swinging limbs of two joints each: three parts, limbs behind."""
    half = np.array([rng.uniform(0.7, 1.3), rng.uniform(0.5, 0.8)])
    circle = _unit(_angles(_CIRCLE_VERTICES))
    body = np.broadcast_to(half * circle, (frames, 1, *circle.shape))

    nod = 0.25 * random_curve(rng, frames)
    head_centre = (half[0] + 0.3) * _unit(nod)
    head = head_centre[:, None, None] + rng.uniform(0.35, 0.55) * circle

    limbs = int(rng.integers(2, 6))
    base = np.linspace(0.25 * np.pi, 1.75 * np.pi, limbs) + rng.uniform(-0.2, 0.2, limbs)
    swing = 2 * np.pi * rng.uniform(0.02, 0.08) * np.arange(frames)[:, None]
    stride = rng.uniform(0, 2 * np.pi, limbs)
    thigh = base + 0.45 * np.sin(swing + stride)
    shin = thigh + 0.5 * np.sin(swing + stride + 1.0) + rng.uniform(-0.6, 0.6, limbs)
    hip = np.broadcast_to(0.75 * half * _unit(base), (frames, limbs, 2))
    knee = hip + rng.uniform(0.5, 0.9) * _unit(thigh)
    foot = knee + rng.uniform(0.4, 0.8) * _unit(shin)
    width = rng.uniform(0.16, 0.26)
    legs = np.concatenate([_capsules(hip, knee, width), _capsules(knee, foot, 0.9 * width)], axis=1)
    return [legs, body, head]


_FAMILIES = (_smooth_star, _straight_polygon, _blob, _glyph, _crescent, _articulated)
_FAMILY_SHARES = (0.28, 0.14, 0.16, 0.14, 0.1, 0.18)


def _angles(count: int) -> np.ndarray:
    return np.linspace(0, 2 * np.pi, count, endpoint=False)


def _unit(angle: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _polar(radius: np.ndarray, angle: np.ndarray) -> np.ndarray:
    return radius[..., None] * _unit(angle)


def _stretch(rng: np.random.Generator, points: np.ndarray) -> np.ndarray:
    """Make a shape longer than wide by a random factor up to 2."""
    return points * np.array([np.exp(rng.uniform(0, np.log(2))), 1])


def _capsules(start: np.ndarray, end: np.ndarray, width: float) -> np.ndarray:
    """Segments thickened by half discs: (..., 2) and (..., 2) -> (..., V, 2)."""
    along = end - start
    heading = np.arctan2(along[..., 1], along[..., 0])[..., None]
    half_turn = np.linspace(-np.pi / 2, np.pi / 2, _CAPSULE_VERTICES // 2)
    front = end[..., None, :] + width * _unit(heading + half_turn)
    back = start[..., None, :] - width * _unit(heading + half_turn)
    return np.concatenate([front, back], axis=-2)


def _bend(parts: list[np.ndarray], curvature: np.ndarray) -> list[np.ndarray]:
    """Move each vertex across the long axis by ``curvature * x**2``."""
    bent = []
    for part in parts:
        x, y = part[..., 0], part[..., 1]
        bent.append(np.stack([x, y + curvature[:, None, None] * x**2], axis=-1))
    return bent


def _normalise(parts: list[np.ndarray]) -> list[np.ndarray]:
    """Shift and scale so that frame 0 has its centre of mass in the origin and the area 1."""
    scale = _NORMALISE_PIXELS / shape_radius(parts)
    canvas = np.zeros((2 * _NORMALISE_PIXELS + 1,) * 2, np.uint8)
    for part in parts:
        for polygon in part[0]:
            points = np.rint(polygon * scale + _NORMALISE_PIXELS).astype(np.int32)
            cv2.fillPoly(canvas, [points], 1)
    moments = cv2.moments(canvas, binaryImage=True)
    area = moments['m00']
    centre = np.array([moments['m10'], moments['m01']]) / area - _NORMALISE_PIXELS
    return [(part * scale - centre) / np.sqrt(area) for part in parts]
