"""The crops of a frame that go through the network."""

import numpy as np

from mmpolar.structures.boxes import box_center
from mmpolar.structures.crop import (
    CROP_RULES,
    Border,
    context_size,
    crop_matrix,
    transform_box,
    warp_mask,
)
from mmpolar.structures.target import draw_target
from mmpolar.tracking.params import TrackParams


def cut_template(
    frame: np.ndarray, box: np.ndarray, border: Border, params: TrackParams
) -> np.ndarray:
    """Cut out the template crop of a target.

    Args:
        frame: Image, (H, W, 3) uint8.
        box: The target's box, (4,) xyxy, in pixels of the frame.
        border: Colour outside the frame.
        params: Hyper-parameters of tracking.

    Returns:
        (template_size, template_size, 3) uint8.
    """
    side = context_size(box, params.context_amount)
    return CROP_RULES[params.crop].crop(frame, box_center(box), side, params.template_size, border)


def cut_target_map(box: np.ndarray, mask: np.ndarray | None, params: TrackParams) -> np.ndarray:
    """Where the target is in its template crop.

    Args:
        box: The target's box, (4,) xyxy, in pixels of the frame.
        mask: Its mask, (H, W), not zero inside; None if it is not known.
        params: Hyper-parameters of tracking.

    Returns:
        (template_size, template_size) uint8, 1 on the target, or on the ellipse in its box.
    """
    size = params.template_size
    side = context_size(box, params.context_amount)
    matrix = crop_matrix(box_center(box), side, size)
    cut = None if mask is None else warp_mask((mask != 0).astype(np.uint8), matrix, size)
    return draw_target(transform_box(box, matrix), size, cut)


def cut_search(
    frame: np.ndarray, box: np.ndarray, search_size: int, border: Border, params: TrackParams
) -> tuple[np.ndarray, float]:
    """Cut out the search crop around a target's last box.

    Args:
        frame: Image, (H, W, 3) uint8.
        box: The target's box in the last frame, (4,) xyxy, in pixels of the frame.
        search_size: Side of the crop in pixels.
        border: Colour outside the frame.
        params: Hyper-parameters of tracking.

    Returns:
        The crop, (search_size, search_size, 3) uint8, and the pixels of it per pixel of the frame.
    """
    scale = params.template_size / context_size(box, params.context_amount)
    side = search_size / scale
    crop = CROP_RULES[params.crop].crop(frame, box_center(box), side, search_size, border)
    return crop, scale
