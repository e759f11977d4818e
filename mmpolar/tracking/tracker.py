"""The tracker: from frames to boxes, contours and masks, with any inference engine."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmpolar.structures.boxes import check_box
from mmpolar.structures.crop import CROP_RULES
from mmpolar.structures.target import box_and_mask
from mmpolar.structures.track_result import TrackResult
from mmpolar.tracking.colors import color_histogram
from mmpolar.tracking.crops import cut_search, cut_target_map, cut_template
from mmpolar.tracking.engine import SearchMaps, TrackEngine, run_mask_stage
from mmpolar.tracking.mask_stage import (
    FoundMask,
    MaskInputs,
    MaskMemory,
    MaskParams,
    MaskReference,
    cut_mask_inputs,
    join_views,
    keep_inside,
    mask_matrix,
    mask_to_cells,
    mask_to_frame,
    own_reference,
    read_masks,
)
from mmpolar.tracking.online_model import OnlineModel, SearchView
from mmpolar.tracking.params import TrackParams
from mmpolar.tracking.presence import target_presence
from mmpolar.tracking.searched import Peak, SearchedBatch
from mmpolar.tracking.state import Candidate, TargetState
from mmpolar.utils.image import to_bgr_uint8

Code = TypeVar('Code')

#: Where a target scores less the second peak of the score map is looked at, too.
SURE_SCORE = 0.9


class Tracker(Generic[Code]):
    """Tracks one target or many, which may come and go.

    The targets of a frame pass through the network together, as many as suit the engine; each one
    is found as it would be alone. For one map of all of them see
    :func:`mmpolar.structures.combine_objects.combine_results`, for a tracker whose methods give one
    result instead of a list :class:`SingleTargetTracker`.

    Args:
        engine: The network, see :class:`TrackEngine`.
        params: Hyper-parameters of tracking; by default the engine's.

    Example:
        >>> import numpy as np
        >>> from mmpolar.runtime import OnnxEngine
        >>> from mmpolar.tracking import Tracker
        >>> frames = np.random.default_rng(0).integers(0, 255, (3, 240, 320, 3), dtype=np.uint8)
        >>> tracker = Tracker(OnnxEngine())
        >>> mask = np.zeros((240, 320), np.uint8)
        >>> mask[150:200, 220:260] = 1
        >>> first, second = tracker.init(frames[0], [[100, 80, 160, 130], mask])
        >>> first.score, first.polygon.shape, first.mask.shape
        (1.0, (72, 2), (240, 320))
        >>> results = tracker.step(frames[1])
        >>> len(results)
        2
        >>> tracker.add(frames[1], [20, 30, 70, 90])
        2
        >>> tracker.remove(0)
        >>> tracker.ids
        (1, 2)
        >>> len(tracker.step(frames[2]))
        2
    """

    def __init__(self, engine: TrackEngine[Code], params: TrackParams | None = None) -> None:
        self.engine = engine
        self._params = params
        self._targets: dict[int, TargetState[Code]] = {}
        self._next_id = 0

    @property
    def params(self) -> TrackParams:
        """Hyper-parameters of tracking; they may be replaced at any time."""
        return self.engine.params if self._params is None else self._params

    @params.setter
    def params(self, params: TrackParams) -> None:
        self._params = params

    @property
    def mask_params(self) -> MaskParams | None:
        """How the engine's mask stage is used; None without one."""
        return getattr(self.engine, 'mask_params', None)

    @property
    def ids(self) -> tuple[int, ...]:
        """Numbers of the targets, in the order of the results."""
        return tuple(self._targets)

    def init(self, frame: NDArray, targets: Sequence[ArrayLike]) -> list[TrackResult]:
        """Start to track targets; earlier ones are forgotten.

        Args:
            frame: Image as OpenCV reads it: BGR, grey or BGRA, 8 or 16 bits, (H, W) or (H, W, C).
            targets: At least one target; each is a box x1, y1, x2, y2 in pixels, of which what lies
                outside the frame is cut off, or a mask (H, W), not zero inside.

        Returns:
            For each target its box with score 1, and the contour that the network sees in it. The
            targets have the numbers 0, 1, ...

        Raises:
            TypeError: If the frame is not an 8 or 16 bit image.
            ValueError: If a box is not finite, has no area or lies outside the frame, a mask is
                empty or of another size than the frame, or there is no target. The earlier targets
                are kept then.
        """
        if len(targets) == 0:
            raise ValueError('no target was given: hand over a list of boxes and masks')
        states, results = self.start(frame, targets)
        self._targets = dict(enumerate(states))
        self._next_id = len(states)
        return results

    def add(self, frame: NDArray, target: ArrayLike) -> int:
        """Start to track one more target.

        Args:
            frame: The last frame that was tracked, image as for :meth:`init`.
            target: Box or mask, as for :meth:`init`.

        Returns:
            Number of the target, for :meth:`remove` and in :attr:`ids`. Numbers are not given again
            until the next :meth:`init`.

        Raises:
            TypeError: As :meth:`init`.
            ValueError: As :meth:`init`.
        """
        [state], _ = self.start(frame, [target])
        target_id = self._next_id
        self._targets[target_id] = state
        self._next_id += 1
        return target_id

    def remove(self, target_id: int) -> None:
        """Stop tracking a target.

        Raises:
            KeyError: If there is no target of that number.
        """
        if target_id not in self._targets:
            raise KeyError(f'there is no target {target_id}; those tracked are {list(self.ids)}')
        del self._targets[target_id]

    def step(self, frame: NDArray) -> list[TrackResult]:
        """Find the targets in the next frame.

        Args:
            frame: Image as for :meth:`init`; its size may change from frame to frame.

        Returns:
            Box, score, contour and mask of each target, in the order of :attr:`ids`.

        Raises:
            RuntimeError: If there is no target.
            TypeError: If the frame is not an 8 or 16 bit image.
        """
        if not self._targets:
            raise RuntimeError('the tracker has no target: call init first')
        return self.find(frame, list(self._targets.values()))

    def snapshot(self) -> dict[str, NDArray]:
        """What the frames after the first have taught, as arrays that can be stored.

        A tracker that has begun with the same frame and targets goes on from here after
        :meth:`restore`.
        """
        return {
            f'{name}_{index}': value
            for index, state in enumerate(self._targets.values())
            for name, value in state.learned().items()
        }

    def restore(self, arrays: Mapping[str, NDArray]) -> None:
        """Go on from a :meth:`snapshot`.

        Args:
            arrays: What it gave, for as many targets as there are.

        Raises:
            ValueError: If the number of targets differs.
        """
        learned: dict[str, dict[str, NDArray]] = {}
        for key in arrays:
            name, _, index = key.rpartition('_')
            learned.setdefault(index, {})[name] = arrays[key]
        states = list(self._targets.values())
        if len(learned) != len(states):
            raise ValueError(f'the snapshot has {len(learned)} targets, the tracker {len(states)}')
        for index, state in enumerate(states):
            state.take_learned(learned[str(index)])

    def start(
        self, frame: NDArray, targets: Sequence[ArrayLike]
    ) -> tuple[list[TargetState[Code]], list[TrackResult]]:
        """As :meth:`init`, but leave it to the caller to keep the targets.

        Args:
            frame: Image as for :meth:`init`.
            targets: Boxes and masks as for :meth:`init`.

        Returns:
            The states of the targets, for :meth:`find`, and the results.
        """
        frame = to_bgr_uint8(frame)
        given = [box_and_mask(target, frame.shape[:2]) for target in targets]
        return self._start(frame, *zip(*given, strict=True))

    def find(self, frame: NDArray, states: Sequence[TargetState[Code]]) -> list[TrackResult]:
        """As :meth:`step`, for targets that the caller keeps.

        Args:
            frame: Image as for :meth:`init`.
            states: States of the targets, of :meth:`start`; they are updated.

        Returns:
            Box, score, contour and mask of each target.
        """
        return self.find_in([to_bgr_uint8(frame)] * len(states), states)

    def find_in(
        self, frames: Sequence[NDArray[np.uint8]], states: Sequence[TargetState[Code]]
    ) -> list[TrackResult]:
        """As :meth:`find`, for targets that are each in a frame of their own, as of several videos.

        Args:
            frames: The frame of each target, (H, W, 3) uint8 BGR.
            states: States of the targets; they are updated once all have been found.
        """
        params, peaks = self.params, self._search(frames, states)
        if self.mask_params is None:
            results = [
                state.settle(state.propose(peak, frame.shape[:2], params), params)
                for frame, state, peak in zip(frames, states, peaks, strict=True)
            ]
        else:
            results = self._segment(frames, states, peaks)
        for state, result in zip(states, results, strict=True):
            state.learn(result, params)
        results = [s.steady(one, params) for s, one in zip(states, results, strict=True)]
        return results if self.mask_params is not None else self._fill_contours(frames, results)

    def _start(
        self,
        frame: NDArray[np.uint8],
        boxes: Sequence[ArrayLike],
        masks: Sequence[NDArray | None],
    ) -> tuple[list[TargetState[Code]], list[TrackResult]]:
        """As :meth:`start`, for targets with a box each, and a mask or None."""
        params, size = self.params, frame.shape[:2]
        boxes = [check_box(box, size) for box in boxes]
        border = CROP_RULES[params.crop].border(frame)
        crops = np.stack([cut_template(frame, box, border, params) for box in boxes])
        codes = self._encode(crops, boxes, masks)
        states = [
            TargetState.start(code, box, border, size, params)
            for code, box in zip(codes, boxes, strict=True)
        ]
        frames = [frame] * len(states)
        found = self._search(frames, states)
        for state, box in zip(states, boxes, strict=True):
            if state.view is not None:
                state.online = OnlineModel.start(state.view, box)
        results = [
            TrackResult(np.asarray(box, np.float32), 1.0, polygon)
            for box, (_, polygon, _) in zip(boxes, found, strict=True)
        ]
        filled = self._fill_contours(frames, results)
        if self.mask_params is None:
            return states, filled
        given, masks = masks, self._segment_first(frames, states, results, masks)
        if any(mask is None for mask in given):
            for state, code in zip(states, self._encode(crops, boxes, masks), strict=True):
                state.code = code
        return states, [
            result if mask is None else replace(result, mask=(mask != 0).astype(np.uint8))
            for result, mask in zip(filled, masks, strict=True)
        ]

    def _encode(
        self,
        crops: NDArray[np.uint8],
        boxes: Sequence[NDArray],
        masks: Sequence[NDArray | None],
    ) -> Sequence[Code]:
        """Encode templates, with the targets' masks as far as they are known."""
        maps = [
            cut_target_map(box, mask, self.params) for box, mask in zip(boxes, masks, strict=True)
        ]
        return self.engine.encode(crops, np.stack(maps))

    def _search(
        self, frames: Sequence[NDArray[np.uint8]], states: Sequence[TargetState[Code]]
    ) -> list[Peak]:
        """Look around each target's last box: the selected location, and the contour there."""
        found = {}
        for indices in batches([s.search_size for s in states], self.engine.batch_size):
            searched = self._search_batch(
                [frames[index] for index in indices], [states[index] for index in indices]
            )
            found.update(zip(indices, searched.peaks(), strict=True))
        return [found[index] for index in range(len(states))]

    def _search_batch(
        self, frames: Sequence[NDArray[np.uint8]], states: Sequence[TargetState[Code]]
    ) -> SearchedBatch:
        """Search for targets whose search crops have one size."""
        params, search_size = self.params, states[0].search_size
        boxes = [
            state.search_box(frame.shape[:2], params)
            for frame, state in zip(frames, states, strict=True)
        ]
        cut = [
            cut_search(frame, box, search_size, state.border, params)
            for frame, state, box in zip(frames, states, boxes, strict=True)
        ]
        crops, scales = zip(*cut, strict=True)
        maps = self.engine.search([state.code for state in states], np.stack(crops))
        self._show(maps, boxes, scales, search_size, states)
        score_size = maps.scores.shape[-1]
        return SearchedBatch(
            engine=self.engine,
            params=params,
            maps=maps,
            boxes=boxes,
            scales=scales,
            search_size=search_size,
            far=[state.is_far(params) for state in states],
            online=[state.online_scores(score_size) for state in states],
        )

    def _show(
        self,
        maps: SearchMaps,
        boxes: Sequence[NDArray],
        scales: Sequence[float],
        search_size: int,
        states: Sequence[TargetState[Code]],
    ) -> None:
        """Show the online models the search crops, if they are used and the engine has features."""
        features = self._online_features(maps)
        if features is None:
            features = [None] * len(states)
        for one, box, scale, state in zip(features, boxes, scales, states, strict=True):
            state.view = None
            if one is not None:
                state.view = SearchView.of(one, box, scale, search_size, self.params.stride)

    def _online_features(self, maps: SearchMaps) -> NDArray[np.float32] | None:
        """Features for the online models; None if they are not used or the engine has none.

        Raises:
            ValueError: If presence depends on them, and the engine has none.
        """
        is_needed = self.mask_params is not None and self.mask_params.needs_online
        if not is_needed and self.params.online_share == 0:
            return None
        features_of = getattr(self.engine, 'search_features', None)
        features = None if features_of is None else features_of(maps)
        if is_needed and features is None:
            raise ValueError(
                'presence has a weight for the online model, and the engine gives no features of the '
                f'search crop at stride {self.params.stride}: take its weight away'
            )
        return features

    def _segment_first(
        self,
        frames: Sequence[NDArray[np.uint8]],
        states: Sequence[TargetState[Code]],
        results: Sequence[TrackResult],
        masks: Sequence[NDArray | None],
    ) -> list[NDArray | None]:
        """Fill the memory of the mask stage in the frame in which targets are given.

        Returns:
            The mask of each target: the given one, or the stage's, or None where the stage sees
            no target.
        """
        params, boxes = self.mask_params, [state.box for state in states]
        targets = frames, boxes, [one.polygon for one in results], states
        inputs = _cut_mask_inputs(*targets, params)
        maps = run_mask_stage(self.engine, inputs)
        if any(mask is None for mask in masks):
            closer = _cut_mask_inputs(*targets, params.close)
            close = run_mask_stage(self.engine, closer).logits
            mirrored = run_mask_stage(self.engine, closer.mirrored()).logits
        known = []
        for i, (state, mask, keys) in enumerate(zip(states, masks, maps.keys, strict=True)):
            if mask is None:
                joined = join_views(maps.logits[i], close[i], mirrored[i], params)
                reference = own_reference(keys, maps.logits[i], joined, state.box, params)
                matrix = mask_matrix(state.box, params.close)
                mask = keep_inside(mask_to_frame(joined, matrix, frames[i].shape[:2]), state.box)
            else:
                cells = mask_to_cells(mask, mask_matrix(state.box, params), params)
                reference = MaskReference(keys, cells)
            state.mask_memory = MaskMemory(reference, reference)
            if params.compares_colors:
                state.mask_memory.colors = color_histogram(inputs.crops[i], reference.mask)
            known.append(mask if mask.any() else None)
        return known

    def _segment(
        self,
        frames: Sequence[NDArray[np.uint8]],
        states: Sequence[TargetState[Code]],
        peaks: Sequence[Peak],
    ) -> list[TrackResult]:
        """The results with masks, and with boxes that the masks agree to."""
        params, mask_params = self.params, self.mask_params
        judged = self._judge(frames, states, peaks)
        self._try_second_peaks(frames, states, peaks, judged)
        results = []
        for frame, state, (candidate, found) in zip(frames, states, judged, strict=True):
            size = frame.shape[:2]
            result = state.settle(candidate, params)
            if result.visible:
                result = state.take_mask(found, result, size, params, mask_params)
            else:
                result = replace(result, mask=np.zeros(size, np.uint8))
            results.append(result)
        return results

    def _try_second_peaks(
        self,
        frames: Sequence[NDArray[np.uint8]],
        states: Sequence[TargetState[Code]],
        peaks: Sequence[Peak],
        judged: list[tuple[Candidate, FoundMask]],
    ) -> None:
        """Replace candidates by second peaks where these are more probably the targets.

        The classification score cannot tell: the first peak is the better one by it. So there is
        nothing to try if the mask stage has no weights of presence.
        """
        least = self.params.second_peak_score
        if least == 0 or not self.mask_params.presence:
            return
        scores = [candidate.result.score for candidate, _ in judged]
        seconds = {
            index: second
            for index, score in enumerate(scores)
            if score < SURE_SCORE and (second := peaks[index].second()) is not None
        }
        for index, state in enumerate(states):
            if index not in seconds:
                state.doubt = 0.0
        if not seconds:
            return
        others = self._judge(
            [frames[index] for index in seconds],
            [states[index] for index in seconds],
            list(seconds.values()),
        )
        for index, other in zip(seconds, others, strict=True):
            score = other[0].result.score
            if states[index].prefers_second(scores[index], score) and score >= least:
                judged[index], states[index].doubt = other, 0.0

    def _judge(
        self,
        frames: Sequence[NDArray[np.uint8]],
        states: Sequence[TargetState[Code]],
        peaks: Sequence[Peak],
    ) -> list[tuple[Candidate, FoundMask]]:
        """What each target is if its peak is right, scored by how probable that is; and its mask."""
        proposed = [
            state.propose(peak, frame.shape[:2], self.params)
            for frame, state, peak in zip(frames, states, peaks, strict=True)
        ]
        boxes = [np.asarray(one.result.box, np.float64) for one in proposed]
        masks = self._find_masks(frames, boxes, [one.result.polygon for one in proposed], states)
        judged = []
        for state, candidate, found in zip(states, proposed, masks, strict=True):
            score = target_presence(
                candidate.result.score,
                found,
                state.mask_memory,
                self.mask_params.presence,
                candidate.online,
            )
            scored = candidate._replace(result=replace(candidate.result, score=score))
            judged.append((scored, found))
        return judged

    def _find_masks(
        self,
        frames: Sequence[NDArray[np.uint8]],
        boxes: Sequence[NDArray],
        polygons: Sequence[NDArray | None],
        states: Sequence[TargetState[Code]],
    ) -> list[FoundMask]:
        """Run the mask stage on targets in a later frame."""
        params = self.mask_params
        inputs = _cut_mask_inputs(frames, boxes, polygons, states, params)
        maps = run_mask_stage(self.engine, inputs)
        sizes = [frame.shape[:2] for frame in frames]
        return read_masks(maps, inputs.crops, boxes, sizes, params)

    def _fill_contours(
        self, frames: Sequence[NDArray[np.uint8]], results: Sequence[TrackResult]
    ) -> list[TrackResult]:
        """The results with the insides of their contours as masks, empty ones for lost targets."""
        if self.engine.n_rays is None:
            return list(results)
        return [
            result.with_filled_contour(frame.shape[:2])
            for frame, result in zip(frames, results, strict=True)
        ]


