"""Random scenes: who moves where, what passes in front of what, and when."""

from dataclasses import dataclass

import numpy as np

from mmpolar.datasets.synthetic.photographs import Photograph
from mmpolar.datasets.synthetic.random_curves import curve_through, knot_count, random_curve
from mmpolar.datasets.synthetic.random_shapes import bar_shape, random_shape, shape_radius
from mmpolar.datasets.synthetic.scene import Camera, Layer, Light, Scene, Sprite
from mmpolar.datasets.synthetic.textures import random_background, random_texture, recolour

MIN_TARGET_AREA = 400
"""Smallest visible area of the target in frame 0, pixels."""

_MIN_CONTRAST = 20.0
_EXTRA_CONTRAST = 30.0
_MAX_SCENES = 200
_MAX_PLACEMENTS = 12
_MIN_SIDE = 22.0
_BAR_EXTENT = 2.0

# At the greatest difficulty; the difficulty scales how often each of these happens.
_LEAVE_SHARE = 0.25
_OCCLUDER_SHARE = 0.55
_BAR_SHARE = 0.3
_SHAKE_SHARE = 0.3
_SHUTTER_SHARE = 0.4
_CLUTTER_COUNTS = (0.3, 0.3, 0.25, 0.15)
_DISTRACTOR_COUNTS = (0.3, 0.35, 0.25, 0.1)
_TWIN_SHARE = 0.5


def random_scene(
    rng: np.random.Generator,
    photos: list[Photograph],
    frames: int,
    size: tuple[int, int],
    difficulty: float,
) -> Scene:
    """Sample a scene whose target is fully visible, large enough and discernible in frame 0.

    Args:
        rng: Source of all randomness.
        photos: Photographs for the background and the textures.
        frames: Number of frames F, at least 2.
        size: Frame width and height, pixels.
        difficulty: From 0, a target on its own that stands out, to 1, occlusion, exits, twins and
            camouflage.

    Raises:
        RuntimeError: If no scene fits, which only happens when the frame is too small.
    """
    sampler = _Sampler(rng, photos, frames, size, difficulty)
    for _ in range(_MAX_SCENES):
        scene = sampler.scene()
        if _starts_well(scene, _MIN_CONTRAST + (1 - difficulty) * _EXTRA_CONTRAST):
            return scene
    raise RuntimeError(
        f'no target of {MIN_TARGET_AREA} px fits into frames of {size[0]}x{size[1]} px; '
        'ask for larger frames'
    )


