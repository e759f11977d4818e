"""Benchmarks that want one file of boxes a sequence: TrackingNet and LaSOT."""

from collections.abc import Iterator, Sequence

from mmpolar.evaluation.result_folder import StoredTrack
from mmpolar.evaluation.submissions.box_lines import box_lines, check_box_lines
from mmpolar.evaluation.submissions.expected import ExpectedSequence
from mmpolar.evaluation.submissions.files import SubmissionWriter
from mmpolar.evaluation.submissions.submission import Contents, TrackSubmission
from mmpolar.utils.issues import Issue


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
