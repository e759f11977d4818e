"""What ``mmpolar track`` writes: the ending of a name chooses what."""

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpolar.structures import result_formats
from mmpolar.structures.coco_file import CocoFile
from mmpolar.structures.combine_objects import combine_results
from mmpolar.structures.track_result import TrackResult
from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.outputs import check_writable
from mmpolar.utils.video import Source
from mmpolar.visualization.draw import draw_results, fit_to_size
from mmpolar.visualization.video_writer import VideoWriter

WINDOW = 'mmpolar'
#: What an ending stands for, for the help.
KINDS = """\
  FILE.mp4     video with boxes and masks drawn in, with the sound of the source
  FILE.jsonl   a line of JSON a frame, written while it runs; - for standard output
  FILE.json    COCO: boxes, scores and masks in run lengths, for pycocotools and annotation tools
  FILE.txt     MOTChallenge: frame,id,left,top,width,height,score,-1,-1,-1
  FOLDER       a PNG a frame: 1 on the first target, 2 on the second, ..."""
#: Keys that end a window: q and Escape.
_END_KEYS = (ord('q'), 27)


@dataclass(frozen=True)
class TrackedFrame:
    """A frame and what was found in it.

    Attributes:
        number: Its index in the source, from 0.
        seconds: When it is shown, from the first frame; None where the source does not say.
        image: (H, W, 3) uint8 BGR.
        results: Results of the targets, in their order.
    """

    number: int
    seconds: float | None
    image: NDArray[np.uint8]
    results: Sequence[TrackResult]


class StoppedByUserError(Exception):
    """The user has closed the window."""


class TrackOutput(Protocol):
    """Takes frames in order, and is closed also if the last of them never came."""

    def write(self, tracked: TrackedFrame) -> None:
        """Take a frame."""

    def close(self) -> None:
        """Finish."""


def open_output(name: str, source: Source, goes_on: bool = False) -> TrackOutput:
    """The output that a name means.

    Args:
        name: See :data:`KINDS`.
        source: What is tracked, whose frame rate and sound a video gets.
        goes_on: Whether an earlier run has written to it.

    Raises:
        OSError: If it cannot be written, or is a folder with something in it that is of no earlier run.
        ValueError: If the ending is not known.
    """
    kinds = {'.mp4': VideoOutput, '.json': CocoOutput, '.txt': MotOutput, '': MaskOutput}
    suffix = Path(name).suffix.lower()
    if name == '-' or suffix == '.jsonl':
        return JsonLinesOutput(name)
    if name.endswith('/'):
        suffix = ''
    if suffix not in kinds:
        raise ValueError(
            f'--out {name}: the ending must be .mp4, .jsonl, .json or .txt, or none for a folder of masks'
        )
    check_writable('--out', name, is_folder=not suffix)
    if not suffix and not goes_on and any(Path(name).iterdir()):
        raise FileExistsError(
            f'--out {name} is a folder with files in it, and masks would be mixed with them; give another '
            'folder, or remove this one'
        )
    return kinds[suffix](Path(name), source)


class VideoOutput:
    """A video of the frames with the results drawn in."""

    def __init__(self, path: Path, source: Source) -> None:
        self.path, self.source = path, source
        self._writer: VideoWriter | None = None

    def write(self, tracked: TrackedFrame) -> None:
        """Draw and append a frame."""
        if self._writer is None:
            self._writer = VideoWriter.like(self.path, self.source, tracked.image)
        drawn = draw_results(tracked.image, tracked.results)
        # The images of a folder may differ in size.
        self._writer.write(fit_to_size(drawn, self._writer.size), tracked.seconds)

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()


