"""A synthetic scene: a panned photograph on which textured sprites move, one of them the target.

Everything random is sampled when the scene is made; frames can then be composed in any order.
Coordinates are pixels of the frame, an integer is a pixel centre.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from mmpolar.structures.grid import resized
from mmpolar.utils.deprecation import renamed_keywords

_SUPERSAMPLING = 4
_SUBPIXEL_BITS = 4
_MAX_BLUR = 14.0


@dataclass
class Layer:
    """One painted part of a sprite.

    Attributes:
        polygons: Polygons (F, P, V, 2) in sprite units; the part is their union.
        texture: uint8 BGR of shape (S, S, 3), spread over [-extent, extent]^2 of sprite units.
        extent: Half the side of the textured square, sprite units.
        rim: How much darker the edge is than the middle, 0 to 1.
    """

    polygons: np.ndarray
    texture: np.ndarray
    extent: float
    rim: float


Layer.__init__ = renamed_keywords(outline='polygons')(Layer.__init__)


@dataclass
class Sprite:
    """A thing that moves: its parts, back to front, and its pose in each of F frames.

    Attributes:
        layers: The parts.
        centre: Position (F, 2) of the sprite's origin, pixels.
        angle: Rotation (F,) from +x towards +y, radians.
        scale: Pixels per sprite unit along the sprite's own axes, (F, 2).
        shutter: Share of the frame time during which the shutter is open; 0 means no motion blur.
    """

    layers: list[Layer]
    centre: np.ndarray
    angle: np.ndarray
    scale: np.ndarray
    shutter: float = 0.0

    def matrix(self, frame: int) -> np.ndarray:
        """Affine map (2, 3) from sprite units to pixels."""
        cos, sin = np.cos(self.angle[frame]), np.sin(self.angle[frame])
        turn = np.array([[cos, -sin], [sin, cos]])
        return np.column_stack([turn * self.scale[frame], self.centre[frame]])

    def blur_vector(self, frame: int) -> np.ndarray:
        """Way (2,) travelled while the shutter is open, pixels."""
        return self.shutter * _velocity(self.centre, frame)


@dataclass
class Camera:
    """Where the frame looks at the background canvas.

    Attributes:
        canvas: uint8 BGR photograph (CH, CW, 3); beyond its border it is mirrored.
        centre: Canvas point (F, 2) seen in the middle of the frame.
        zoom: Canvas pixels per frame pixel, (F,).
        roll: Rotation of the frame on the canvas, radians, (F,).
        shutter: As in :class:`Sprite`.
    """

    canvas: np.ndarray
    centre: np.ndarray
    zoom: np.ndarray
    roll: np.ndarray
    shutter: float = 0.0

    def matrix(self, frame: int, size: tuple[int, int]) -> np.ndarray:
        """Affine map (2, 3) from frame pixels to canvas pixels for a frame of (width, height)."""
        cos, sin = np.cos(self.roll[frame]), np.sin(self.roll[frame])
        turn = self.zoom[frame] * np.array([[cos, -sin], [sin, cos]])
        middle = (np.array(size) - 1) / 2
        return np.column_stack([turn, self.centre[frame] - turn @ middle])

    def blur_vector(self, frame: int) -> np.ndarray:
        """Way (2,) of the background over the frame while the shutter is open, pixels."""
        return -self.shutter * _velocity(self.centre, frame) / self.zoom[frame]


@dataclass
class Light:
    """Illumination and image quality.

    Attributes:
        gain: Factor for blue, green, red in each frame, (F, 3).
        shadow: Strength (F,) of a ramp across the frame, 0 for none.
        shadow_direction: Unit vector (2,) towards the brighter side.
        defocus: Standard deviation of the Gaussian blur of the whole frame, pixels.
        noise: Standard deviation of the sensor noise, grey levels.
    """

    gain: np.ndarray
    shadow: np.ndarray
    shadow_direction: np.ndarray
    defocus: float
    noise: float


@dataclass
class Scene:
    """All that is needed to compose the frames of one sequence.

    Attributes:
        size: Frame width and height, pixels.
        camera: The background.
        sprites: Things from back to front.
        target: Index of the target in ``sprites``.
        light: Illumination, applied after compositing.
        noise_seed: Seed of the sensor noise.
        jpeg_quality: Quality at which the frames are to be stored.
    """

    size: tuple[int, int]
    camera: Camera
    sprites: list[Sprite]
    target: int
    light: Light
    noise_seed: list[int] = field(default_factory=list)
    jpeg_quality: int = 90

    def __len__(self) -> int:
        return len(self.camera.centre)

    def render(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """The finished frame and the mask of the visible part of the target.

        Returns:
            uint8 BGR image of shape (H, W, 3) and uint8 mask of shape (H, W), 1 on the target.
        """
        image, coverage = self.compose(frame)
        return self._develop(image, frame), (coverage >= 0.5).astype(np.uint8)

    def compose(self, frame: int, hide: tuple[int, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
        """Paint background and sprites, without light changes, defocus and noise.

        Args:
            frame: Frame number.
            hide: Indices of sprites to leave out.

        Returns:
            float32 BGR image (H, W, 3) in [0, 255], and the target's coverage float32 (H, W) in
            [0, 1]: the share of each pixel's colour that comes from the target. The mask is
            where it is at least one half.
        """
        image = self._background(frame).astype(np.float32)
        coverage = np.zeros(image.shape[:2], np.float32)
        for index, sprite in enumerate(self.sprites):
            if index not in hide:
                for layer in sprite.layers:
                    _paint(image, coverage, sprite, layer, frame, index == self.target)
        return image, coverage

    def full_mask(self, frame: int) -> np.ndarray:
        """Mask (H, W) uint8 of the target as if nothing were in front of it."""
        others = tuple(i for i in range(len(self.sprites)) if i != self.target)
        return (self.compose(frame, others)[1] >= 0.5).astype(np.uint8)

    def _background(self, frame: int) -> np.ndarray:
        view = cv2.warpAffine(
            self.camera.canvas,
            self.camera.matrix(frame, self.size),
            self.size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        kernel = _line_kernel(self.camera.blur_vector(frame))
        return view if kernel is None else cv2.filter2D(view, -1, kernel)

    def _develop(self, image: np.ndarray, frame: int) -> np.ndarray:
        """Apply light, defocus and noise."""
        light = self.light
        image = image * light.gain[frame].astype(np.float32)
        if light.shadow[frame] != 0:
            width, height = self.size
            ramp = (
                light.shadow_direction[0] * np.linspace(-1, 1, width, dtype=np.float32)[None, :]
                + light.shadow_direction[1] * np.linspace(-1, 1, height, dtype=np.float32)[:, None]
            )
            image *= (1 + np.float32(light.shadow[frame]) * ramp)[..., None]
        if light.defocus > 0:
            image = cv2.GaussianBlur(image, (0, 0), light.defocus)
        if light.noise > 0:
            rng = np.random.default_rng([*self.noise_seed, frame])
            image += light.noise * rng.standard_normal(image.shape, dtype=np.float32)
        return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _paint(
    image: np.ndarray,
    coverage: np.ndarray,
    sprite: Sprite,
    layer: Layer,
    frame: int,
    is_target: bool,
) -> None:
    """Blend one layer into the image and update the target's coverage, both in place."""
    matrix = sprite.matrix(frame)
    points = layer.polygons[frame] @ matrix[:, :2].T + matrix[:, 2]
    kernel = _line_kernel(sprite.blur_vector(frame))
    margin = 2 if kernel is None else 2 + len(kernel) // 2
    height, width = image.shape[:2]
    left, top = np.maximum(np.floor(points.min((0, 1))).astype(int) - margin, 0)
    right, bottom = np.minimum(
        np.ceil(points.max((0, 1))).astype(int) + margin + 1, (width, height)
    )
    if right <= left or bottom <= top:
        return

    size = (int(right - left), int(bottom - top))
    alpha = _rasterize_union(points - (left, top), size)
    colour = _warp_texture(layer, matrix, (left, top), size)
    if layer.rim > 0:
        reach = 2 * int(0.12 * np.sqrt(size[0] * size[1])) + 3
        colour *= (1 - layer.rim * (1 - cv2.blur(alpha, (reach, reach))))[..., None]
    colour *= alpha[..., None]
    if kernel is not None:
        alpha = cv2.filter2D(alpha, -1, kernel)
        colour = cv2.filter2D(colour, -1, kernel)

    window = np.s_[top:bottom, left:right]
    image[window] *= (1 - alpha)[..., None]
    image[window] += colour
    coverage[window] *= 1 - alpha
    if is_target:
        coverage[window] += alpha


