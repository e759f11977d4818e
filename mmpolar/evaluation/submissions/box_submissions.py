"""Files of boxes: GOT-10k, with measured times, TrackingNet and LaSOT."""

from collections.abc import Iterator, Sequence

import numpy as np

from mmpolar.evaluation.result_folder import StoredTrack
from mmpolar.evaluation.submissions.box_lines import (
    box_lines,
    check_box_lines,
    check_time_lines,
    number_lines,
)
from mmpolar.evaluation.submissions.expected import ExpectedSequence
from mmpolar.evaluation.submissions.files import SubmissionWriter
from mmpolar.evaluation.submissions.submission import Contents, TrackSubmission
from mmpolar.utils.issues import ERROR, Issue

#: Trackers that are not deterministic run so often.
_MAX_RUNS = 3


class GOT10kSubmission(TrackSubmission):
    """Results for GOT-10k's server, in the files of its package ``got10k``.

    For each sequence ``<name>/<name>_001.txt``, boxes ``x,y,width,height`` a line, and
    ``<name>/<name>_time.txt``, the seconds that each frame took. A tracker that is not
    deterministic has ``_002`` and ``_003`` besides, and a column a run in the file of times; one
    run is written.
    """

    dataset = dict(type='GOT10kDataset', split='test')
    withholds_ground_truth = True

    def file_names(self, sequence: ExpectedSequence) -> list[str]:
        """The boxes of one run, and the times."""
        return [_run_file(sequence.name, 1), _time_file(sequence.name)]

    def optional_names(self, sequence: ExpectedSequence) -> list[str]:
        """The boxes of further runs."""
        return [_run_file(sequence.name, run) for run in range(2, _MAX_RUNS + 1)]

    def check_sequence(self, sequence: ExpectedSequence, contents: Contents) -> Iterator[Issue]:
        """Check the boxes of all runs, and the times."""
        length, time_file = len(sequence.frames), _time_file(sequence.name)
        runs = [name for name in contents if name != time_file]
        for name in runs:
            yield from check_box_lines(contents[name], name, length, sequence.objects[0].first_box)
        if time_file in contents:
            content = contents[time_file]
            yield from check_time_lines(content, time_file, length, max(len(runs), 1))
        if _run_file(sequence.name, 3) in contents and _run_file(sequence.name, 2) not in contents:
            yield Issue(ERROR, 'missing file', sequence.name, _run_file(sequence.name, 2))

    def write_sequence(
        self, sequence: ExpectedSequence, tracks: Sequence[StoredTrack], writer: SubmissionWriter
    ) -> None:
        """Write the boxes and the times.

        Raises:
            ValueError: If a frame has no measured time.
        """
        (track,) = tracks
        untimed = int(np.isnan(track.seconds).sum())
        if untimed:
            raise ValueError(
                f'results of {sequence.name} have no measured time in {untimed} of '
                f'{len(track.seconds)} frames, which GOT-10k wants; test again: the tracker must '
                'set track_seconds, and older results have no times'
            )
        writer.put(_run_file(sequence.name, 1), box_lines(track.boxes))
        writer.put(_time_file(sequence.name), number_lines(track.seconds[:, None], '%.8f'))


class OneBoxFileSubmission(TrackSubmission):
    """A file ``<name>.txt`` for each sequence, not in a folder: ``x,y,width,height`` a line."""

    def file_names(self, sequence: ExpectedSequence) -> list[str]:
        """The one file."""
        return [f'{sequence.name}.txt']

    def check_sequence(self, sequence: ExpectedSequence, contents: Contents) -> Iterator[Issue]:
        """Check the boxes."""
        for name, content in contents.items():
            yield from check_box_lines(
                content, name, len(sequence.frames), sequence.objects[0].first_box
            )

    def write_sequence(
        self, sequence: ExpectedSequence, tracks: Sequence[StoredTrack], writer: SubmissionWriter
    ) -> None:
        """Write the boxes."""
        (track,) = tracks
        writer.put(f'{sequence.name}.txt', box_lines(track.boxes))


class TrackingNetSubmission(OneBoxFileSubmission):
    """Results for TrackingNet's server."""

    dataset = dict(type='TrackingNetDataset', split='test')
    withholds_ground_truth = True


class LaSOTSubmission(OneBoxFileSubmission):
    """Results as LaSOT's toolkit reads them; there is no server."""

    dataset = dict(type='LaSOTDataset', split='test')


def _run_file(name: str, run: int) -> str:
    return f'{name}/{name}_{run:03d}.txt'


def _time_file(name: str) -> str:
    return f'{name}/{name}_time.txt'
