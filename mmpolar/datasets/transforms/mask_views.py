"""From a group of views of one target to the crops and maps that train a mask stage.

The augmentations are those of static-image pretraining in video segmentation: each view of a
still image is moved and bent on its own (Oh et al., ICCV 2019, STM, section 3.3; Perazzi et al.,
CVPR 2017, MaskTrack, section 3.1).
"""

from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from numpy.random import Generator
from numpy.typing import NDArray

from mmpolar.datasets.transforms.load_pair_images import check_mask_size
from mmpolar.datasets.transforms.pair_photometric import adjust_colors, motion_kernel
from mmpolar.registry import TRANSFORMS
from mmpolar.structures.crop import crop_matrix, mean_color, transform_mask_box
from mmpolar.structures.polar import encode_radii, ray_directions
from mmpolar.tracking.mask_stage import box_coverage, render_region
from mmpolar.utils.image import read_image

# Image pixels a crop pixel from which plain bilinear sampling would skip too many.
_SAMPLED_ZOOM = 1.8


@TRANSFORMS.register_module()
class LoadViews(BaseTransform):
    """Decode the images of a group; an image that is used more than once is decoded once.

    Reads ``img_path`` and ``mask`` of ``views``, ``background``, ``filler`` and ``distractors``; adds
    ``img`` to each.

    Raises:
        FileNotFoundError: If an image does not exist.
        ImageReadError: If an image cannot be decoded.
        ValueError: If a mask has not the size of its image.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the images."""
        sides = [*results['views'], *results['distractors']]
        sides += [results[key] for key in ('background', 'filler') if results[key] is not None]
        images: dict[str, NDArray[np.uint8]] = {}
        for side in sides:
            path = side['img_path']
            if path not in images:
                images[path] = read_image(path)
            side['img'] = images[path]
            check_mask_size(side['img'], side['mask'], path)
        return results


