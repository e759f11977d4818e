"""Backgrounds and object textures cut out of photographs and recoloured."""

import cv2
import numpy as np

from mmpolar.datasets.synthetic.photographs import Photograph, read_photograph

_CANDIDATES = 3
_MAX_ENLARGEMENT = 1.5
_MIN_STRUCTURE = 28.0
_MAX_STRETCH = 3.0


def random_background(
    rng: np.random.Generator, photos: list[Photograph], size: tuple[int, int]
) -> np.ndarray:
    """A recoloured photograph, scaled so that a frame sees only a part of it.

    Args:
        rng: Source of all randomness.
        photos: Photographs to choose from.
        size: Width and height of the frame, pixels.

    Returns:
        uint8 BGR canvas of shape (CH, CW, 3), on both sides at least as large as the frame.
    """
    photo = read_photograph(photos[rng.integers(len(photos))])
    height, width = photo.shape[:2]
    cover = rng.uniform(0.4, 0.9)
    fit = max(size[0] / width, size[1] / height)
    scale = max(fit, min(fit / cover, _MAX_ENLARGEMENT))
    canvas = cv2.resize(
        photo,
        (max(size[0], round(width * scale)), max(size[1], round(height * scale))),
        interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC,
    )
    if rng.random() < 0.5:
        canvas = canvas[:, ::-1]
    return recolour(rng, np.ascontiguousarray(canvas), strength=rng.choice([0.2, 1.0]))


def random_texture(rng: np.random.Generator, photos: list[Photograph], side: int) -> np.ndarray:
    """A square patch of a photograph, recoloured, partly flattened and shaded.

    Of a few random patches the one with the most structure is taken; what is still dull or dark is
    stretched around a middle grey.

    Returns:
        uint8 BGR of shape (side, side, 3).
    """
    patches = [_random_patch(rng, photos, side) for _ in range(_CANDIDATES)]
    patch = _stretch_contrast(rng, max(patches, key=lambda patch: float(patch.std())))
    patch = recolour(rng, patch)
    if rng.random() < 0.4:
        flatness = rng.uniform(0.2, 0.6)
        patch = cv2.addWeighted(
            patch, 1 - flatness, np.full_like(patch, rng.integers(20, 236, 3)), flatness, 0
        )
    return _shade(rng, patch)


def recolour(rng: np.random.Generator, image: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """Change hue, saturation, contrast and brightness; a grey image may get a tint.

    Args:
        rng: Source of all randomness.
        image: uint8 BGR of shape (H, W, 3).
        strength: 1 for any colour at all, near 0 for hardly a change.

    Returns:
        A new uint8 BGR image of the same shape.
    """
    hue_shift = round(float(rng.uniform(-90, 90)) * strength) if rng.random() < 0.6 else 0
    saturation = np.exp(rng.uniform(-0.6, 0.5) * strength)
    gamma = np.exp(rng.uniform(-0.4, 0.4) * strength)
    contrast = np.exp(rng.uniform(-0.3, 0.3) * strength)
    tint = 1 + rng.uniform(-0.35, 0.35, 3) * strength
    if np.array_equal(image[..., 0], image[..., 2]):
        image = _scale_channels(image, tint)
    else:
        hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
        steps = np.arange(256)
        tables = [(steps + hue_shift) % 180, np.clip(steps * saturation, 0, 255), steps]
        hsv = cv2.LUT(hsv, np.stack(tables, -1).astype(np.uint8)[None])
        image = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    tone = 255 * (np.arange(256) / 255) ** gamma
    tone = 128 + (tone - 128) * contrast
    return cv2.LUT(image, np.clip(tone, 0, 255).astype(np.uint8))


def _scale_channels(image: np.ndarray, gain: np.ndarray) -> np.ndarray:
    table = np.clip(np.arange(256)[:, None] * gain, 0, 255).astype(np.uint8)
    return cv2.LUT(image, table[None])


def _random_patch(rng: np.random.Generator, photos: list[Photograph], side: int) -> np.ndarray:
    photo = read_photograph(photos[rng.integers(len(photos))])
    height, width = photo.shape[:2]
    cut = int(min(height, width, side * np.exp(rng.uniform(-0.4, 1.0))))
    left, top = rng.integers(width - cut + 1), rng.integers(height - cut + 1)
    patch = np.rot90(photo[top : top + cut, left : left + cut], rng.integers(4))
    interpolation = cv2.INTER_AREA if cut > side else cv2.INTER_CUBIC
    return cv2.resize(np.ascontiguousarray(patch), (side, side), interpolation=interpolation)


def _stretch_contrast(rng: np.random.Generator, patch: np.ndarray) -> np.ndarray:
    """Give a patch without structure a standard deviation worth seeing, and a fit brightness."""
    mean, deviation = float(patch.mean()), float(patch.std())
    gain = float(np.clip(_MIN_STRUCTURE / max(deviation, 1e-6), 1, _MAX_STRETCH))
    middle = float(np.clip(mean, rng.uniform(50, 90), rng.uniform(165, 205)))
    return cv2.convertScaleAbs(np.maximum((patch - np.float32(mean)) * gain + middle, 0))


def _shade(rng: np.random.Generator, patch: np.ndarray) -> np.ndarray:
    """Light falling off from one side, so that a flat patch looks like a body."""
    direction = rng.uniform(0, 2 * np.pi)
    axis = np.linspace(-1, 1, len(patch), dtype=np.float32)
    ramp = np.cos(direction) * axis[None, :] + np.sin(direction) * axis[:, None]
    light = 1 + rng.uniform(0, 0.35) * ramp
    return np.clip(patch * light[..., None], 0, 255).astype(np.uint8)