@dataclass(frozen=True)
class _Sampler:
    """Samples the parts of a scene; attributes as the arguments of :func:`random_scene`."""

    rng: np.random.Generator
    photos: list[Photograph]
    frames: int
    size: tuple[int, int]
    difficulty: float

    def scene(self) -> Scene:
        """A scene, whatever its target looks like in frame 0."""
        shutter = self.rng.uniform(0.2, 0.7) if self.rng.random() < _SHUTTER_SHARE else 0.0
        camera = self._camera(shutter)
        shake = np.zeros((self.frames, 2))
        if self.rng.random() < _SHAKE_SHARE:
            shake = self.rng.normal(0, self.rng.uniform(0.4, 2.0), (self.frames, 2))
            camera.centre = camera.centre - shake * camera.zoom[:, None]

        target = self._walker(self.rng.random() < self.difficulty * _LEAVE_SHARE)
        distractors = self._distractors(target)
        occluders = []
        if self.rng.random() < self.difficulty * _OCCLUDER_SHARE:
            occluders = self._occluder(target)
        for sprite in (target, *distractors, *occluders):
            sprite.centre = sprite.centre + shake
            sprite.shutter = shutter
        clutter = self._clutter(camera)
        bars = []
        if self.rng.random() < self.difficulty * _BAR_SHARE:
            bars = self._bar(target, camera)

        back, front = clutter, [*occluders, *bars]
        for sprite in distractors:
            in_front = self.rng.random() < 0.5 and _clear_at_start(sprite, target)
            (front if in_front else back).append(sprite)
        return Scene(
            size=self.size,
            camera=camera,
            sprites=[*back, target, *front],
            target=len(back),
            light=self._light(),
            noise_seed=self.rng.integers(2**31, size=2).tolist(),
            jpeg_quality=int(self.rng.integers(70, 96)),
        )

    def _camera(self, shutter: float) -> Camera:
        canvas = random_background(self.rng, self.photos, self.size)
        middle = np.array(self.size) / 2
        furthest = np.array(canvas.shape[1::-1]) - middle
        pace = 0.0 if self.rng.random() < 0.3 else min(self.size) * self._log_uniform(0.01, 0.3)
        path = self._wander(middle, furthest, pace)
        roll_range = self.rng.uniform(0, 0.12) if self.rng.random() < 0.4 else 0.0
        return Camera(
            canvas=canvas,
            centre=curve_through(path, self.frames),
            zoom=np.exp(self.rng.uniform(0, 0.15) * random_curve(self.rng, self.frames)),
            roll=roll_range * random_curve(self.rng, self.frames),
            shutter=shutter,
        )

    def _walker(self, leaves: bool) -> Sprite:
        """A sprite that starts inside the frame and wanders; it may leave and come back."""
        parts = random_shape(self.rng, self.frames)
        side = self._side(parts)
        layers = self._dress(parts, side)
        return self._set_moving(layers, side, leaves)

    def _set_moving(self, layers: list[Layer], side: float, leaves: bool = False) -> Sprite:
        """Give a path, a rotation, a size and a foreshortening that change smoothly."""
        margin = np.minimum(1.1 * layers[0].extent * side + 2, (np.array(self.size) - 1) / 2)
        low, high = margin, np.array(self.size) - 1 - margin
        pace = min(self.size) * self._log_uniform(0.02, 0.45)
        path = self._wander(low, high, pace)
        if leaves:
            self._step_outside(path, margin)
        growth = self.rng.uniform(0, 0.35) * random_curve(self.rng, self.frames)
        squeeze = self.rng.uniform(0, 0.25) * random_curve(self.rng, self.frames)
        log_scale = np.stack([growth + squeeze, growth - squeeze], axis=-1)
        spin = self.rng.uniform(-0.12, 0.12) if self.rng.random() < 0.3 else 0.0
        angle = self.rng.uniform(0, 2 * np.pi) + self.rng.uniform(0, 0.8) * random_curve(
            self.rng, self.frames
        )
        return Sprite(
            layers=layers,
            centre=curve_through(path, self.frames),
            angle=angle + spin * np.arange(self.frames),
            scale=side * np.exp(log_scale - log_scale[0]),
        )

    def _distractors(self, target: Sprite) -> list[Sprite]:
        """Other things that move, some of them twins of the target."""
        distractors = []
        for _ in range(self._count(_DISTRACTOR_COUNTS)):
            if self.rng.random() < _TWIN_SHARE:
                distractors += self._twin(target)
            else:
                distractors.append(self._walker(self.rng.random() < 0.2))
        return distractors

    def _twin(self, target: Sprite) -> list[Sprite]:
        """The target's shape, run backwards in time, with nearly its texture.

        Returns:
            One sprite that is apart from the target in frame 0, or none where there is no room.
        """
        side = float(target.scale[0, 0]) * self.rng.uniform(0.85, 1.15)
        layers = [
            Layer(
                layer.polygons[::-1],
                recolour(self.rng, layer.texture, 0.2),
                layer.extent,
                layer.rim,
            )
            for layer in target.layers
        ]
        for _ in range(_MAX_PLACEMENTS):
            twin = self._set_moving(layers, side)
            if _clear_at_start(twin, target):
                return [twin]
        return []

    def _occluder(self, target: Sprite) -> list[Sprite]:
        """Something that crosses in front of the target at one moment.

        Returns:
            One sprite that is clear of the target in frame 0, or none where there is no way.
        """
        parts = random_shape(self.rng, self.frames)
        side = float(target.scale[0, 0]) * self._log_uniform(0.7, 2.2)
        layers = self._dress(parts, side)
        reach = layers[0].extent * side + target.layers[0].extent * float(target.scale.max())
        for _ in range(_MAX_PLACEMENTS):
            meeting = int(self.rng.integers(max(1, self.frames // 4), self.frames))
            heading = self.rng.uniform(0, 2 * np.pi)
            speed = self.rng.uniform(1.0, 1.8) * 1.05 * reach / meeting
            velocity = speed * _unit(heading)
            miss = self.rng.uniform(-0.2, 0.2, 2) * side
            sprite = Sprite(
                layers=layers,
                centre=target.centre[meeting]
                + miss
                + velocity * (np.arange(self.frames) - meeting)[:, None],
                angle=self.rng.uniform(0, 2 * np.pi)
                + self.rng.uniform(0, 0.6) * random_curve(self.rng, self.frames),
                scale=np.full((self.frames, 2), side),
            )
            if _clear_at_start(sprite, target):
                return [sprite]
        return []

    def _clutter(self, camera: Camera) -> list[Sprite]:
        """Things that stand still in the scene, behind the target."""
        clutter = []
        for _ in range(self._count(_CLUTTER_COUNTS)):
            parts = [
                np.repeat(part[:1], self.frames, axis=0)
                for part in random_shape(self.rng, self.frames)
            ]
            side = self._side(parts) * self.rng.uniform(0.6, 1.4)
            layers = self._dress(parts, side)
            point = self.rng.uniform(0, np.array(self.size))
            moment, angle = int(self.rng.integers(self.frames)), self.rng.uniform(0, 2 * np.pi)
            clutter.append(self._attach(camera, point, moment, layers, angle, side))
        return clutter

    def _bar(self, target: Sprite, camera: Camera) -> list[Sprite]:
        """A pole that stands in the scene and behind which the target passes.

        Returns:
            One sprite that is clear of the target in frame 0, or none where there is no such position.
        """
        width = float(target.scale[0, 0]) * self.rng.uniform(0.25, 0.8)
        pixels = int(np.clip(np.ceil(2 * _BAR_EXTENT * width), 32, 256))
        texture = random_texture(self.rng, self.photos, pixels)
        layers = [Layer(bar_shape(self.frames), texture, _BAR_EXTENT, self.rng.uniform(0, 0.5))]
        reach = width / 2 + target.layers[0].extent * float(target.scale[0].max())
        for _ in range(_MAX_PLACEMENTS):
            meeting = int(self.rng.integers(max(1, self.frames // 4), self.frames))
            lean = self.rng.uniform(-0.35, 0.35) + (np.pi / 2 if self.rng.random() < 0.2 else 0.0)
            bar = self._attach(camera, target.centre[meeting], meeting, layers, lean, width)
            across = _unit(bar.angle[0])
            if abs((target.centre[0] - bar.centre[0]) @ across) > reach:
                return [bar]
        return []

    def _attach(
        self,
        camera: Camera,
        point: np.ndarray,
        moment: int,
        layers: list[Layer],
        angle: float,
        side: float,
    ) -> Sprite:
        """A sprite fixed to the background, at ``point`` of the frame at one moment."""
        view = camera.matrix(moment, self.size)
        anchor = view[:, :2] @ point + view[:, 2]
        return pin_to_canvas(camera, self.size, anchor, layers, angle, side * camera.zoom[moment])

    def _count(self, probabilities: tuple[float, ...]) -> int:
        """How many things there are; each of those sampled stays with a chance of ``difficulty``."""
        return int(
            self.rng.binomial(self.rng.choice(len(probabilities), p=probabilities), self.difficulty)
        )

    def _light(self) -> Light:
        changes = self.rng.random() < 0.5
        common = self.rng.uniform(0.08, 0.35) * changes * random_curve(self.rng, self.frames, (1,))
        colour = self.rng.uniform(0, 0.08) * changes * random_curve(self.rng, self.frames, (3,))
        shadow = self.rng.uniform(0.1, 0.4) if self.rng.random() < 0.4 else 0.0
        return Light(
            gain=np.exp(common + colour),
            shadow=shadow * random_curve(self.rng, self.frames),
            shadow_direction=_unit(self.rng.uniform(0, 2 * np.pi)),
            defocus=self.rng.uniform(0.4, 1.1) if self.rng.random() < 0.3 else 0.0,
            noise=self.rng.uniform(1.0, 8.0) if self.rng.random() < 0.5 else 0.0,
        )

    def _side(self, parts: list[np.ndarray]) -> float:
        """Square root of a sprite's area in pixels, such that the sprite fits into the frame."""
        wanted = min(self.size) * self._log_uniform(0.12, 0.36)
        return max(_MIN_SIDE, min(wanted, 0.42 * min(self.size) / shape_radius(parts)))

    def _dress(self, parts: list[np.ndarray], side: float) -> list[Layer]:
        """Give each part a texture; further parts mostly wear a variant of the first one's."""
        extent = shape_radius(parts)
        pixels = int(np.clip(np.ceil(2 * extent * side), 32, 256))
        rim = self.rng.uniform(0.1, 0.7) if self.rng.random() < 0.7 else 0.0
        first = random_texture(self.rng, self.photos, pixels)
        textures = [first]
        for _ in parts[1:]:
            if self.rng.random() < 0.3:
                textures.append(random_texture(self.rng, self.photos, pixels))
            else:
                textures.append(recolour(self.rng, first, strength=0.4))
        return [
            Layer(part, texture, extent, rim) for part, texture in zip(parts, textures, strict=True)
        ]

    def _wander(self, low: np.ndarray, high: np.ndarray, pace: float) -> np.ndarray:
        """Knots (K, 2) of a path inside a rectangle that keeps its heading and turns at the sides.

        Args:
            low: Least x and y, pixels.
            high: Largest x and y, pixels.
            pace: Typical distance between two knots, pixels.
        """
        knots = np.empty((knot_count(self.frames), 2))
        knots[0] = self.rng.uniform(low, np.maximum(low, high))
        step = pace * _unit(self.rng.uniform(0, 2 * np.pi))
        for k in range(1, len(knots)):
            turn = self.rng.normal(0, 0.6)
            cos, sin = np.cos(turn), np.sin(turn)
            step = np.array([[cos, -sin], [sin, cos]]) @ step
            goal = knots[k - 1] + self.rng.uniform(0.4, 1.4) * step
            knots[k] = np.clip(goal, low, np.maximum(low, high))
            step = np.where(knots[k] == goal, step, -step)
        return knots

    def _step_outside(self, path: np.ndarray, margin: np.ndarray) -> None:
        """Move one knot of a path outside the frame and its neighbours near that side, in place."""
        k = int(self.rng.integers(1, len(path) - 1))
        last = np.array(self.size) - 1.0
        gaps = np.concatenate([path[k], last - path[k]])
        side, axis = divmod(int(np.argmin(gaps)), 2)
        outward = 1.0 if side else -1.0
        edge = last[axis] if side else 0.0
        path[[k - 1, k + 1], axis] = edge - outward * 1.05 * margin[axis]
        path[k, axis] = edge + outward * (1.1 * margin[axis] + 0.05 * min(self.size))

    def _log_uniform(self, low: float, high: float) -> float:
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high))))


def pin_to_canvas(
    camera: Camera,
    size: tuple[int, int],
    anchor: np.ndarray,
    layers: list[Layer],
    angle: float,
    scale: float,
) -> Sprite:
    """A sprite that stands still in the scene.

    Args:
        camera: The background.
        size: Frame width and height, pixels.
        anchor: Where on the canvas its origin is, (2,).
        layers: Its parts.
        angle: Rotation on the canvas, radians.
        scale: Canvas pixels per sprite unit.
    """
    views = np.stack([camera.matrix(frame, size) for frame in range(len(camera.centre))])
    centre = np.linalg.solve(views[:, :, :2], (anchor - views[:, :, 2])[..., None])[..., 0]
    seen = scale / camera.zoom
    return Sprite(
        layers=layers,
        centre=centre,
        angle=angle - camera.roll,
        scale=np.stack([seen, seen], axis=-1),
        shutter=camera.shutter,
    )


def _starts_well(scene: Scene, min_contrast: float) -> bool:
    """Is the target whole, inside the frame, large and unlike its surroundings in frame 0?"""
    image, coverage = scene.compose(0)
    mask = coverage >= 0.5
    border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    if mask.sum() < MIN_TARGET_AREA or border.any():
        return False
    if not np.array_equal(mask, scene.full_mask(0) > 0):
        return False
    without = scene.compose(0, hide=(scene.target,))[0]
    return float(np.abs(image - without)[mask].mean()) >= min_contrast


def _clear_at_start(sprite: Sprite, target: Sprite) -> bool:
    """Are the circles around two sprites apart in frame 0?"""
    reach = sum(thing.layers[0].extent * thing.scale[0].max() for thing in (sprite, target))
    return bool(np.hypot(*(sprite.centre[0] - target.centre[0])) > reach)


def _unit(angle: float) -> np.ndarray:
    return np.array([np.cos(angle), np.sin(angle)])