@TRANSFORMS.register_module()
class CropViews(BaseTransform):
    """Crop each view around an inexact box of its target, turned, sheared and bent.

    The crop is a square of ``context`` times the longer side of a box that lies off the target's
    own box as a tracker's does. Where it leaves the image it shows the ``filler``, or the image's
    mean colour where there is none. Mirroring is common to the group. With ``absent_prob`` a view
    shows a place away from the target.

    Reads ``views`` with ``img``, ``mask``, ``is_still``; replaces ``img`` by (X, X, 3) uint8 and
    ``mask`` by (X, X) uint8 of 0 and 255, and adds ``side_ratio``, the width and height of the
    inexact box in units of the longer one, (2,).

    Args:
        size: Side X of the crops in pixels.
        context: Side of a crop in units of the longer side of the box.
        jitter: Standard deviation of the box's offset in units of its sides, and of the logarithm
            of its sides, of most views.
        hard_jitter: The same of the other views.
        hard_prob: Share of the other views.
        rotate: Largest angle in degrees that a view of a still image is turned by; frames of a
            video are turned by a third of it.
        shear: Largest shear of such a view.
        bend: Standard deviation of the displacements of the 4 x 4 nodes that bend a view of a
            still image, in units of the crop's side (a smooth warp as by a thin plate).
        bend_prob: Probability that such a view is bent.
        absent_prob: Probability that a view does not show its target.
    """

    def __init__(
        self,
        size: int = 160,
        context: float = 1.75,
        jitter: float = 0.07,
        hard_jitter: float = 0.18,
        hard_prob: float = 0.4,
        rotate: float = 20.0,
        shear: float = 0.15,
        bend: float = 0.025,
        bend_prob: float = 0.6,
        absent_prob: float = 0.04,
    ) -> None:
        self.size = size
        self.context = context
        self.jitter = jitter
        self.hard_jitter = hard_jitter
        self.hard_prob = hard_prob
        self.rotate = rotate
        self.shear = shear
        self.bend = bend
        self.bend_prob = bend_prob
        self.absent_prob = absent_prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crop every view."""
        rng: Generator = results['rng']
        is_still = results['is_still']
        flip = rng.random() < 0.5
        for view in results['views']:
            linear = self._sample_linear(rng, is_still, flip)
            center = (view['box'][:2] + view['box'][2:]) / 2
            turn = np.hstack([linear, (center - linear @ center)[:, None]])
            box = transform_mask_box(view['mask'], turn)
            box = self._jitter_box(rng, box)
            side = self.context * max(box[2] - box[0], box[3] - box[1])
            middle = (box[:2] + box[2:]) / 2
            if rng.random() < self.absent_prob:
                angle = rng.uniform(0, 2 * np.pi)
                middle = middle + side * rng.uniform(1.0, 1.6) * np.array(
                    [np.cos(angle), np.sin(angle)]
                )
            matrix = _compose(crop_matrix(middle, side, self.size), turn)
            bent = is_still and rng.random() < self.bend_prob
            field = self._sample_field(rng) if bent else None
            frame = view['img']
            view['img'], view['mask'] = warp_view(frame, view['mask'], matrix, self.size, field)
            if results['filler'] is not None:
                self._fill_outside(view, results['filler'], frame.shape[:2], matrix, field, rng)
            sides = box[2:] - box[:2]
            view['side_ratio'] = sides / sides.max()
        return results

    def _fill_outside(
        self,
        view: dict[str, Any],
        filler: dict[str, Any],
        frame_size: tuple[int, int],
        matrix: NDArray[np.float64],
        field: NDArray[np.float32] | None,
        rng: Generator,
    ) -> None:
        """Show another photograph where the crop leaves the frame."""
        inside = np.ones(frame_size, np.uint8)
        _, covered = warp_view(inside, inside, matrix, self.size, field)
        if covered.min() == 255:
            return
        img = filler['img']
        side = min(img.shape[:2]) * rng.uniform(0.6, 1.0)
        window = crop_matrix(np.array(img.shape[1::-1]) / 2, side, self.size)
        size = (self.size, self.size)
        other = cv2.warpAffine(img, window, size, borderMode=cv2.BORDER_REFLECT_101)
        view['img'] = np.where(covered[..., None] != 0, view['img'], other)

    def _sample_linear(self, rng: Generator, is_still: bool, flip: bool) -> NDArray[np.float64]:
        share = 1.0 if is_still else 1 / 3
        angle = np.deg2rad(rng.uniform(-self.rotate, self.rotate) * share)
        shear_x, shear_y = rng.uniform(-self.shear, self.shear, 2) * share
        stretch = np.exp(rng.uniform(-0.15, 0.15) * share)
        cos, sin = np.cos(angle), np.sin(angle)
        linear = np.array([[cos, -sin], [sin, cos]]) @ np.array([[1, shear_x], [shear_y, 1]])
        linear = linear @ np.diag([stretch, 1 / stretch])
        return np.diag([-1.0, 1.0]) @ linear if flip else linear

    def _jitter_box(self, rng: Generator, box: NDArray[np.float32]) -> NDArray[np.float64]:
        amount = self.hard_jitter if rng.random() < self.hard_prob else self.jitter
        sides = (box[2:] - box[:2]).astype(np.float64)
        noise = np.clip(rng.normal(0, amount, 4), -0.35, 0.35)
        center = (box[:2] + box[2:]) / 2 + noise[:2] * sides
        sides = np.maximum(sides * np.exp(noise[2:]), 2.0)
        return np.concatenate([center - sides / 2, center + sides / 2])

    def _sample_field(self, rng: Generator) -> NDArray[np.float32]:
        """Displacements in crop pixels, (X, X, 2)."""
        nodes = rng.normal(0, self.bend * self.size, (4, 4, 2)).astype(np.float32)
        return cv2.resize(nodes, (self.size, self.size), interpolation=cv2.INTER_CUBIC)


@TRANSFORMS.register_module()
class CompositeViews(BaseTransform):
    """Lay another photograph behind the target, and other objects beside or over it.

    Reads ``views`` (cropped), ``background``, ``distractors``; replaces ``img`` and ``mask``.

    Args:
        over_prob: Probability that a distractor covers a part of the target; otherwise the target
            covers it.
        motion: Standard deviation of a distractor's offset between two views in units of the
            crop's side.
    """

    def __init__(self, over_prob: float = 0.4, motion: float = 0.05) -> None:
        self.over_prob = over_prob
        self.motion = motion

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Composite every view."""
        rng: Generator = results['rng']
        if results['background'] is not None:
            self._replace_background(results['views'], results['background'], rng)
        for distractor in results['distractors']:
            self._add_distractor(results['views'], distractor, rng)
        return results

    def _replace_background(
        self, views: list[dict[str, Any]], background: dict[str, Any], rng: Generator
    ) -> None:
        img = background['img']
        size = views[0]['img'].shape[0]
        side = min(img.shape[:2]) * rng.uniform(0.5, 0.9)
        spread = np.maximum(np.array(img.shape[1::-1]) - side, 0) / 2
        middle = np.array(img.shape[1::-1]) / 2 + rng.uniform(-1, 1, 2) * spread
        for view in views:
            offset = rng.normal(0, self.motion, 2) * side
            matrix = crop_matrix(middle + offset, side * np.exp(rng.normal(0, 0.05)), size)
            behind = cv2.warpAffine(img, matrix, (size, size), borderMode=cv2.BORDER_REFLECT_101)
            soft = cv2.GaussianBlur(view['mask'], (0, 0), rng.uniform(0.4, 1.0))
            view['img'] = _blend(view['img'], behind, soft)

    def _add_distractor(
        self, views: list[dict[str, Any]], distractor: dict[str, Any], rng: Generator
    ) -> None:
        size = views[0]['img'].shape[0]
        box = distractor['box']
        is_over = rng.random() < self.over_prob
        angle = rng.uniform(0, 2 * np.pi)
        place = np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(0.25, 0.55)
        scale = rng.uniform(0.3, 0.75)
        flip = rng.random() < 0.5
        for view in views:
            spot = (0.5 + place + rng.normal(0, self.motion, 2)) * size
            zoom = scale * np.exp(rng.normal(0, 0.06)) * size / max(box[2:] - box[:2])
            turn = np.deg2rad(rng.normal(0, 6))
            linear = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
            if flip:
                linear[:, 0] = -linear[:, 0]
            middle = (box[:2] + box[2:]) / 2
            matrix = np.hstack([linear, (spot - linear @ middle)[:, None]])
            img, mask = warp_view(distractor['img'], distractor['mask'], matrix, size)
            soft = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.4, 1.0))
            if is_over:
                view['img'] = _blend(img, view['img'], soft)
                view['mask'] = cv2.bitwise_and(view['mask'], cv2.bitwise_not(mask))
            else:
                keep = cv2.GaussianBlur(view['mask'], (0, 0), 0.6)
                view['img'] = _blend(img, view['img'], cv2.subtract(soft, keep))


