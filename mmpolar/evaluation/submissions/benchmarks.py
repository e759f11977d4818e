"""The benchmarks by name, and how submissions to them are made and checked."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from mmpolar.datasets import BaseTrackDataset
from mmpolar.evaluation.result_folder import ResultFolder
from mmpolar.evaluation.submissions.box_submissions import (
    GOT10kSubmission,
    LaSOTSubmission,
    TrackingNetSubmission,
)
from mmpolar.evaluation.submissions.expected import ExpectedSequence
from mmpolar.evaluation.submissions.files import create_submission, open_submission
from mmpolar.evaluation.submissions.mask_images import (
    Davis2016Submission,
    Davis2017Submission,
    YouTubeVOSSubmission,
)
from mmpolar.evaluation.submissions.submission import Submission, TrackSubmission
from mmpolar.evaluation.submissions.vot_submission import VOTSubmission
from mmpolar.registry import DATASETS
from mmpolar.utils.abridged import abridged
from mmpolar.utils.issues import ERROR, Issue
from mmpolar.utils.progress import progress_bar

#: Benchmarks whose submissions are made from the results of one-pass runs.
TRACK_BENCHMARKS: dict[str, type[TrackSubmission]] = dict(
    got10k=GOT10kSubmission,
    trackingnet=TrackingNetSubmission,
    lasot=LaSOTSubmission,
    davis2016=Davis2016Submission,
    davis2017=Davis2017Submission,
    youtube_vos=YouTubeVOSSubmission,
)
#: All benchmarks whose submissions can be checked.
BENCHMARKS: dict[str, Callable[..., Submission]] = TRACK_BENCHMARKS | dict(
    vot_reset=lambda **options: VOTSubmission(anchored=False, **options),
    vot_anchor=lambda **options: VOTSubmission(anchored=True, **options),
)


def make_submission(
    submission: TrackSubmission,
    sequences: Sequence[ExpectedSequence],
    results: ResultFolder,
    out: str | os.PathLike,
    progress: bool = False,
) -> None:
    """Make a submission from the results of a tracker.

    Args:
        submission: How the benchmark wants it.
        sequences: What was tested, of :func:`expected_sequences`.
        results: What was found in them.
        out: Where to write: a zip archive if it ends in ``.zip``, else a folder. It appears once it
            is complete.
        progress: Whether to show a progress bar.

    Raises:
        FileExistsError: If the folder holds something.
        FileNotFoundError: If the results lack a video.
        ValueError: If the results lack something that the benchmark wants, or belong to another
            dataset.
    """
    names = [target.video_name for sequence in sequences for target in sequence.objects]
    missing = [name for name in names if not results.has(name)]
    if missing:
        raise FileNotFoundError(
            f'results {results.path} lack {len(missing)} of {len(names)} videos: '
            f'{abridged(missing)}; test the whole dataset, all processes writing to one disk'
        )
    with create_submission(out) as writer:
        for sequence in progress_bar(sequences, desc='writing', unit='video', shown=progress):
            tracks = [
                results.read(target.video_name, sequence.frames[target.start :])
                for target in sequence.objects
            ]
            submission.write_sequence(sequence, tracks, writer)


def check_submission(
    submission: Submission,
    sequences: Sequence[ExpectedSequence],
    path: str | os.PathLike,
    progress: bool = False,
) -> Iterator[Issue]:
    """Look for everything that is wrong in a submission, without stopping at the first mistake.

    Args:
        submission: How the benchmark wants it.
        sequences: What the benchmark expects, of :func:`expected_sequences`.
        path: Folder or zip archive of the submission.
        progress: Whether to show a progress bar.

    Yields:
        What is wrong.

    Raises:
        FileNotFoundError: If there is no submission.
        ValueError: If the dataset lacks what the benchmark's protocol needs.
    """
    with ExitStack() as stack:
        try:
            files = stack.enter_context(open_submission(path))
        except ValueError as error:
            yield Issue(ERROR, 'no archive', str(path), str(error))
            return
        yield from submission.check(files, sequences, progress)


def build_expected_dataset(
    submission: Submission, data_root: str, options: Mapping[str, Any] | None = None
) -> BaseTrackDataset:
    """The dataset of which a benchmark expects results.

    Args:
        submission: How the benchmark wants its submissions; it knows the dataset.
        data_root: Folder of the dataset.
        options: Further options of the dataset, and other values for those that are known.

    Raises:
        FileNotFoundError: If a file or folder of the dataset does not exist.
        ValueError: If the dataset is not what it should be.
    """
    config = dict(submission.dataset) | dict(options or {}) | dict(data_root=data_root)
    return DATASETS.build(config)
