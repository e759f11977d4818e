"""What the submissions of all benchmarks share: making one from results, and checking one."""

from abc import ABCMeta, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from mmpolar.evaluation.result_folder import StoredTrack
from mmpolar.evaluation.submissions.expected import ExpectedSequence
from mmpolar.evaluation.submissions.files import SubmissionFiles, SubmissionWriter
from mmpolar.utils.abridged import abridged
from mmpolar.utils.issues import ERROR, Issue
from mmpolar.utils.progress import progress_bar

#: Content of the files of one sequence by name; those that are missing or unreadable are left out.
Contents = Mapping[str, bytes]


class Submission(metaclass=ABCMeta):
    """How a benchmark wants its results.

    A subclass names the files of a sequence and checks their content; what holds for all
    benchmarks, that nothing is missing and nothing is in the way, is checked here.
    """

    #: Config of the benchmark's own dataset, without ``data_root``.
    dataset: ClassVar[Mapping[str, Any]]
    #: Whether only the benchmark's server knows where the targets are.
    withholds_ground_truth: ClassVar[bool] = False

    @abstractmethod
    def file_names(self, sequence: ExpectedSequence) -> list[str]:
        """Names of the files that a sequence must have, with ``/``."""

    def optional_names(self, sequence: ExpectedSequence) -> list[str]:
        """Names of the files that a sequence may have besides; none by default."""
        return []

    @abstractmethod
    def check_sequence(self, sequence: ExpectedSequence, contents: Contents) -> Iterator[Issue]:
        """Look for everything that is wrong in the files of one sequence.

        Args:
            sequence: What is expected.
            contents: Those of its files that exist.

        Yields:
            What is wrong.
        """

    def check(
        self,
        files: SubmissionFiles,
        sequences: Sequence[ExpectedSequence],
        progress: bool = False,
    ) -> Iterator[Issue]:
        """Look for everything that is wrong, without stopping at the first mistake.

        Args:
            files: The submission.
            sequences: What the benchmark expects.
            progress: Whether to show a progress bar.

        Yields:
            What is wrong.
        """
        wanted = {name for sequence in sequences for name in self.file_names(sequence)}
        shift = _find_shift(files.names, wanted)
        yield from shift.issues()
        actual = {shift.apply(name): name for name in files.names}
        for name in files.repeated:
            yield Issue(ERROR, 'repeated file', name, 'is in the archive more than once')
        unknown = set(actual) - wanted
        for sequence in progress_bar(sequences, desc='checking', unit='video', shown=progress):
            unknown -= set(self.optional_names(sequence))
            yield from self._check_files(sequence, files, actual)
        for name in sorted(unknown):
            yield Issue(ERROR, 'extra file', actual[name], 'does not belong here; take it out')

    def _check_files(
        self, sequence: ExpectedSequence, files: SubmissionFiles, actual: Mapping[str, str]
    ) -> Iterator[Issue]:
        names = self.file_names(sequence)
        missing = [name for name in names if name not in actual]
        if len(missing) == len(names):
            message = f'no result: {abridged(missing)}'
            yield Issue(ERROR, 'missing sequence', sequence.name, message)
            return
        if missing:
            yield Issue(ERROR, 'missing file', sequence.name, abridged(missing))
        contents: dict[str, bytes] = {}
        for name in [*names, *self.optional_names(sequence)]:
            if name not in actual:
                continue
            try:
                contents[name] = files.read(actual[name])
            except OSError as error:
                yield Issue(ERROR, 'unreadable file', actual[name], str(error))
        yield from self.check_sequence(sequence, contents)


class TrackSubmission(Submission):
    """A submission that is made from the results of one-pass runs, as ``DumpTrackResults`` writes."""

    @abstractmethod
    def write_sequence(
        self, sequence: ExpectedSequence, tracks: Sequence[StoredTrack], writer: SubmissionWriter
    ) -> None:
        """Write the files of one sequence.

        Args:
            sequence: The sequence.
            tracks: The tracker's answer for each of its objects.
            writer: Takes the files.

        Raises:
            ValueError: If the results lack what the benchmark wants.
        """


@dataclass(frozen=True)
class _Shift:
    """Files that all lie below a folder too much, or outside of one that they should lie in."""

    removed: str = ''
    added: str = ''

    def apply(self, name: str) -> str:
        """A file's name as if it lay where it should."""
        return self.added + name.removeprefix(self.removed)

    def issues(self) -> Iterator[Issue]:
        if self.removed:
            message = 'the files must lie outside of this folder: pack what is in it'
            yield Issue(ERROR, 'wrong folder', self.removed, message)
        if self.added:
            message = 'the files must lie in a folder of this name: pack it with them'
            yield Issue(ERROR, 'wrong folder', self.added, message)


def _find_shift(names: Sequence[str], wanted: Collection[str]) -> _Shift:
    """Where the files lie, if not a single one is where it should be."""
    if not wanted or any(name in wanted for name in names):
        return _Shift()
    for name in names:
        parts = name.split('/')
        for depth in range(1, len(parts)):
            if '/'.join(parts[depth:]) in wanted:
                return _Shift(removed='/'.join(parts[:depth]) + '/')
    top, *others = {name.partition('/')[0] for name in wanted}
    if not others and any(f'{top}/{name}' in wanted for name in names):
        return _Shift(added=f'{top}/')
    return _Shift()
