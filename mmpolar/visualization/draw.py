"""Overlays of boxes, contours, masks and captions on images, and contact sheets.

Every function takes uint8 BGR images of shape (H, W, 3) and returns a new one; the input stays as it
is. Coordinates are pixels with integers at pixel centres, as OpenCV draws them, and may be
fractional or lie outside the image.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from mmpolar.structures.track_result import TrackResult

PREDICTION_COLOR = (0, 140, 255)
GROUND_TRUTH_COLOR = (80, 220, 80)
#: Orange, blue, green, pink, yellow, violet: told apart on most images. BGR.
TARGET_COLORS = (
    PREDICTION_COLOR, (255, 160, 40), (80, 220, 80), (220, 100, 255), (0, 230, 240), (240, 90, 130),
)  # fmt: skip
#: Of a target that is lost: where it was last seen.
LOST_COLOR = (150, 150, 150)
SHEET_BACKGROUND = (32, 32, 32)
SHEET_TEXT_COLOR = (235, 235, 235)

_FONT = cv2.FONT_HERSHEY_SIMPLEX
# OpenCV's drawing functions take fixed-point coordinates with this many fractional bits.
_SHIFT = 4
# Coordinates beyond this many pixels would overflow OpenCV's fixed-point numbers.
_MAX_COORDINATE = 1e6
_CAPTION_HEIGHT = 22
_CELL_GAP = 4

Color = tuple[int, int, int]


def draw_box(
    img: np.ndarray, box: np.ndarray, color: Color = PREDICTION_COLOR, thickness: int = 2
) -> np.ndarray:
    """Draw the contour of a box.

    Args:
        img: uint8 BGR image (H, W, 3).
        box: (4,) x1, y1, x2, y2 in pixels.
        color: BGR, 0 to 255.
        thickness: Line width in pixels, at least 1.

    Returns:
        A new image of the same shape.

    Raises:
        TypeError: If the image is not uint8.
        ValueError: If the image is not (H, W, 3) or the box is not four finite numbers.
    """
    x1, y1, x2, y2 = _checked_points(box, (4,), 'box')
    corners = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])
    return draw_polygon(img, corners, color, thickness)


def draw_polygon(
    img: np.ndarray, points: np.ndarray, color: Color = PREDICTION_COLOR, thickness: int = 2
) -> np.ndarray:
    """Draw a closed contour.

    Args:
        img: uint8 BGR image (H, W, 3).
        points: (V, 2) x, y in pixels, V at least 1, in order along the contour.
        color: BGR, 0 to 255.
        thickness: Line width in pixels, at least 1.

    Returns:
        A new image of the same shape.

    Raises:
        TypeError: If the image is not uint8.
        ValueError: If the image is not (H, W, 3) or the points are not finite numbers (V, 2).
    """
    out = _checked_image(img).copy()
    fixed = _to_fixed_point(_checked_points(points, (-1, 2), 'polygon'))
    return cv2.polylines(out, [fixed], True, color, thickness, cv2.LINE_AA, _SHIFT)


def draw_mask(
    img: np.ndarray, mask: np.ndarray, color: Color = PREDICTION_COLOR, alpha: float = 0.45
) -> np.ndarray:
    """Tint the pixels of a mask.

    Args:
        img: uint8 BGR image (H, W, 3).
        mask: (H, W) bool or integer; every non-zero pixel is tinted.
        color: BGR, 0 to 255.
        alpha: Weight of the colour in [0, 1]; the image keeps ``1 - alpha``.

    Returns:
        A new image of the same shape.

    Raises:
        TypeError: If the image is not uint8.
        ValueError: If the image is not (H, W, 3), the mask has another size or ``alpha`` is not in
            [0, 1].
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f'alpha must be in [0, 1], got {alpha}')
    out = _checked_image(img).copy()
    inside = _checked_mask(mask, img)
    x, y, w, h = cv2.boundingRect(inside)
    if w == 0:
        return out
    region = out[y : y + h, x : x + w]
    flat = np.full_like(region, color)
    tinted = cv2.addWeighted(region, 1 - alpha, flat, alpha, 0)
    cv2.copyTo(tinted, inside[y : y + h, x : x + w], region)
    return out


def draw_mask_contour(
    img: np.ndarray, mask: np.ndarray, color: Color = GROUND_TRUTH_COLOR, thickness: int = 1
) -> np.ndarray:
    """Draw the contours of a mask, holes included, along its outermost pixels.

    Args:
        img: uint8 BGR image (H, W, 3).
        mask: (H, W) bool or integer; non-zero is inside.
        color: BGR, 0 to 255.
        thickness: Line width in pixels, at least 1.

    Returns:
        A new image of the same shape.

    Raises:
        TypeError: If the image is not uint8.
        ValueError: If the image is not (H, W, 3) or the mask has another size.
    """
    out = _checked_image(img).copy()
    contours, _ = cv2.findContours(
        _checked_mask(mask, img), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE
    )
    return cv2.drawContours(out, contours, -1, color, thickness, cv2.LINE_AA)


