"""The review page of a round: one HTML file that needs no server and nothing else."""

import base64
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpolar.mining.candidate import Box, Candidate
from mmpolar.mining.review.decision import Decision
from mmpolar.utils.atomic_write import atomic_path
from mmpolar.utils.image import ImageReadError, read_image

_TEMPLATE = Path(__file__).with_name('page.html')
_DATA_MARK = '/*DATA*/'
#: Largest sides in pixels of the embedded images: the whole one, and around the alarm.
_FRAME_SIZE, _CROP_SIDE = (288, 192), 176
#: Side of what is shown around an alarm, in sides of its box, and the least one in pixels.
_CONTEXT, _LEAST_WINDOW = 2.0, 48
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 60)


@dataclass(frozen=True)
class Alarm:
    """An alarm of the page.

    Attributes:
        candidate: The image and its highest detection.
        others: Further boxes to draw, x1, y1, x2, y2 in pixels of the image.
    """

    candidate: Candidate
    others: tuple[Box, ...] = ()


def write_review_page(
    path: str | os.PathLike,
    alarms: Sequence[Alarm],
    title: str = 'Review',
    decisions: Mapping[str, Decision] | None = None,
    num_threads: int = 2,
    on_progress: Callable[[int], object] = lambda done: None,
) -> None:
    """Write a page on which people decide about alarms.

    The alarms are shown by scene, the scene with the highest score first, and within a scene by score;
    candidates without a scene are a scene each. Boxes are drawn over the image, and what is around the
    highest one is shown beside it. The page saves decisions as a file that
    :func:`mmpolar.mining.review.read_decisions` reads, and keeps a copy in the browser.

    Args:
        path: File to write, in one step.
        alarms: What to show. Their images are read and made small; those that cannot be read are
            shown without.
        title: Title of the page; the name of the file that it saves is made from ``path``.
        decisions: What was decided earlier, by key.
        num_threads: Threads that read images.
        on_progress: Called with 1 for each alarm that is done.

    Raises:
        OSError: If the page cannot be written; an older one stays.
    """
    path = Path(path)
    ordered = _by_scene(alarms)
    names = json.dumps([title, path.name, *(alarm.candidate.key for alarm, _ in ordered)])
    head = dict(
        id=sha256(names.encode()).hexdigest()[:16],
        title=title,
        summary=_summary(ordered),
        file=f'{path.stem}_decisions.jsonl',
    )
    before, after = _TEMPLATE.read_text(encoding='utf-8').split(_DATA_MARK)
    with (
        atomic_path(path) as unfinished,
        unfinished.open('w', encoding='utf-8') as page,
        ThreadPoolExecutor(num_threads) as threads,
    ):
        page.write(before)
        page.write(_script_json(head)[:-1] + ',"items":[')
        items = threads.map(lambda entry: _item(*entry, decisions or {}), ordered)
        for number, item in enumerate(items):
            page.write((',\n' if number else '\n') + _script_json(item))
            on_progress(1)
        page.write(']}')
        page.write(after)


def split_review_page(path: str | os.PathLike) -> tuple[str, str, str]:
    """What stands before the data of a review page, the data, and what stands behind them.

    Args:
        path: A page of :func:`write_review_page`, of this release.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is anything else: its code is not that of this release.
    """
    text = Path(path).read_text(encoding='utf-8')
    before, after = _TEMPLATE.read_text(encoding='utf-8').split(_DATA_MARK)
    data = text[len(before) : len(text) - len(after)]
    if not text.startswith(before) or not text.endswith(after) or '<' in data:
        raise ValueError(f'{path} is no review page of this release: write it again')
    json.loads(data)
    return before, data, after


def _by_scene(alarms: Sequence[Alarm]) -> list[tuple[Alarm, int]]:
    """The alarms in the order of the page, each with the number of its scene there, from 0."""
    worst_first = sorted(alarms, key=lambda alarm: -alarm.candidate.score)
    ranks: dict[object, int] = {}
    for alarm in worst_first:
        ranks.setdefault(_scene_of(alarm), len(ranks))
    return sorted(
        ((alarm, ranks[_scene_of(alarm)]) for alarm in worst_first), key=lambda entry: entry[1]
    )


def _scene_of(alarm: Alarm) -> object:
    candidate = alarm.candidate
    return candidate.key if candidate.scene is None else candidate.scene


def _summary(ordered: Sequence[tuple[Alarm, int]]) -> str:
    candidates = [alarm.candidate for alarm, _ in ordered]
    num_scenes = len({scene for _, scene in ordered})
    num_groups = len({candidate.group for candidate in candidates if candidate.group})
    num_suspects = sum(bool(candidate.reasons) for candidate in candidates)
    parts = [f'{len(candidates)} alarms', f'{num_scenes} scenes']
    parts += [f'{num_groups} groups'] * (num_groups > 0)
    parts += [f'{num_suspects} suspects'] * (num_suspects > 0)
    return ', '.join(parts)


def _item(alarm: Alarm, scene: int, decisions: Mapping[str, Decision]) -> dict[str, Any]:
    """What the page knows of an alarm."""
    candidate = alarm.candidate
    boxes = [] if candidate.box is None else [candidate.box, *alarm.others]
    item = dict(
        key=candidate.key,
        image='' if candidate.image == candidate.key else candidate.image,
        score=round(candidate.score, 4),
        label=candidate.label,
        group=candidate.group,
        scene=scene,
        reasons=list(candidate.reasons),
        boxes=[[round(value, 1) for value in box] for box in boxes],
    )
    made = decisions.get(candidate.key)
    if made is not None:
        item['decision'] = dict(d=made.decision, t=made.time, box=made.box)
        if made.box is None or made.box == candidate.box:
            del item['decision']['box']
    try:
        image = read_image(candidate.image)
    except (OSError, ImageReadError):
        return item
    window = _window(candidate.box, image.shape[:2])
    x1, y1, x2, y2 = window
    return item | dict(
        size=[image.shape[1], image.shape[0]],
        window=window,
        frame=_encoded(image, _FRAME_SIZE),
        crop=_encoded(image[y1:y2, x1:x2], (_CROP_SIDE, _CROP_SIDE)),
    )


def _window(box: Box | None, image_size: tuple[int, int]) -> list[int]:
    """What is shown around a box: a square inside the image; its middle if there is no box."""
    height, width = image_size
    x1, y1, x2, y2 = (0, 0, width, height) if box is None else box
    side = max(_CONTEXT * max(x2 - x1, y2 - y1), _LEAST_WINDOW)
    side = max(1, round(min(side, height, width)))
    left = round(min(max((x1 + x2 - side) / 2, 0), width - side))
    top = round(min(max((y1 + y2 - side) / 2, 0), height - side))
    return [left, top, left + side, top + side]


def _encoded(image: NDArray[np.uint8], limits: tuple[int, int]) -> str:
    """An image no larger than a width and a height, as a JPEG in base64."""
    scale = min(1.0, limits[0] / image.shape[1], limits[1] / image.shape[0])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return base64.b64encode(cv2.imencode('.jpg', small, _JPEG)[1].tobytes()).decode()


def _script_json(value: Mapping[str, Any]) -> str:
    """JSON that is safe inside an element of a page: no name can end it."""
    text = json.dumps(value, ensure_ascii=False, separators=(',', ':'))
    return text.replace('<', '\\u003c')
