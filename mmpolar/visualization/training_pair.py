"""One image of a training pair, with everything that the model is told about it."""

import os
from typing import Any

import cv2
import numpy as np
from mmengine.structures import InstanceData
from numpy.typing import NDArray
from torch import Tensor

from mmpolar.structures.grid import resized
from mmpolar.structures.polar import decode_points
from mmpolar.visualization.draw import (
    GROUND_TRUTH_COLOR,
    contact_sheet,
    draw_box,
    draw_mask,
    draw_mask_contour,
    draw_polygon,
)

SEARCH_ZOOM = 3  # screen pixels a crop pixel, so that thin lines do not hide what they mark
TEMPLATE_ZOOM = 6  # the template crop is half as wide; shown as large as the search crop
Color = tuple[int, int, int]
BOX_COLOR = (255, 200, 0)
OTHER_COLOR = (60, 60, 230)  # the object of a negative pair, which is not the target
RAY_COLORS = ((0, 140, 255), (255, 80, 220))
DOT_COLOR = (255, 255, 255)


def draw_pair(sample: dict[str, Any], locations: NDArray[np.float32] | None) -> NDArray[np.uint8]:
    """One image of a packed pair: template, search crop, centerness."""
    data_sample = sample['data_samples']
    template = zoom_in(sample['inputs']['img'], TEMPLATE_ZOOM)
    search = zoom_in(sample['inputs']['search_img'], SEARCH_ZOOM)
    targets = data_sample.get('polar_targets')
    panels = [
        draw_target(template, data_sample.gt_instances, TEMPLATE_ZOOM, BOX_COLOR),
        draw_target(
            search,
            data_sample.search_gt_instances,
            SEARCH_ZOOM,
            BOX_COLOR if is_positive(sample) else OTHER_COLOR,
        ),
    ]
    captions = [
        f'template  {os.path.basename(data_sample.img_path)}',
        f'search  {os.path.basename(data_sample.search_img_path)}',
    ]
    if targets is None:
        captions[1] += '' if is_positive(sample) else '  NEGATIVE'
        panels.append(search // 4)
        captions.append('no contour to learn')
    else:
        positive, centerness = targets.positive.numpy(), targets.centerness.numpy()
        panels[1] = draw_rays(panels[1], targets.radii.numpy(), positive, centerness, locations)
        panels.append(draw_centerness(search, positive, centerness, locations))
        captions.append(
            f'centerness  {positive.sum()} positive locations, at most {centerness.max():.2f}'
        )
    return contact_sheet(panels, len(panels), captions)


def is_positive(sample: dict[str, Any]) -> bool:
    return bool(sample['data_samples'].search_gt_instances.labels.item())


def zoom_in(img: Tensor, zoom: int) -> NDArray[np.uint8]:
    """A packed image (1, 3, H, W) as an image, each pixel ``zoom`` screen pixels wide."""
    array = img[0].permute(1, 2, 0).numpy()
    return cv2.resize(array, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LINEAR)


def on_screen(points: NDArray[np.floating], zoom: int) -> NDArray[np.floating]:
    """Crop coordinates to screen coordinates; integers are pixel centres in both."""
    return resized(np.asarray(points), zoom)


def draw_target(
    img: NDArray[np.uint8], instances: InstanceData, zoom: int, color: Color
) -> NDArray[np.uint8]:
    if 'masks' in instances:
        mask = instances.masks.masks[0]
        mask = cv2.resize(mask, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_NEAREST)
        img = draw_mask(img, mask, GROUND_TRUTH_COLOR, alpha=0.15)
        img = draw_mask_contour(img, mask, GROUND_TRUTH_COLOR)
    return draw_box(img, on_screen(instances.bboxes.numpy()[0], zoom), color)


def draw_rays(
    img: NDArray[np.uint8],
    radii: NDArray[np.float32],
    positive: NDArray[np.bool_],
    centerness: NDArray[np.float32],
    locations: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """Dots at the positive locations; rays and contour of the most central one and another."""
    img = img.copy()
    cells = np.argwhere(positive)
    by_centerness = np.argsort(centerness[positive])
    chosen = cells[by_centerness[[-1, len(cells) // 3]]]
    for (row, column), color in zip(chosen, RAY_COLORS, strict=True):
        pole = locations[row, column]
        ends = on_screen(decode_points(pole, radii[:, row, column]), SEARCH_ZOOM)
        start = np.broadcast_to(on_screen(pole, SEARCH_ZOOM), ends.shape)
        lines = np.rint(np.stack([start, ends], axis=1) * 16).astype(np.int32)
        cv2.polylines(img, list(lines), False, color, 1, cv2.LINE_AA, shift=4)
        img = draw_polygon(img, ends, color, thickness=1)
    for x, y in np.rint(on_screen(locations[positive], SEARCH_ZOOM)).astype(int).tolist():
        cv2.circle(img, (x, y), 3, DOT_COLOR, cv2.FILLED, cv2.LINE_AA)
    return img


def draw_centerness(
    img: NDArray[np.uint8],
    positive: NDArray[np.bool_],
    centerness: NDArray[np.float32],
    locations: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """Each positive location as a square in the colour of its centerness, blue 0 to red 1."""
    origin = on_screen(locations[0, 0], SEARCH_ZOOM)
    stride = SEARCH_ZOOM * np.ptp(locations[:2, 0, 1])
    to_screen = np.array([[stride, 0, origin[0]], [0, stride, origin[1]]])
    levels = cv2.applyColorMap(np.rint(centerness * 255).astype(np.uint8), cv2.COLORMAP_JET)
    size = img.shape[1::-1]
    colors = cv2.warpAffine(levels, to_screen, size, flags=cv2.INTER_NEAREST)
    shown = cv2.warpAffine(positive.view(np.uint8), to_screen, size, flags=cv2.INTER_NEAREST)
    return np.where(shown[..., None] > 0, cv2.addWeighted(img, 0.35, colors, 0.65, 0), img // 2)