def draw_result(
    img: np.ndarray,
    box: np.ndarray | None,
    polygon: np.ndarray | None,
    mask: np.ndarray | None,
    score: float | None,
    label: str | None = None,
    color: Color = PREDICTION_COLOR,
) -> np.ndarray:
    """Draw all a tracker says about one frame; each part may be None.

    Args:
        img: uint8 BGR image (H, W, 3).
        box: (4,) x1, y1, x2, y2 in pixels.
        polygon: (V, 2) contour in pixels; drawn where there is no mask.
        mask: (H, W) bool or integer, drawn with its own contours.
        score: Confidence, written with two decimals.
        label: Text written before the score. Letters outside ASCII appear as question marks.
        color: BGR of all parts.

    Returns:
        A new image of the same shape.

    Raises:
        TypeError: If the image is not uint8.
        ValueError: If a part does not fit the image (see the functions that draw the parts).
    """
    out = _checked_image(img).copy()
    if mask is not None:
        out = draw_mask_contour(draw_mask(out, mask, color), mask, color, thickness=2)
    elif polygon is not None:
        out = draw_polygon(out, polygon, color)
    if box is not None:
        out = draw_box(out, box, color, thickness=1 if polygon is not None else 2)
    words = [label] if label else []
    if score is not None:
        words.append(f'{float(score):.2f}')
    if words:
        anchor = (0.0, 0.0) if box is None else tuple(np.asarray(box, dtype=np.float64)[:2])
        _put_text(out, ' '.join(words), anchor, color)
    return out


def draw_results(img: np.ndarray, results: Sequence[TrackResult]) -> np.ndarray:
    """Draw what a tracker found in a frame, each target in a colour of its own.

    Args:
        img: uint8 BGR image (H, W, 3).
        results: Answers of the tracker; several are labelled 1, 2, ... Of a lost target the last
            box is drawn in grey, labelled "lost".

    Returns:
        A new image of the same shape.

    Raises:
        TypeError: As :func:`draw_result`.
        ValueError: As :func:`draw_result`.
    """
    for index, result in enumerate(results):
        words = [str(index + 1)] if len(results) > 1 else []
        words += ['lost'] if result.lost else []
        img = draw_result(
            img,
            result.box,
            result.polygon,
            None if result.lost else result.mask,
            result.score,
            label=' '.join(words) or None,
            color=LOST_COLOR if result.lost else TARGET_COLORS[index % len(TARGET_COLORS)],
        )
    return img


def contact_sheet(
    images: Sequence[np.ndarray],
    columns: int,
    captions: Sequence[str] | None = None,
    cell: tuple[int, int] | None = None,
) -> np.ndarray:
    """Lay images out in rows, each scaled to fit its cell with its aspect ratio kept.

    Args:
        images: uint8 BGR images (H, W, 3), sizes may differ; at least one.
        columns: Images per row, at least 1. A sheet is never wider than its images need.
        captions: One line of text under each image.
        cell: (width, height) in pixels of the cell of one image; by default the largest width
            and height among the images, so that none is scaled.

    Returns:
        The sheet, uint8 BGR.

    Raises:
        TypeError: If an image is not uint8.
        ValueError: If there are no images, ``columns`` is below 1, the captions are not as many as
            the images, or the cell is empty.
    """
    if not len(images):
        raise ValueError('a contact sheet needs at least one image')
    if columns < 1:
        raise ValueError(f'a contact sheet needs at least 1 column, got {columns}')
    if captions is not None and len(captions) != len(images):
        raise ValueError(f'got {len(captions)} captions for {len(images)} images')
    images = [_checked_image(img) for img in images]
    if cell is None:
        cell = (max(img.shape[1] for img in images), max(img.shape[0] for img in images))
    tiles = [fit_to_size(img, cell, SHEET_BACKGROUND) for img in images]
    if captions is not None:
        tiles = [_with_caption(*pair) for pair in zip(tiles, captions, strict=True)]
    return _arrange(tiles, min(columns, len(tiles)))