class WindowOutput:
    """A window that shows the frames; q or Escape ends."""

    def write(self, tracked: TrackedFrame) -> None:
        """Show a frame.

        Raises:
            StoppedByUserError: When the user wants to end.
        """
        try:
            cv2.imshow(WINDOW, draw_results(tracked.image, tracked.results))
            key = cv2.waitKey(1) & 0xFF
        except cv2.error as error:
            raise OSError(
                'no window can be opened here: --show needs a display and an OpenCV with windows '
                '(pip uninstall opencv-python-headless, pip install opencv-python); or give --out'
            ) from error
        if key in _END_KEYS:
            raise StoppedByUserError

    def close(self) -> None:
        """Close the window, if there is one."""
        with suppress(cv2.error):
            cv2.destroyWindow(WINDOW)


class JsonLinesOutput:
    """A line a frame, which others can read at once.

    Args:
        name: File, or ``-`` for standard output.
        kept: Lines of an earlier run that stay; the file is cut behind them.
    """

    def __init__(self, name: str, kept: int = 0) -> None:
        self.kept = kept
        if name != '-':
            check_writable('--out', name)
        self._file: IO[str] = sys.stdout if name == '-' else _open_behind(Path(name), kept)

    def write(self, tracked: TrackedFrame) -> None:
        """Append a line, unless it is there."""
        if tracked.number < self.kept:
            return
        targets = result_formats.to_json(tracked.results)
        line = dict(frame=tracked.number, seconds=_rounded(tracked.seconds), targets=targets)
        print(json.dumps(line), file=self._file, flush=True)

    def close(self) -> None:
        """Close the file."""
        if self._file is not sys.stdout:
            self._file.close()


class MaskOutput:
    """A PNG file a frame, whose values are the targets' numbers."""

    def __init__(self, path: Path, source: Source) -> None:
        self.path = path

    def write(self, tracked: TrackedFrame) -> None:
        """Write a mask."""
        from mmpolar.utils.mask_file import encode_mask  # with Pillow

        ids = combine_results(tracked.results)
        atomic_write(self.path / f'{tracked.number:05d}.png', encode_mask(ids), flush=False)

    def close(self) -> None:
        """Nothing is open."""


class MotOutput:
    """A text file of MOTChallenge, written at the end."""

    def __init__(self, path: Path, source: Source) -> None:
        self.path = path
        self._lines: list[str] = []

    def write(self, tracked: TrackedFrame) -> None:
        """Keep the lines of a frame."""
        self._lines.append(result_formats.to_mot(tracked.results, tracked.number))

    def close(self) -> None:
        """Write the file."""
        atomic_write(self.path, ''.join(self._lines))


class CocoOutput:
    """A file of COCO's format, written at the end; ``mmpolar convert coco`` reads it too."""

    def __init__(self, path: Path, source: Source) -> None:
        self.path = path
        self._file = CocoFile()

    def write(self, tracked: TrackedFrame) -> None:
        """Keep the entries of a frame."""
        name = f'{tracked.number:05d}.jpg'
        image_id = self._file.add_image(name, tracked.image.shape[:2])
        self._file.add_results(tracked.results, image_id)

    def close(self) -> None:
        """Write the file."""
        atomic_write(self.path, json.dumps(self._file.content({1: 'target'})))


class OldResultsOutput:
    """The JSON file of the option ``--results``, which leaves with the next release."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._frames: list[list[dict]] = []

    def write(self, tracked: TrackedFrame) -> None:
        """Keep a frame."""
        entries = result_formats.to_json(tracked.results)
        self._frames.append(
            [{key: entry[key] for key in ('box', 'score', 'polygon')} for entry in entries]
        )

    def close(self) -> None:
        """Write the file: a list a target, with an entry a frame."""
        targets = list(zip(*self._frames, strict=True))
        atomic_write(self.path, json.dumps(dict(targets=targets)) + '\n')


def _open_behind(path: Path, lines: int) -> IO[str]:
    """A file open for text behind so many lines; what followed them is cut off."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not lines:
        return path.open('w', encoding='utf-8')
    file = path.open('r+', encoding='utf-8')
    for _ in range(lines):
        file.readline()
    file.seek(file.tell())
    file.truncate()
    return file


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