class SingleTargetTracker:
    """Tracks one target; :class:`Tracker` for a single one, without lists.

    Args:
        engine: The network, see :class:`TrackEngine`.
        params: Hyper-parameters of tracking; by default the engine's.

    Example:
        >>> import numpy as np
        >>> from mmpolar.apis import init_tracker
        >>> frames = np.random.default_rng(0).integers(0, 255, (3, 240, 320, 3), dtype=np.uint8)
        >>> tracker = init_tracker(engine='onnx')
        >>> first = tracker.init(frames[0], [100, 80, 160, 130])
        >>> first.box.tolist()
        [100.0, 80.0, 160.0, 130.0]
        >>> results = [tracker.step(frame) for frame in frames[1:]]
        >>> results[-1].mask.shape
        (240, 320)
    """

    def __init__(self, engine: TrackEngine, params: TrackParams | None = None) -> None:
        self._tracker = Tracker(engine, params)

    @property
    def engine(self) -> TrackEngine:
        """The network behind its inference engine."""
        return self._tracker.engine

    @property
    def model(self) -> Any:
        """The PyTorch model; there is none with another engine."""
        return self.engine.model

    @property
    def params(self) -> TrackParams:
        """Hyper-parameters of tracking; they may be replaced at any time."""
        return self._tracker.params

    @params.setter
    def params(self, params: TrackParams) -> None:
        self._tracker.params = params

    def init(self, frame: NDArray, target: ArrayLike) -> TrackResult:
        """Start to track a target; an earlier one is forgotten.

        Args:
            frame: Image as for :meth:`Tracker.init`.
            target: The target's box x1, y1, x2, y2 in pixels, or its mask, (H, W), not zero inside.

        Returns:
            The target's box with score 1, and the contour that the network sees in it.

        Raises:
            TypeError: As :meth:`Tracker.init`.
            ValueError: As :meth:`Tracker.init`.
        """
        [result] = self._tracker.init(frame, [target])
        return result

    def step(self, frame: NDArray) -> TrackResult:
        """Find the target in the next frame.

        Args:
            frame: Image as for :meth:`Tracker.init`; its size may change from frame to frame.

        Returns:
            Box, score, contour and mask of the target.

        Raises:
            RuntimeError: If :meth:`init` has not been called.
            TypeError: As :meth:`Tracker.init`.
        """
        [result] = self._tracker.step(frame)
        return result


def batches(search_sizes: Sequence[int], at_most: int | None = None) -> list[list[int]]:
    """Which targets go through a network together: those whose search crops have one size.

    Args:
        search_sizes: Side of each target's search crop in pixels.
        at_most: Targets of a batch; None for any number.

    Returns:
        Indices of the targets of each batch, ascending.
    """
    groups: dict[int, list[int]] = {}
    for index, size in enumerate(search_sizes):
        groups.setdefault(size, []).append(index)
    return [
        group[first : first + (at_most or len(group))]
        for group in groups.values()
        for first in range(0, len(group), at_most or len(group))
    ]


def _cut_mask_inputs(
    frames: Sequence[NDArray[np.uint8]],
    boxes: Sequence[NDArray],
    polygons: Sequence[NDArray | None],
    states: Sequence[TargetState],
    params: MaskParams,
) -> MaskInputs:
    """What the mask stage needs of targets, with what their states remember."""
    memories, borders = [s.mask_memory for s in states], [s.border for s in states]
    return cut_mask_inputs(frames, boxes, polygons, memories, borders, params)