def fit_to_size(
    img: np.ndarray, size: tuple[int, int], background: Color = (0, 0, 0)
) -> np.ndarray:
    """Scale an image to fit a size with its aspect ratio kept, centred on a background.

    Args:
        img: uint8 BGR image (H, W, 3).
        size: (width, height) in pixels, each at least 1.
        background: BGR of the margins.

    Returns:
        A new image of exactly that size.

    Raises:
        TypeError: If the image is not uint8.
        ValueError: If the image is not (H, W, 3) or the size is empty.
    """
    height, width = _checked_image(img).shape[:2]
    if min(size) < 1:
        raise ValueError(f'the size to fit must be at least 1 x 1 pixel, got {size}')
    if (width, height) == tuple(size):
        return img.copy()
    scale = min(size[0] / width, size[1] / height)
    fitted = (max(1, round(width * scale)), max(1, round(height * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas = np.full((size[1], size[0], 3), background, np.uint8)
    left, top = (size[0] - fitted[0]) // 2, (size[1] - fitted[1]) // 2
    canvas[top : top + fitted[1], left : left + fitted[0]] = cv2.resize(
        img, fitted, interpolation=interpolation
    )
    return canvas


def _checked_image(img: np.ndarray) -> np.ndarray:
    if not isinstance(img, np.ndarray) or img.dtype != np.uint8:
        got = img.dtype if isinstance(img, np.ndarray) else type(img).__name__
        raise TypeError(f'an image to draw on must be a uint8 numpy array, got {got}')
    if img.ndim != 3 or img.shape[2] != 3 or img.size == 0:
        raise ValueError(f'an image to draw on must be BGR of shape (H, W, 3), got {img.shape}')
    return img


def _checked_mask(mask: np.ndarray, img: np.ndarray) -> np.ndarray:
    mask = np.asarray(mask)
    if mask.shape != img.shape[:2]:
        raise ValueError(f'mask of shape {mask.shape} on an image of shape {img.shape[:2]}')
    return np.ascontiguousarray(mask != 0).view(np.uint8)


def _checked_points(points: np.ndarray, shape: tuple[int, ...], name: str) -> np.ndarray:
    points = np.asarray(points, dtype=np.float64)
    fits = points.ndim == len(shape) and points.shape[-1] == shape[-1] and points.size > 0
    if not fits or not np.isfinite(points).all():
        wanted = str(shape).replace('-1', 'V')
        raise ValueError(
            f'a {name} to draw must be finite numbers of shape {wanted}, got {points.tolist()}'
        )
    return points


def _to_fixed_point(points: np.ndarray) -> np.ndarray:
    points = points.clip(-_MAX_COORDINATE, _MAX_COORDINATE)
    return np.rint(points * (1 << _SHIFT)).astype(np.int32).reshape(-1, 1, 2)


def _put_text(img: np.ndarray, text: str, anchor: tuple[float, float], color: Color) -> None:
    """Write dark text on a filled strip above the anchor, kept inside the image; in place."""
    scale = min(max(min(img.shape[:2]) / 720, 0.4), 1.5)
    (width, height), descent = cv2.getTextSize(text, _FONT, scale, 1)
    strip_height = height + descent + 4
    left = int(min(max(anchor[0], 0), max(0, img.shape[1] - width - 4)))
    top = int(min(max(anchor[1] - strip_height, 0), max(0, img.shape[0] - strip_height)))
    cv2.rectangle(img, (left, top), (left + width + 4, top + strip_height), color, cv2.FILLED)
    cv2.putText(img, text, (left + 2, top + height + 2), _FONT, scale, (0, 0, 0), 1, cv2.LINE_AA)


def _with_caption(tile: np.ndarray, caption: str) -> np.ndarray:
    strip = np.full((_CAPTION_HEIGHT, tile.shape[1], 3), SHEET_BACKGROUND, np.uint8)
    scale = 0.45
    width = cv2.getTextSize(caption, _FONT, scale, 1)[0][0]
    scale *= min(1, (tile.shape[1] - 4) / max(width, 1))
    origin = (2, _CAPTION_HEIGHT - 7)
    cv2.putText(strip, caption, origin, _FONT, max(scale, 0.2), SHEET_TEXT_COLOR, 1, cv2.LINE_AA)
    return np.vstack([tile, strip])


def _arrange(tiles: list[np.ndarray], columns: int) -> np.ndarray:
    """Put tiles of one size into a grid with gaps; cells left over show the background."""
    rows = -(-len(tiles) // columns)
    height, width = tiles[0].shape[:2]
    pitch_y, pitch_x = height + _CELL_GAP, width + _CELL_GAP
    size = (rows * pitch_y + _CELL_GAP, columns * pitch_x + _CELL_GAP, 3)
    sheet = np.full(size, SHEET_BACKGROUND, np.uint8)
    for index, tile in enumerate(tiles):
        top = _CELL_GAP + (index // columns) * pitch_y
        left = _CELL_GAP + (index % columns) * pitch_x
        sheet[top : top + height, left : left + width] = tile
    return sheet
