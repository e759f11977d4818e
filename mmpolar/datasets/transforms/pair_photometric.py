"""Changes the colours and the sharpness of the two crops of a pair."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from numpy.random import Generator
from numpy.typing import NDArray

from mmpolar.registry import TRANSFORMS

# Rec. 601: luma and the two chroma axes of YIQ, columns in the order blue, green, red.
_BGR_TO_YIQ = np.array(
    [[0.114, 0.587, 0.299], [-0.3213, -0.2744, 0.5957], [0.3111, -0.5227, 0.2115]]
)
_LUMA = _BGR_TO_YIQ[0]
_YIQ_TO_BGR = np.linalg.inv(_BGR_TO_YIQ)


@TRANSFORMS.register_module()
class PairPhotometric(BaseTransform):
    """Jitter the colours of both crops, turn some grey, blur some.

    Works on the uint8 BGR crops that :class:`CropPair` leaves. Brightness, contrast, saturation,
    hue and grey are one linear map of the colours, applied once. Template and search crop get
    their own colours and blurs, since lighting and motion differ between two frames; grey is
    common to both, since a camera that gives grey gives it throughout.

    Reads ``rng``, replaces ``img`` of ``template`` and ``search``.

    Args:
        color_prob: Probability that the colours of a crop are jittered.
        brightness: Colours are multiplied by ``1 - brightness .. 1 + brightness``; in [0, 1].
        contrast: Distances from the crop's mean luma are multiplied by
            ``1 - contrast .. 1 + contrast``; in [0, 1].
        saturation: Distances from grey are multiplied by ``1 - saturation .. 1 + saturation``;
            in [0, 1].
        hue: Colours are turned about the grey axis by ``-hue .. hue`` degrees; in [0, 180].
        gray_prob: Probability that both crops lose their colours.
        gaussian_prob: Probability that a crop is blurred by a Gaussian.
        gaussian_sigma: Least and greatest standard deviation of that Gaussian in pixels.
        motion_prob: Probability that a crop is blurred along a line of any direction.
        motion_length: Least and greatest length of that line in pixels. Lines above 11 px are
            ten times slower.

    Raises:
        ValueError: If an argument is outside its range.
    """

    def __init__(
        self,
        color_prob: float = 0.8,
        brightness: float = 0.2,
        contrast: float = 0.2,
        saturation: float = 0.3,
        hue: float = 10.0,
        gray_prob: float = 0.05,
        gaussian_prob: float = 0.1,
        gaussian_sigma: Sequence[float] = (0.3, 1.5),
        motion_prob: float = 0.1,
        motion_length: Sequence[float] = (3.0, 11.0),
    ) -> None:
        for name, value, limit in (
            ('color_prob', color_prob, 1),
            ('brightness', brightness, 1),
            ('contrast', contrast, 1),
            ('saturation', saturation, 1),
            ('hue', hue, 180),
            ('gray_prob', gray_prob, 1),
            ('gaussian_prob', gaussian_prob, 1),
            ('motion_prob', motion_prob, 1),
        ):
            if not 0 <= value <= limit:
                raise ValueError(f'PairPhotometric: {name} must be in [0, {limit}], got {value}')
        for name, bounds in (
            ('gaussian_sigma', gaussian_sigma),
            ('motion_length', motion_length),
        ):
            if len(bounds) != 2 or not 0 < bounds[0] <= bounds[1]:
                raise ValueError(
                    f'PairPhotometric: {name} must be (least, greatest) with '
                    f'0 < least <= greatest, got {bounds}'
                )
        self.color_prob = color_prob
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.hue = hue
        self.gray_prob = gray_prob
        self.gaussian_prob = gaussian_prob
        self.gaussian_sigma = tuple(gaussian_sigma)
        self.motion_prob = motion_prob
        self.motion_length = tuple(motion_length)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change the pixels of both crops.

        Args:
            results: A cropped pair.

        Returns:
            The same dictionary.
        """
        rng: Generator = results['rng']
        gray = rng.random() < self.gray_prob
        for side in (results['template'], results['search']):
            img = self._recolor(side.img, gray, rng)
            side.img = self._blur(img, rng)
        return results

    def _recolor(self, img: NDArray[np.uint8], gray: bool, rng: Generator) -> NDArray[np.uint8]:
        brightness = contrast = saturation = 1.0
        hue = 0.0
        if jitter := rng.random() < self.color_prob:
            brightness = 1 + rng.uniform(-self.brightness, self.brightness)
            contrast = 1 + rng.uniform(-self.contrast, self.contrast)
            saturation = 1 + rng.uniform(-self.saturation, self.saturation)
            hue = rng.uniform(-self.hue, self.hue)
        if not (jitter or gray):
            return img
        return adjust_colors(img, brightness, contrast, 0.0 if gray else saturation, hue)

    def _blur(self, img: NDArray[np.uint8], rng: Generator) -> NDArray[np.uint8]:
        if rng.random() < self.gaussian_prob:
            img = cv2.GaussianBlur(img, (0, 0), rng.uniform(*self.gaussian_sigma))
        if rng.random() < self.motion_prob:
            kernel = motion_kernel(rng.uniform(*self.motion_length), rng.uniform(0, np.pi))
            img = cv2.filter2D(img, -1, kernel)
        return img

    def __repr__(self) -> str:
        values = ', '.join(f'{key}={value}' for key, value in vars(self).items())
        return f'{type(self).__name__}({values})'


def adjust_colors(
    img: NDArray[np.uint8], brightness: float, contrast: float, saturation: float, hue: float
) -> NDArray[np.uint8]:
    """Change the colours of an image by one linear map.

    Saturation and hue scale and turn the chroma plane of YIQ and leave the luma alone; contrast
    scales about the mean luma; brightness scales everything.

    Args:
        img: (H, W, 3) uint8 BGR.
        brightness: Factor, 1 for no change.
        contrast: Factor, 1 for no change.
        saturation: Factor, 1 for no change, 0 for grey.
        hue: Angle in degrees, 0 for no change.

    Returns:
        (H, W, 3) uint8 BGR, a new array.
    """
    angle = np.deg2rad(hue)
    cos, sin = saturation * np.cos(angle), saturation * np.sin(angle)
    in_yiq = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    linear = brightness * contrast * (_YIQ_TO_BGR @ in_yiq @ _BGR_TO_YIQ)
    mean_luma = _LUMA @ cv2.mean(img)[:3]
    offset = np.full(3, brightness * (1 - contrast) * mean_luma)
    return cv2.transform(img, np.column_stack([linear, offset]))


def motion_kernel(length: float, angle: float) -> NDArray[np.float32]:
    """Kernel that averages along a line through its centre.

    Args:
        length: Length of the line in pixels, greater than 0.
        angle: Direction of the line in radians, from +x towards +y.

    Returns:
        (k, k) float32 with the sum 1; k is odd and at least ``length``.
    """
    reach = int(np.ceil(max(length - 1, 0) / 2))
    axis = np.arange(-reach, reach + 1)
    x, y = np.meshgrid(axis, axis)
    along = np.abs(np.cos(angle) * x + np.sin(angle) * y)
    across = np.abs(np.cos(angle) * y - np.sin(angle) * x)
    weights = np.clip((length + 1) / 2 - along, 0, 1) * np.clip(1 - across, 0, 1)
    return (weights / weights.sum()).astype(np.float32)
