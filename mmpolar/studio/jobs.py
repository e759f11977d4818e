"""Long work in a thread: its progress, how it is stopped, and how it ended."""

import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class JobStoppedError(Exception):
    """The user has stopped the job."""


class BusyError(ValueError):
    """Another job runs."""


@dataclass
class JobState:
    """What the page shows of a job.

    Attributes:
        kind: What is done: ``track``, ``export`` or ``compare``.
        number: Counts the jobs.
        clip: Number of the clip, None for work on several.
        running: Whether it is not over.
        done: Steps that are done.
        total: Steps in all.
        frame: Frame that was done last.
        error: Why it failed, in a line.
        result: What it gave.
        stopping: Whether it is to end after its step.
    """

    kind: str
    clip: int | None = None
    number: int = 0
    running: bool = True
    done: int = 0
    total: int = 0
    frame: int | None = None
    error: str | None = None
    result: Any = None
    stopping: bool = False

    def step(self, frame: int | None = None) -> None:
        """Count a step.

        Raises:
            JobStoppedError: If the job is to end.
        """
        self.done += 1
        self.frame = frame
        if self.stopping:
            raise JobStoppedError


class Jobs:
    """Runs one job at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.state: JobState | None = None

    def start(
        self, kind: str, work: Callable[[JobState], Any], clip: int | None = None
    ) -> JobState:
        """Begin a job.

        Args:
            kind: See :class:`JobState`.
            work: Does it; it calls :meth:`JobState.step`, and what it returns is the result.
            clip: Number of its clip.

        Raises:
            BusyError: If one runs.
        """
        with self._lock:
            earlier = self.state
            if earlier is not None and earlier.running:
                raise BusyError(f'{earlier.kind} is running: wait for its end, or stop it')
            self.state = state = JobState(kind, clip, earlier.number + 1 if earlier else 1)
            self._thread = threading.Thread(target=_run, args=(state, work), daemon=True)
            self._thread.start()
        return state

    def stop(self) -> None:
        """Stop the job after its step, and wait for that."""
        with self._lock:
            state, thread = self.state, self._thread
        if state is not None:
            state.stopping = True
            thread.join()


def _run(state: JobState, work: Callable[[JobState], Any]) -> None:
    try:
        state.result = work(state)
    except JobStoppedError:
        pass
    except Exception as error:
        traceback.print_exc()
        state.error = ' '.join(str(error).split()) or type(error).__name__
    finally:
        state.running = False