def _rasterize_union(polygons: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Share of each pixel covered by the union of polygons (P, V, 2): float32 (H, W) in [0, 1]."""
    width, height = size
    canvas = np.zeros((height * _SUPERSAMPLING, width * _SUPERSAMPLING), np.uint8)
    fine = resized(polygons, _SUPERSAMPLING)
    fixed_point = np.rint(fine * 2**_SUBPIXEL_BITS).astype(np.int32)
    for polygon in fixed_point:
        cv2.fillPoly(canvas, [polygon], 255, shift=_SUBPIXEL_BITS)
    return cv2.resize(canvas, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def _warp_texture(
    layer: Layer, matrix: np.ndarray, corner: tuple[int, int], size: tuple[int, int]
) -> np.ndarray:
    """The layer's texture seen through a window of the frame, float32 (H, W, 3)."""
    inverse = cv2.invertAffineTransform(matrix)
    per_unit = (len(layer.texture) - 1) / (2 * layer.extent)
    to_texture = per_unit * inverse
    to_texture[:, 2] += per_unit * layer.extent + to_texture[:, :2] @ np.array(corner, float)
    return cv2.warpAffine(
        layer.texture,
        to_texture,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    ).astype(np.float32)


def _velocity(positions: np.ndarray, frame: int) -> np.ndarray:
    """Central difference of positions (F, 2), pixels per frame."""
    before, after = max(frame - 1, 0), min(frame + 1, len(positions) - 1)
    return (positions[after] - positions[before]) / max(after - before, 1)


def _line_kernel(vector: np.ndarray) -> np.ndarray | None:
    """Motion-blur kernel: a symmetric line along ``vector``, sum 1; None if shorter than a pixel."""
    length = float(np.hypot(*vector))
    if length < 1:
        return None
    vector = np.asarray(vector) * min(1.0, _MAX_BLUR / length)
    half = int(np.ceil(min(length, _MAX_BLUR) / 2)) + 1
    samples = np.linspace(-0.5, 0.5, 8 * half + 1)[:, None] * vector + half
    corner = np.floor(samples).astype(int)
    rest = samples - corner
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    for dx, dy in np.ndindex(2, 2):
        weight = np.abs(1 - dx - rest[:, 0]) * np.abs(1 - dy - rest[:, 1])
        np.add.at(kernel, (corner[:, 1] + dy, corner[:, 0] + dx), weight)
    return kernel / kernel.sum()
