"""Contact sheet of the hardest negatives with their false alarms."""

from collections.abc import Sequence
from pathlib import PurePath

import numpy as np

from mmpolar.mining.scoring.hardest_samples import SampleDetections
from mmpolar.utils.image import ImageReadError, read_image
from mmpolar.visualization import contact_sheet, draw_result, fit_to_size

CELL = (280, 210)
COLUMNS = 6
#: Boxes below this share of an image's highest score are left out: they hide more than they show.
_SCORE_RATIO = 0.5


def draw_alarm_sheet(
    samples: Sequence[SampleDetections], captions: Sequence[str]
) -> np.ndarray | None:
    """Draw negatives with their highest-scoring false detections on a contact sheet.

    Args:
        samples: Detections in each, hardest first.
        captions: A line of text under each.

    Returns:
        uint8 BGR sheet, or None if none of the images can be read from a file.
    """
    images, texts = [], []
    for sample, caption in zip(samples, captions, strict=True):
        if (image := _read(sample.img_path)) is not None:
            images.append(_cell_image(image, sample))
            texts.append(caption)
    return contact_sheet(images, COLUMNS, texts, CELL) if images else None


def short_name(key: str) -> str:
    """The file name in a key that is a path; other keys as they are."""
    return PurePath(key).name or key


def _read(path: str | None) -> np.ndarray | None:
    try:
        return None if path is None else read_image(path)
    except (OSError, ImageReadError):
        return None


def _cell_image(image: np.ndarray, sample: SampleDetections) -> np.ndarray:
    """The image in the size of a cell, so that lines and letters have one size on the sheet."""
    height, width = image.shape[:2]
    scale = min(CELL[0] / width, CELL[1] / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    shown = fit_to_size(image, size)
    # The highest score is drawn last, on top.
    for box, score in reversed(list(zip(sample.bboxes, sample.scores, strict=True))):
        if score >= _SCORE_RATIO * sample.scores[0]:
            shown = draw_result(shown, box * scale, None, None, float(score))
    return shown
