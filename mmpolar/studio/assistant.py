"""The tracker behind the page: masks of boxes and clicks, and labels of tracked frames."""

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmpolar.apis import init_engine
from mmpolar.model_zoo import DEFAULT_FOLDER
from mmpolar.structures.track_result import TrackResult
from mmpolar.studio.jobs import JobState
from mmpolar.studio.project import Project
from mmpolar.studio.store import LOST, MASK, Clip, Label
from mmpolar.studio.tracking_plan import TrackRun
from mmpolar.tracking import TrackEngine, Tracker
from mmpolar.tracking.point_target import find_object


class Assistant:
    """A tracker that several threads share.

    Args:
        project: The project.
        model: Name of the tracker.
        threads: Threads of the network; by default two.

    Attributes:
        model: Name of the tracker that is used.

    Raises:
        KeyError: If there is no tracker of that name.
    """

    def __init__(
        self, project: Project, model: str = DEFAULT_FOLDER, threads: int | None = None
    ) -> None:
        self.project, self._threads = project, threads
        self._lock = threading.Lock()
        self.use(model)

    def use(self, name: str) -> None:
        """Take another tracker from now on.

        Raises:
            KeyError: If there is no tracker of that name.
            ValueError: If it gives no masks, or its folder is damaged.
        """
        engine = self.load(name)
        with self._lock:
            self._engine, self.model = engine, name

    def load(self, name: str) -> TrackEngine:
        """The network of a tracker; see :meth:`use` for what is raised."""
        engine = init_engine(self.project.model_folder(name), engine='onnx', threads=self._threads)
        if engine.n_rays is None:
            raise ValueError(f'{name} gives boxes only: labelling needs a tracker with masks')
        return engine

    def mask_of_box(self, frame: NDArray[np.uint8], box: ArrayLike) -> NDArray[np.uint8]:
        """The mask (H, W) of what is in a box x1, y1, x2, y2.

        Raises:
            ValueError: If the box has no area in the frame, or nothing is seen in it.
        """
        with self._lock:
            _, [result] = Tracker(self._engine).start(frame, [box])
        if not result.mask.any():
            raise ValueError('no target is seen in the box: draw a closer one, or use the brush')
        return result.mask

    def mask_of_point(self, frame: NDArray[np.uint8], point: ArrayLike) -> NDArray[np.uint8]:
        """The mask (H, W) of the object at a point x, y.

        Raises:
            ValueError: If nothing is found there.
        """
        with self._lock:
            return find_object(self._engine, frame, point)

    def track(self, clip: Clip, runs: Sequence[TrackRun], what: str, state: JobState) -> int:
        """Track the runs of a clip, and write each frame's labels at once.

        Args:
            clip: The clip.
            runs: What is tracked from where, of one target or several.
            what: Name of the step, for undo.
            state: Takes the progress.

        Returns:
            Labels that were written, or would have been where a person's were in the way.
        """
        passes = [
            [run for run in runs if (run.frames.step > 0) == ahead] for ahead in (True, False)
        ]
        state.total = sum(len(_frames_of(part)) for part in passes)
        step = self.project.store.begin_step(clip.id, what)
        return sum(self._pass(clip, part, step, state) for part in passes if part)

    def _pass(self, clip: Clip, runs: Sequence[TrackRun], step: int, state: JobState) -> int:
        """Track in one direction, all targets of a frame together."""
        source, count = self.project.frames(clip.id), 0
        with self._lock:
            tracker = Tracker(self._engine)
        active = {}
        for number in _frames_of(runs):
            image = source.read(number)
            followed = [run for run in active if number in run.frames]
            with self._lock:
                results = tracker.find(image, [active[run] for run in followed]) if followed else []
                for run in runs:
                    if run.anchor.frame == number:
                        mask = self.project.mask(clip, run.anchor)
                        [active[run]], _ = tracker.start(image, [mask])
            labels = [
                self._label(clip, run, number, result)
                for run, result in zip(followed, results, strict=True)
            ]
            holds = self.project.store.put_tracked(step, [run.anchor for run in followed], labels)
            for run, goes_on in zip(followed, holds, strict=True):
                if not goes_on or number == run.frames[-1]:
                    del active[run]
            count += len(labels)
            state.step(number)
        return count

    def _label(self, clip: Clip, run: TrackRun, number: int, result: TrackResult) -> Label:
        kind, file, target = LOST, None, run.anchor.target
        if not result.lost and result.mask.any():
            kind = MASK
            file = self.project.save_mask(clip, target, number, result.mask, flush=False)
        return Label(0, target, number, kind, False, file, float(result.score), run.anchor.mark)


def _frames_of(runs: Sequence[TrackRun]) -> list[int]:
    """Frames that a pass reads, in order: those of the runs, and their anchors'."""
    backward = any(run.frames.step < 0 for run in runs)
    numbers = {number for run in runs for number in (run.anchor.frame, *run.frames)}
    return sorted(numbers, reverse=backward)
