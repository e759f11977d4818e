"""What a tracker keeps of a target from frame to frame."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from mmpolar.structures.boxes import box_overlap
from mmpolar.structures.crop import Border
from mmpolar.structures.track_result import TrackResult
from mmpolar.tracking.mask_stage import FoundMask, MaskMemory, MaskParams, MaskReference
from mmpolar.tracking.one_euro import OneEuroFilter
from mmpolar.tracking.online_model import OnlineModel, SearchView
from mmpolar.tracking.params import TrackParams
from mmpolar.tracking.presence import logit, scan_boxes
from mmpolar.tracking.searched import Peak
from mmpolar.tracking.selection import box_around, calibrate, clamp_box

Code = TypeVar('Code')

#: Log odds, 7 to 1, from which the second peak of the score map is taken for the target.
CLEAR_DOUBT = 2.0
#: Fields of a target's state that have states of their own.
_PARTS = ('online', 'box_filter', 'contour_filter')


class Candidate(NamedTuple):
    """Where a target may be in a frame.

    Attributes:
        head_box: The box of the regression head, (4,) xyxy in pixels: the next frame is searched
            around it.
        result: The result if it is the target, without a mask.
        online: Score of the online model there, in [0, 1]; None without one.
    """

    head_box: np.ndarray
    result: TrackResult
    online: float | None = None


@dataclass
class TargetState(Generic[Code]):
    """The state of one target.

    Attributes:
        code: The encoded template, as the inference engine has it.
        box: The target's box in the last frame, (4,) xyxy in pixels.
        border: Colour outside the frame, BGR: the mean of the frame in which the target was given.
        usual_search_size: Side of the search crop in pixels while the target is visible.
        search_size: Side of the next search crop in pixels.
        lost_frames: For how many frames the target has been lost; 0 while it is visible.
        doubt: Log odds that the target is at the second peak of the score map and not at the first,
            by the last frames.
        mask_memory: References of the mask stage.
        online: The online model; None without one.
        view: The last search crop, for the online model.
        box_filter: Filter of the results' boxes, if they are to be steady.
        contour_filter: That of their contours.
    """

    code: Code
    box: np.ndarray
    border: Border
    usual_search_size: int
    search_size: int
    lost_frames: int = 0
    doubt: float = 0.0
    mask_memory: MaskMemory = field(default_factory=MaskMemory)
    online: OnlineModel | None = None
    view: SearchView | None = None
    box_filter: OneEuroFilter | None = None
    contour_filter: OneEuroFilter | None = None

    @classmethod
    def start(
        cls,
        code: Code,
        box: np.ndarray,
        border: Border,
        frame_size: tuple[int, int],
        params: TrackParams,
    ) -> 'TargetState[Code]':
        """The state of a target in the frame in which it is given.

        Args:
            code: The encoded template.
            box: The target's box, (4,) xyxy in pixels.
            border: Colour outside the frame.
            frame_size: Height and width of the frame in pixels.
            params: Hyper-parameters of tracking.
        """
        size = params.search_size_for(np.prod(box[2:] - box[:2]), frame_size[0] * frame_size[1])
        return cls(code, box, border, size, size)

    def learned(self) -> dict[str, NDArray]:
        """What the frames after the first have taught, arrays by name."""
        arrays = dict(
            box=np.asarray(self.box, np.float64),
            search_size=np.array(self.search_size),
            lost_frames=np.array(self.lost_frames),
            doubt=np.array(self.doubt),
        )
        if self.mask_memory.recent is not None:
            arrays['recent_keys'], arrays['recent_mask'] = self.mask_memory.recent
        for name in _PARTS:
            part = getattr(self, name)
            if part is not None:
                arrays |= {f'{name}_{key}': value for key, value in part.learned().items()}
        return arrays

    def take_learned(self, arrays: Mapping[str, NDArray]) -> None:
        """Go on from what :meth:`learned` gave for the same target in the same first frame."""
        self.box = np.array(arrays['box'])
        self.search_size, self.lost_frames = int(arrays['search_size']), int(arrays['lost_frames'])
        self.doubt = float(arrays['doubt'])
        if 'recent_keys' in arrays:
            reference = MaskReference(arrays['recent_keys'], arrays['recent_mask'])
            self.mask_memory.recent = reference
        online, *filters = (
            {
                key.removeprefix(f'{name}_'): value
                for key, value in arrays.items()
                if key.startswith(f'{name}_')
            }
            for name in _PARTS
        )
        if self.online is not None and online:
            self.online.take_learned(online)
        self.box_filter, self.contour_filter = (
            OneEuroFilter.of_learned(one) if one else None for one in filters
        )

    def is_far(self, params: TrackParams) -> bool:
        """Whether the target has been lost for so long that it may be anywhere."""
        return self.lost_frames > params.widen_after

    def search_box(self, frame_size: tuple[int, int], params: TrackParams) -> np.ndarray:
        """The box around which the target is looked for next, (4,) xyxy in pixels.

        Args:
            frame_size: Height and width of the frame in pixels.
            params: Hyper-parameters of tracking.
        """
        turn = self.lost_frames - params.scan_after
        if not self.is_far(params) or turn <= 0 or turn % 2 == 0:
            return self.box
        boxes = scan_boxes(self.box, frame_size, params)
        return clamp_box(boxes[turn // 2 % len(boxes)], frame_size, params.min_size)

    def prefers_second(self, first: float, second: float) -> bool:
        """Whether the target is at the second peak, as far as this frame and the last ones tell.

        The differences of the log odds are added up, from zero on, until they exceed
        :data:`CLEAR_DOUBT`: the cumulative sum test (Page, Biometrika 1954).

        Args:
            first: Score of the first peak, in [0, 1].
            second: Score of the second peak, in [0, 1].
        """
        self.doubt = max(self.doubt + logit(second) - logit(first), 0.0)
        return self.doubt > CLEAR_DOUBT

    def online_scores(self, score_size: int) -> np.ndarray | None:
        """Scores of the online model in the last search crop, (S, S); None without one."""
        if self.online is None or self.view is None:
            return None
        return self.online.scores(self.view, score_size)

    def learn(self, result: TrackResult, params: TrackParams) -> None:
        """Let the online model learn from a frame, if it is its turn and the result is sure.

        Args:
            result: The result of this frame.
            params: Hyper-parameters of tracking.
        """
        if self.online is None or self.view is None:
            return
        self.online.frames += 1
        is_turn = self.online.frames % params.online_interval == 0
        if is_turn and result.visible and result.score >= params.online_score:
            self.online.update(self.view, result.box, params.online_rate)

    def propose(
        self,
        peak: Peak,
        frame_size: tuple[int, int],
        params: TrackParams,
    ) -> Candidate:
        """Where the target is if the selected location is right.

        Args:
            peak: The location that was selected in the search crop.
            frame_size: Height and width of the frame in pixels.
            params: Hyper-parameters of tracking.
        """
        selection, polygon = peak.selection, peak.polygon
        head_box = box = clamp_box(selection.box, frame_size, params.min_size)
        if params.contour_share > 0 and polygon is not None:
            around = box_around(polygon, frame_size)
            box = (1 - params.contour_share) * box + params.contour_share * around
        score = calibrate(selection.score, params)
        result = TrackResult(np.asarray(box, np.float32), score, polygon)
        return Candidate(head_box, result, selection.online)

    def settle(self, candidate: Candidate, params: TrackParams) -> TrackResult:
        """Move the target to a candidate, or count it as lost.

        Args:
            candidate: Where the target may be.
            params: Hyper-parameters of tracking.

        Returns:
            Box, score and contour, without a mask.
        """
        score = candidate.result.score
        if score < (params.found_score if self.is_far(params) else params.lost_score):
            self.lost_frames += 1
            if self.is_far(params):
                self.search_size = params.lost_search_size
            return TrackResult(np.asarray(self.box, np.float32), score, visible=False)
        self.lost_frames = 0
        self.search_size = self.usual_search_size
        self.box = candidate.head_box
        return candidate.result

    def steady(self, result: TrackResult, params: TrackParams) -> TrackResult:
        """The result with less jitter of box and contour; a lost target resets the filter."""
        if params.steady_cutoff == 0 or result.lost:
            self.box_filter = self.contour_filter = None
            return result
        if self.box_filter is None:
            side = float(np.sqrt(np.prod(result.box[2:] - result.box[:2])))
            gain = params.steady_gain / max(side, 1.0)
            self.box_filter, self.contour_filter = (
                OneEuroFilter(params.steady_cutoff, gain) for _ in range(2)
            )
        box, polygon = self.box_filter(result.box).astype(np.float32), result.polygon
        if polygon is not None:
            polygon = self.contour_filter(polygon).astype(np.float32)
        return replace(result, box=box, polygon=polygon)

    def take_mask(
        self,
        found: FoundMask,
        result: TrackResult,
        frame_size: tuple[int, int],
        params: TrackParams,
        mask_params: MaskParams,
    ) -> TrackResult:
        """Remember a confident mask, and let its box correct the target's.

        Args:
            found: What the mask stage found.
            result: The result so far.
            frame_size: Height and width of the frame in pixels.
            params: Hyper-parameters of tracking.
            mask_params: How the mask stage is used.

        Returns:
            The result with the mask, and with a box that the mask agrees to.
        """
        result = replace(result, mask=found.mask)
        around = found.box
        if around is None or min(found.quality, result.score) < mask_params.memory_quality:
            return result
        reference = found.reference
        self.mask_memory.recent = reference.binary() if mask_params.binary_references else reference
        if box_overlap(result.box, around) < mask_params.box_agreement:
            return result
        share = mask_params.search_share
        if share > 0:
            moved = (1 - share) * self.box + share * around
            self.box = clamp_box(moved, frame_size, params.min_size)
        share = mask_params.box_share
        box = (1 - share) * result.box + share * around
        return replace(result, box=np.asarray(box, np.float32))
