"""Submissions that a made-up tracker gets from miniature benchmarks."""

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from answered_videos import answered_videos
from benchmark_folders import corners, filled, moving_boxes, write_lines
from mmengine.evaluator import Evaluator

from mmpolar.evaluation.submissions import (
    BENCHMARKS,
    build_expected_dataset,
    check_submission,
    expected_sequences,
)

LENGTH = 5


@dataclass
class Case:
    """A benchmark's data, what a tracker answered, and the submission that was made of it."""

    benchmark: str
    data_root: Path
    folder: Path
    data_options: dict = field(default_factory=dict)
    options: dict = field(default_factory=dict)

    @property
    def results(self) -> Path:
        return self.folder / 'results'

    @property
    def archive(self) -> Path:
        return self.results / f'{self.benchmark}.zip'

    @property
    def format(self):
        return BENCHMARKS[self.benchmark](**self.options)

    @property
    def dataset(self):
        return build_expected_dataset(self.format, str(self.data_root), self.data_options)

    def submit(
        self, answer: Callable, seconds: Callable | None = None, together: bool = False
    ) -> None:
        """Run a made-up tracker through the data and let the metric make the submission.

        ``together`` takes all objects of a video frame by frame, not one object after the other.
        """
        metric = dict(
            type='mmpolar.DumpSubmission',
            benchmark=self.benchmark,
            out_dir=str(self.results),
            options=self.options,
        )
        evaluator = Evaluator(metric)
        samples = answered_videos(self.dataset, answer, seconds)
        for sample in sorted(samples, key=lambda s: s.img_path) if together else samples:
            evaluator.process([sample])
        evaluator.evaluate(len(self.dataset))

    def files(self) -> dict[str, bytes]:
        """Names and contents of the archive's files."""
        with zipfile.ZipFile(self.archive) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def unpack(self) -> Path:
        """The submission as a folder, which a test may spoil."""
        folder = self.folder / 'unpacked'
        shutil.rmtree(folder, ignore_errors=True)
        shutil.unpack_archive(self.archive, folder)
        return folder

    def check(self, path: Path | None = None) -> set[tuple[str, str, str]]:
        """Level, kind and place of everything that is wrong with the archive or a folder."""
        sequences = expected_sequences(self.dataset)
        issues = check_submission(self.format, sequences, path or self.archive)
        return {(issue.level, issue.kind, issue.where) for issue in issues}


def true_box(frame: dict) -> np.ndarray:
    """Box of a frame in data that ``moving_boxes`` made."""
    return corners(moving_boxes(LENGTH)[frame['frame_id']])


def answer_boxes(frame: dict):
    """The true box, some pixels to the side."""
    return true_box(frame) + 0.25, 0.5, None


def measured(frame: dict) -> float:
    """Times that differ from frame to frame."""
    return 0.01 + 0.001 * frame['frame_id']


#: Masks of two overlapping objects that move, and of one.
TWO = [filled(6 + i, 6, 15 + i, 15, 2, filled(2 + i, 2, 11 + i, 11)) for i in range(LENGTH)]
ONE = [filled(20, 5 + i, 29, 14 + i) for i in range(LENGTH)]


def object_mask(frame: dict) -> np.ndarray:
    """The whole of an object, hidden parts too."""
    shift = int(Path(frame['img_path']).stem)
    if frame['sequence'] == 'one':
        return filled(20, 5 + shift, 29, 14 + shift)
    if frame['object_id'] == 2:
        return filled(6 + shift, 6, 15 + shift, 15)
    return filled(2 + shift, 2, 11 + shift, 11)


def answer_masks(frame: dict):
    """The object; object 1 of two is the surer one in odd frames."""
    mask = object_mask(frame)
    is_sure = (frame['object_id'] == 1) == (frame['frame_id'] % 2 == 1)
    ys, xs = np.nonzero(mask)
    box = np.array([xs.min() - 0.5, ys.min() - 0.5, xs.max() + 0.5, ys.max() + 0.5])
    return box, 0.9 if is_sure else 0.3, mask


#: Object 4 from the second named frame on, object 2 from the first; 00015 is named for neither.
YOUTUBE_OBJECTS = dict(late={'2': ['00005', '00010', '00020'], '4': ['00010', '00020', '00025']})


def answer_youtube(frame: dict):
    """Object 2 is a large square, object 4 a small one in it; the latter is surer."""
    if frame['object_id'] == 2:
        return [1.5, 1.5, 29.5, 19.5], 0.4, filled(2, 2, 29, 19)
    return [9.5, 9.5, 14.5, 14.5], 0.6, filled(10, 10, 14, 14)


def spoil(path: Path, lines: Callable[[list[str]], list[str]]) -> None:
    """Rewrite the lines of a text file."""
    write_lines(path, lines(path.read_text().splitlines()))