@TRANSFORMS.register_module()
class RecolorViews(BaseTransform):
    """Change the colours and the sharpness of each view, and how it was recorded.

    Args:
        color_prob: Probability that the colours of a view change.
        gray_prob: Probability that the whole group loses its colours.
        blur_prob: Probability of a Gaussian blur, and likewise of a motion blur.
        compress_prob: Probability that a view passes through JPEG.
        dark_prob: Probability that a view is dark and noisy.
    """

    def __init__(
        self,
        color_prob: float = 0.7,
        gray_prob: float = 0.06,
        blur_prob: float = 0.15,
        compress_prob: float = 0.15,
        dark_prob: float = 0.08,
    ) -> None:
        self.color_prob = color_prob
        self.gray_prob = gray_prob
        self.blur_prob = blur_prob
        self.compress_prob = compress_prob
        self.dark_prob = dark_prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change the pixels of every view."""
        rng: Generator = results['rng']
        gray = rng.random() < self.gray_prob
        common = rng.uniform(-1, 1, 4) * (0.25, 0.2, 0.3, 12) * (rng.random() < self.color_prob)
        for view in results['views']:
            view['img'] = self._recolor(view['img'], common, gray, rng)
        return results

    def _recolor(
        self, img: NDArray[np.uint8], common: NDArray, gray: bool, rng: Generator
    ) -> NDArray[np.uint8]:
        own = rng.uniform(-1, 1, 4) * (0.12, 0.12, 0.15, 5) * (rng.random() < self.color_prob)
        brightness, contrast, saturation, hue = common + own
        if gray or (common + own).any():
            img = adjust_colors(
                img, 1 + brightness, 1 + contrast, 0.0 if gray else 1 + saturation, hue
            )
        if rng.random() < self.dark_prob:
            noise = rng.integers(0, 25)
            darker = cv2.convertScaleAbs(img, alpha=rng.uniform(0.25, 0.6))
            grain = rng.integers(-noise - 1, noise + 1, img.shape, dtype=np.int16)
            img = np.clip(darker + grain, 0, 255).astype(np.uint8)
        if rng.random() < self.blur_prob:
            img = cv2.GaussianBlur(img, (0, 0), rng.uniform(0.4, 2.0))
        if rng.random() < self.blur_prob:
            kernel = motion_kernel(rng.uniform(3, 11), rng.uniform(0, np.pi))
            img = cv2.filter2D(img, -1, kernel)
        if rng.random() < self.compress_prob:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 70))]
            img = cv2.imdecode(cv2.imencode('.jpg', img, quality)[1], cv2.IMREAD_COLOR)
        return img


@TRANSFORMS.register_module()
class SimulatePriors(BaseTransform):
    """What a tracker would know of each view: box, an inexact contour, an inexact mask.

    Reads ``views``; adds ``box_map``, ``contour_map`` and ``reference_mask``, each
    (X / 2, X / 2) uint8 of 0 to 255.

    Args:
        context: As that of :class:`CropViews`.
        n_rays: Rays of the contour.
        smooth: The radii are drawn towards those of the ellipse in the target's box by a weight of
            up to this.
        radius_noise: Largest standard deviation of the logarithm of the radii, smooth along the
            contour.
        offset_noise: Standard deviation of the pole's offset in units of the box's sides.
        mask_error_prob: Probability that the mask of a reference is not the true one.
    """

    def __init__(
        self,
        context: float = 1.75,
        n_rays: int = 72,
        smooth: float = 0.8,
        radius_noise: float = 0.35,
        offset_noise: float = 0.08,
        mask_error_prob: float = 0.6,
    ) -> None:
        self.context = context
        self.n_rays = n_rays
        self.smooth = smooth
        self.radius_noise = radius_noise
        self.offset_noise = offset_noise
        self.mask_error_prob = mask_error_prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the maps of every view."""
        rng: Generator = results['rng']
        for view in results['views']:
            mask = view['mask']
            size = len(mask)
            view['box_map'] = box_coverage(view['side_ratio'] * size / self.context, size // 2)
            contour = self._sample_contour(mask, rng)
            view['contour_map'] = render_region(contour, size // 2)
            is_wrong = rng.random() < self.mask_error_prob
            view['reference_mask'] = _halve(_disturb(mask, contour, rng) if is_wrong else mask)
        return results

    def _sample_contour(
        self, mask: NDArray[np.uint8], rng: Generator
    ) -> NDArray[np.float64] | None:
        """Points (n, 2) of an inexact polar contour; None if the mask is empty."""
        x, y, width, height = cv2.boundingRect(mask)
        if width == 0:
            return None
        sides = np.array([width, height])
        middle = np.array([x, y]) + (sides - 1) / 2
        pole = middle + np.clip(rng.normal(0, self.offset_noise, 2), -0.3, 0.3) * sides
        radii, valid = encode_radii(mask, pole[None], self.n_rays)
        radii, valid = radii[0].astype(np.float64), valid[0]
        directions = ray_directions(self.n_rays)
        ellipse = 1 / np.sqrt(((directions / (sides / 2)) ** 2).sum(1))
        radii = np.where(valid, radii, ellipse)
        weight = rng.uniform(0, self.smooth)
        radii = np.exp((1 - weight) * np.log(np.maximum(radii, 1)) + weight * np.log(ellipse))
        noise = _smooth_noise(self.n_rays, rng) * rng.uniform(0.03, self.radius_noise)
        shift = rng.normal(0, 0.04, 2) * sides
        return pole + shift + directions * (radii * np.exp(noise))[:, None]


@TRANSFORMS.register_module()
class PackViews(BaseTransform):
    """Pack a group for :class:`MaskStage`.

    Returns ``inputs``: ``img`` (V, 3, X, X), ``priors`` (V, 2, X / 2, X / 2), ``reference_masks``
    and ``gt_masks`` (V, X / 2, X / 2), uint8 tensors.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Stack the views."""
        views = results['views']
        images = np.stack([view['img'] for view in views])
        priors = np.stack([[view['box_map'], view['contour_map']] for view in views])
        inputs = dict(
            img=torch.from_numpy(images).permute(0, 3, 1, 2),
            priors=torch.from_numpy(priors),
            reference_masks=torch.from_numpy(np.stack([v['reference_mask'] for v in views])),
            gt_masks=torch.from_numpy(np.stack([_halve(v['mask']) for v in views])),
        )
        return dict(inputs=inputs)


def warp_view(
    img: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    size: int,
    field: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Crop an image and its mask by an affine matrix, and bend the crop.

    Args:
        img: Image, (H, W, 3) uint8.
        mask: Mask, (H, W) uint8, not zero inside.
        matrix: (2, 3) matrix from image to crop.
        size: Side X of the crop in pixels.
        field: Displacements in crop pixels, (X, X, 2); None for none.

    Returns:
        The crop (X, X, 3), the image's mean colour outside the image, and the mask (X, X) of 0 and
        255.
    """
    color = mean_color(img)
    img, mask, matrix = _visible_part(img, mask, matrix, size, 0 if field is None else field)
    mask = np.where(mask != 0, np.uint8(255), np.uint8(0))
    zoom = 1 / np.sqrt(max(abs(np.linalg.det(matrix[:, :2])), 1e-12))
    if zoom >= _SAMPLED_ZOOM:
        small = tuple(max(1, round(side / zoom)) for side in img.shape[1::-1])
        scale = np.array(small) / img.shape[1::-1]
        img = cv2.resize(img, small, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(mask, small, interpolation=cv2.INTER_AREA)
        to_full = np.array(
            [[1 / scale[0], 0, 0.5 / scale[0] - 0.5], [0, 1 / scale[1], 0.5 / scale[1] - 0.5]]
        )
        matrix = _compose(matrix, to_full)
    inverse = cv2.invertAffineTransform(matrix)
    if field is None:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        shape = (size, size)
        crop = cv2.warpAffine(img, inverse, shape, flags=flags, borderValue=color)
        cut = cv2.warpAffine(mask, inverse, shape, flags=flags)
    else:
        ys, xs = np.mgrid[:size, :size].astype(np.float32)
        xs, ys = xs + field[..., 0], ys + field[..., 1]
        inverse = inverse.astype(np.float32)
        map_x = inverse[0, 0] * xs + inverse[0, 1] * ys + inverse[0, 2]
        map_y = inverse[1, 0] * xs + inverse[1, 1] * ys + inverse[1, 2]
        crop = cv2.remap(img, map_x, map_y, cv2.INTER_LINEAR, borderValue=color)
        cut = cv2.remap(mask, map_x, map_y, cv2.INTER_LINEAR)
    return crop, cv2.compare(cut, 127, cv2.CMP_GT)


def _visible_part(
    img: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    size: int,
    field: NDArray[np.float32] | float,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float64]]:
    """The part of an image that a crop shows, its mask, and the matrix from there to the crop."""
    low, high = np.min(field) - 2, np.max(field) + size + 1
    corners = np.array([[low, low], [low, high], [high, low], [high, high]])
    inverse = cv2.invertAffineTransform(matrix)
    corners = corners @ inverse[:, :2].T + inverse[:, 2]
    limits = np.array(img.shape[1::-1])
    first = np.clip(np.floor(corners.min(0)).astype(int) - 2, 0, limits - 1)
    last = np.clip(np.ceil(corners.max(0)).astype(int) + 3, first + 1, limits)
    (x1, y1), (x2, y2) = first, last
    to_whole = np.array([[1.0, 0, x1], [0, 1.0, y1]])
    return img[y1:y2, x1:x2], mask[y1:y2, x1:x2], _compose(matrix, to_whole)


def _disturb(
    mask: NDArray[np.uint8], contour: NDArray[np.float64] | None, rng: Generator
) -> NDArray[np.uint8]:
    """A mask as a tracker may have found it: grown, shrunk, cut, spilt, or a contour's inside."""
    kind = rng.random()
    if kind < 0.3:
        return render_region(contour, len(mask), 1)
    radius = int(rng.integers(1, 7))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    if kind < 0.5:
        return cv2.dilate(mask, kernel)
    if kind < 0.65:
        return cv2.erode(mask, kernel)
    x, y, width, height = cv2.boundingRect(mask)
    spot = (x + rng.random() * width, y + rng.random() * height)
    reach = max(width, height) * rng.uniform(0.1, 0.35)
    mask = mask.copy()
    axes = (max(int(reach), 1), max(int(reach * rng.uniform(0.4, 1)), 1))
    color = 0 if kind < 0.82 else 255
    cv2.ellipse(
        mask, (int(spot[0]), int(spot[1])), axes, rng.uniform(0, 180), 0, 360, color, cv2.FILLED
    )
    return mask


def _smooth_noise(count: int, rng: Generator) -> NDArray[np.float64]:
    """Periodic noise of unit variance, (count,), of the lowest six frequencies."""
    angles = 2 * np.pi * np.arange(count) / count
    orders = np.arange(1, 7)
    weights = rng.normal(size=(2, 6)) / orders**0.5
    waves = weights[0] @ np.cos(np.outer(orders, angles)) + weights[1] @ np.sin(
        np.outer(orders, angles)
    )
    return waves / np.sqrt((1 / orders).sum())


def _blend(front: NDArray[np.uint8], back: NDArray[np.uint8], alpha: NDArray) -> NDArray[np.uint8]:
    weight = alpha.astype(np.float32)[..., None] / 255
    return np.rint(back + (front.astype(np.float32) - back) * weight).astype(np.uint8)


def _halve(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    size = len(mask) // 2
    return cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA)


def _compose(outer: NDArray[np.float64], inner: NDArray[np.float64]) -> NDArray[np.float64]:
    """The (2, 3) matrix that applies ``inner`` first."""
    linear = outer[:, :2] @ inner[:, :2]
    return np.hstack([linear, (outer[:, :2] @ inner[:, 2] + outer[:, 2])[:, None]])
