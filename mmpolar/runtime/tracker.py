"""A tracker on ONNX Runtime, of one target or of several at once."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import ArrayLike, NDArray

from mmpolar.runtime.model_folder import ModelManifest
from mmpolar.structures.boxes import check_box
from mmpolar.structures.crop import CROP_RULES
from mmpolar.structures.siamese import Selection, clamp_box, cut_search, cut_template, locate
from mmpolar.structures.track_result import TrackResult
from mmpolar.utils.image import to_bgr_uint8

#: Names of the graphs' inputs for crops.
TEMPLATE_INPUT = 'template'
SEARCH_INPUT = 'search'
_ERRORS_ONLY = 3


@dataclass
class _Target:
    """What is remembered of a target between frames.

    Attributes:
        kernels: The encoded template, one array (1, C, w, h) per kernel.
        box: Box in the last frame, (4,) xyxy in pixels.
        border: Colour outside the frame, BGR: the mean of the frame in which it was given.
        search_size: Side of the search crop in pixels.
    """

    kernels: list[NDArray[np.float32]]
    box: NDArray[np.float64]
    border: tuple[float, ...]
    search_size: int


@dataclass(frozen=True)
class _Batch:
    """Targets with search crops of one size, for one call of the search graph.

    Attributes:
        ids: The targets.
        kernels: Their kernels by name, arrays (T, C, w, h).
    """

    ids: tuple[int, ...]
    kernels: dict[str, NDArray[np.float32]]


class RuntimeTracker:
    """Follows and outlines one target or several; needs NumPy, OpenCV and ONNX Runtime only.

    All targets of a frame pass through the network together (in two calls if some are small
    enough to get the larger search crop); each one is found as it would be alone.

    Args:
        model_folder: Folder that ``tools/deployment/export_onnx.py`` wrote.
        threads: Threads that the network uses; by default one a core.

    Raises:
        FileNotFoundError: If the folder or a file in it does not exist.
        ModelFolderError: If the folder is damaged or of another version.
        ValueError: If ``threads`` is below 1.

    Example:
        >>> tracker = RuntimeTracker('model')
        >>> tracker.init(frames[0], [x1, y1, x2, y2])
        >>> results = [tracker.track(frame) for frame in frames[1:]]
    """

    def __init__(self, model_folder: str | os.PathLike, threads: int | None = None) -> None:
        if threads is not None and threads < 1:
            raise ValueError(f'threads must be at least 1, got {threads}')
        self.manifest = ModelManifest.read(model_folder)
        self.params = self.manifest.params
        self._folder = Path(model_folder)
        self._threads = threads or 0  # 0 lets ONNX Runtime choose
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        self._targets: dict[int, _Target] = {}
        self._batches: dict[int, _Batch] = {}
        self._next_id = 0
        self._single = True

    @property
    def ids(self) -> tuple[int, ...]:
        """Numbers of the targets that are being followed, in the order of the results."""
        return tuple(self._targets)

    def init(self, frame: NDArray, target: ArrayLike) -> TrackResult | list[TrackResult]:
        """Take on a target or several; earlier ones are forgotten.

        Args:
            frame: Image as OpenCV reads it: BGR, grey or BGRA, 8 or 16 bits.
            target: Box (4,) x1, y1, x2, y2 in pixels, or boxes (T, 4). What lies outside the frame
                is cut off.

        Returns:
            The box with score 1 and the outline that the network sees in it; a list for (T, 4),
            whose targets have the ids 0 to T - 1.

        Raises:
            TypeError: If the frame is not an 8 or 16 bit image.
            ValueError: If a box is not finite, has no area or lies outside the frame, or there is
                none. The earlier targets are kept then.
        """
        frame = to_bgr_uint8(frame)
        single = np.ndim(target) < 2
        boxes = [check_box(box, frame.shape[:2]) for box in ([target] if single else target)]
        if not boxes:
            raise ValueError('no target was given: hand over a box (4,), or boxes (T, 4)')
        self._targets, self._next_id, self._single = {}, 0, single
        results = self._take_on(frame, boxes)
        return results[0] if single else results

    def add(self, frame: NDArray, box: ArrayLike) -> int:
        """Take on one more target; from now on :meth:`track` returns a list.

        Args:
            frame: The last frame that was tracked, image as for :meth:`init`.
            box: The target's x1, y1, x2, y2 in pixels.

        Returns:
            Number of the target, for :meth:`remove` and in :attr:`ids`.

        Raises:
            TypeError: As :meth:`init`.
            ValueError: As :meth:`init`.
        """
        frame = to_bgr_uint8(frame)
        self._take_on(frame, [check_box(box, frame.shape[:2])])
        self._single = False
        return self.ids[-1]

    def remove(self, target_id: int) -> None:
        """Let go of a target.

        Raises:
            KeyError: If there is no target of that number.
        """
        if target_id not in self._targets:
            raise KeyError(f'there is no target {target_id}; those followed are {list(self.ids)}')
        del self._targets[target_id]
        self._batches = {}

    def track(self, frame: NDArray) -> TrackResult | list[TrackResult]:
        """Find the targets in the next frame.

        Args:
            frame: Image as for :meth:`init`; its size may change from frame to frame.

        Returns:
            Box, score, outline and mask; a list in the order of :attr:`ids` if boxes (T, 4) were
            given or a target was added.

        Raises:
            RuntimeError: If there is no target.
            TypeError: If the frame is not an 8 or 16 bit image.
        """
        if not self._targets:
            raise RuntimeError('the tracker has no target: call init(frame, box) first')
        frame = to_bgr_uint8(frame)
        size = frame.shape[:2]
        results = []
        for target_id, (selection, polygon) in self._locate(frame, self.ids).items():
            box = clamp_box(selection.box, size, self.params.min_size)
            self._targets[target_id].box = box
            results.append(TrackResult.from_outline(box, selection.score, polygon, size))
        return results[0] if self._single else results

    def _take_on(self, frame: NDArray[np.uint8], boxes: list[NDArray]) -> list[TrackResult]:
        size = frame.shape[:2]
        border = CROP_RULES[self.params.crop].border(frame)
        kernels = self._encode(frame, boxes, border)
        added = range(self._next_id, self._next_id + len(boxes))
        for index, (target_id, box) in enumerate(zip(added, boxes, strict=True)):
            width, height = box[2:] - box[:2]
            self._targets[target_id] = _Target(
                kernels=[kernel[index : index + 1] for kernel in kernels],
                box=box,
                border=border,
                search_size=self.params.search_size_for(width * height, size[0] * size[1]),
            )
        self._next_id += len(boxes)
        self._batches = {}
        located = self._locate(frame, tuple(added)).values()
        return [
            TrackResult.from_outline(box, 1.0, polygon, size)
            for box, (_, polygon) in zip(boxes, located, strict=True)
        ]

    def _encode(
        self, frame: NDArray[np.uint8], boxes: list[NDArray], border: tuple[float, ...]
    ) -> list[NDArray[np.float32]]:
        """Kernels of all targets, arrays (T, C, w, h)."""
        crops = [cut_template(frame, box, border, self.params) for box in boxes]
        session = self._session(self.manifest.template)
        return session.run(list(self.manifest.kernels), {TEMPLATE_INPUT: np.stack(crops)})

    def _locate(
        self, frame: NDArray[np.uint8], ids: tuple[int, ...]
    ) -> dict[int, tuple[Selection, NDArray[np.float32] | None]]:
        """Search around the last boxes; the elected locations and the outlines there."""
        located = {}
        for size, batch in self._batches_of(ids).items():
            targets = [self._targets[target_id] for target_id in batch.ids]
            crops, scales = zip(
                *(
                    cut_search(frame, target.box, size, target.border, self.params)
                    for target in targets
                ),
                strict=True,
            )
            maps = self._search(size, np.stack(crops), batch.kernels)
            for index, (target_id, target) in enumerate(zip(batch.ids, targets, strict=True)):
                score, ltrb, *radii = (part[index] for part in maps)
                located[target_id] = locate(
                    score,
                    ltrb,
                    radii[0] if radii else None,
                    target.box,
                    scales[index],
                    size,
                    self.params,
                )
        return {target_id: located[target_id] for target_id in ids}

    def _batches_of(self, ids: tuple[int, ...]) -> dict[int, _Batch]:
        """Targets by the size of their search crop; kept until targets come or go."""
        if ids != self.ids:
            return self._make_batches(ids)
        if not self._batches:
            self._batches = self._make_batches(ids)
        return self._batches

    def _make_batches(self, ids: tuple[int, ...]) -> dict[int, _Batch]:
        groups: dict[int, list[int]] = {}
        for target_id in ids:
            groups.setdefault(self._targets[target_id].search_size, []).append(target_id)
        return {size: _Batch(tuple(group), self._stack(group)) for size, group in groups.items()}

    def _stack(self, ids: Sequence[int]) -> dict[str, NDArray[np.float32]]:
        kernels = zip(*(self._targets[target_id].kernels for target_id in ids), strict=True)
        return {
            name: np.concatenate(parts)
            for name, parts in zip(self.manifest.kernels, kernels, strict=True)
        }

    def _search(
        self, size: int, crops: NDArray[np.uint8], kernels: dict[str, NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        """Scores (T, S, S), distances (T, 4, S, S) and, if drawn, radii (T, n, S, S)."""
        session = self._session(self.manifest.search_file(size))
        return session.run(None, {SEARCH_INPUT: crops, **kernels})

    def _session(self, name: str) -> onnxruntime.InferenceSession:
        """The graph in that file, loaded when it is first needed."""
        if name not in self._sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = self._threads
            options.log_severity_level = _ERRORS_ONLY
            self._sessions[name] = onnxruntime.InferenceSession(
                str(self._folder / name), options, providers=['CPUExecutionProvider']
            )
        return self._sessions[name]
