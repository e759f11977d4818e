"""A tracker on ONNX Runtime, of one target or of several at once."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import ArrayLike, NDArray

from mmpolar.runtime.graph_inputs import (
    PROTOTYPES,
    SEARCH_INPUT,
    TARGET_MAP_INPUT,
    TEMPLATE_INPUT,
    outline_feed,
    run_graph,
)
from mmpolar.runtime.model_folder import ModelManifest
from mmpolar.structures.boxes import check_box
from mmpolar.structures.crop import CROP_RULES
from mmpolar.structures.numbered_targets import NumberedTargets
from mmpolar.structures.siamese import (
    CPU_BATCH,
    Selection,
    TrackMemo,
    advance,
    cut_searches,
    cut_target_map,
    cut_template,
    locate_all,
    map_batches,
    new_memos,
)
from mmpolar.structures.target import box_and_mask
from mmpolar.structures.track_result import TrackResult
from mmpolar.utils.image import to_bgr_uint8

_ERRORS_ONLY = 3


class _Code(NamedTuple):
    """The encoded template of a target.

    Attributes:
        kernels: What the search graph takes, one array (1, C, w, h) per kernel.
        prototypes: What the outline graph takes for a refinement head, (1, C, 2, 1); None without
            one.
    """

    kernels: tuple[NDArray[np.float32], ...]
    prototypes: NDArray[np.float32] | None


class RuntimeTracker:
    """Follows and outlines one target or several; needs NumPy, OpenCV and ONNX Runtime only.

    The targets of a frame pass through the network two by two, as is fastest on a CPU; each one is
    found as it would be alone.

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
        self._targets: NumberedTargets[TrackMemo[_Code]] = NumberedTargets()
        self._single = True

    @property
    def ids(self) -> tuple[int, ...]:
        """Numbers of the targets that are being followed, in the order of the results."""
        return self._targets.ids

    def init(
        self, frame: NDArray, target: ArrayLike | Sequence[ArrayLike]
    ) -> TrackResult | list[TrackResult]:
        """Take on a target or several; earlier ones are forgotten.

        Args:
            frame: Image as OpenCV reads it: BGR, grey or BGRA, 8 or 16 bits.
            target: Box (4,) x1, y1, x2, y2 in pixels, mask of the frame's size, not zero inside, or
                a list of these. What lies outside the frame is cut off.

        Returns:
            The box with score 1 and the outline that the network sees in it; a list for several
            targets, which have the ids 0 to T - 1.

        Raises:
            TypeError: If the frame is not an 8 or 16 bit image.
            ValueError: If a box is not finite, has no area or lies outside the frame, a mask is
                empty, or there is no target. The earlier targets are kept then.
        """
        frame = to_bgr_uint8(frame)
        single = _is_one(target, frame.shape[:2])
        given = [target] if single else target
        if len(given) == 0:
            raise ValueError('no target was given: hand over a box (4,), or boxes (T, 4)')
        memos, results = self._take_on(frame, given)
        self._targets, self._single = NumberedTargets(memos), single
        return results[0] if single else results

    def add(self, frame: NDArray, target: ArrayLike) -> int:
        """Take on one more target; from now on :meth:`track` returns a list.

        Args:
            frame: The last frame that was tracked, image as for :meth:`init`.
            target: The target's box or mask, as for :meth:`init`.

        Returns:
            Number of the target, for :meth:`remove` and in :attr:`ids`.

        Raises:
            TypeError: As :meth:`init`.
            ValueError: As :meth:`init`.
        """
        memos, _ = self._take_on(to_bgr_uint8(frame), [target])
        (target_id,) = self._targets.add(memos)
        self._single = False
        return target_id

    def remove(self, target_id: int) -> None:
        """Let go of a target.

        Raises:
            KeyError: If there is no target of that number.
        """
        self._targets.remove(target_id)

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
        memos = self._targets.all
        results = advance(memos, self._locate(frame, memos), frame.shape[:2], self.params)
        return results[0] if self._single else results

    def _take_on(
        self, frame: NDArray[np.uint8], targets: Sequence[ArrayLike]
    ) -> tuple[list[TrackMemo[_Code]], list[TrackResult]]:
        size = frame.shape[:2]
        boxes, masks = zip(*(box_and_mask(target, size) for target in targets), strict=True)
        boxes = [check_box(box, size) for box in boxes]
        border = CROP_RULES[self.params.crop].border(frame)
        memos = new_memos(
            self._encode(frame, boxes, masks, border), boxes, border, size, self.params
        )
        located = zip(boxes, self._locate(frame, memos), strict=True)
        return memos, [TrackResult.from_outline(b, 1.0, line, size) for b, (_, line) in located]

    def _encode(
        self,
        frame: NDArray[np.uint8],
        boxes: Sequence[NDArray],
        masks: Sequence[NDArray | None],
        border: tuple[float, ...],
    ) -> list[_Code]:
        params, names = self.params, list(self.manifest.kernels)
        feed = {TEMPLATE_INPUT: np.stack([cut_template(frame, b, border, params) for b in boxes])}
        if self.manifest.refines:
            maps = [cut_target_map(*target, params) for target in zip(boxes, masks, strict=True)]
            feed[TARGET_MAP_INPUT] = np.stack(maps)
            names.append(PROTOTYPES)
        encoded = self._session(self.manifest.template).run(names, feed)
        parts = [[part[t : t + 1] for part in encoded] for t in range(len(boxes))]
        count = len(self.manifest.kernels)
        return [_Code(tuple(part[:count]), *(part[count:] or [None])) for part in parts]

    def _locate(
        self, frame: NDArray[np.uint8], memos: Sequence[TrackMemo[_Code]]
    ) -> list[tuple[Selection, NDArray[np.float32] | None]]:
        """Search around the last boxes; each target's elected location and the outline there."""
        return map_batches(partial(self._locate_batch, frame), memos, CPU_BATCH)

    def _locate_batch(
        self, frame: NDArray[np.uint8], memos: Sequence[TrackMemo[_Code]]
    ) -> list[tuple[Selection, NDArray[np.float32] | None]]:
        """As :meth:`_locate`, of targets whose search crops have one size."""
        size = memos[0].search_size
        crops, scales = cut_searches(frame, memos, self.params)
        maps = self._search(size, crops, [memo.kernels for memo in memos])
        outline = None
        if self.manifest.outline is not None:
            outline = partial(self._outline, maps, [memo.kernels for memo in memos], size)
        return locate_all(maps['scores'], maps['ltrb'], memos, scales, self.params, outline)

    def _search(
        self, size: int, crops: NDArray[np.uint8], codes: Sequence[_Code]
    ) -> dict[str, NDArray[np.float32]]:
        """Outputs of the search graph by name: ``scores`` (T, S, S), ``ltrb`` (T, 4, S, S), ..."""
        kernels = [np.concatenate(parts) for parts in zip(*(c.kernels for c in codes), strict=True)]
        feed = {SEARCH_INPUT: crops, **dict(zip(self.manifest.kernels, kernels, strict=True))}
        return run_graph(self._session(self.manifest.search_file(size)), feed)

    def _outline(
        self,
        maps: dict[str, NDArray[np.float32]],
        codes: Sequence[_Code],
        size: int,
        locations: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Radii (T, n) in pixels of the search crop at a location of each target."""
        prototypes = None
        if codes[0].prototypes is not None:
            prototypes = np.concatenate([code.prototypes for code in codes])
        feed = outline_feed(maps, prototypes, locations, size)
        [radii] = self._session(self.manifest.outline).run(None, feed)
        return radii

    def _session(self, name: str) -> onnxruntime.InferenceSession:
        """The graph in that file, loaded when it is first needed."""
        if name not in self._sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = self._threads
            options.log_severity_level = _ERRORS_ONLY
            # A graph's idle threads would else spin on the cores that the next graph needs.
            options.add_session_config_entry('session.force_spinning_stop', '1')
            if self._threads > 1 and self._threads == len(cores := _cores()):
                # As it does by default; the system would now and then put two threads on one core.
                places = ';'.join(str(core + 1) for core in cores[1:])
                options.add_session_config_entry('session.intra_op_thread_affinities', places)
            self._sessions[name] = onnxruntime.InferenceSession(
                str(self._folder / name), options, providers=['CPUExecutionProvider']
            )
        return self._sessions[name]


def _cores() -> list[int]:
    """Numbers of the cores that this process may use; none where the system does not tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else []


def _is_one(target: ArrayLike | Sequence[ArrayLike], frame_size: tuple[int, int]) -> bool:
    """Whether a target is a box or a mask, and not a list of these."""
    if isinstance(target, np.ndarray):
        return target.ndim < 2 or target.shape == frame_size
    return all(np.ndim(part) == 0 for part in target)
