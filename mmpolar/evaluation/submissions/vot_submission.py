"""VOT: result files as the toolkit keeps them in a workspace, of runs in either protocol."""

from collections.abc import Iterator, Sequence

import numpy as np

from mmpolar.evaluation.functional import FrameState
from mmpolar.evaluation.submissions.expected import ExpectedSequence
from mmpolar.evaluation.submissions.submission import Contents, Submission
from mmpolar.evaluation.vot_runs import (
    SKIPPED_AFTER_FAILURE,
    Overlap,
    VOTRun,
    anchor_frames,
    is_empty,
)
from mmpolar.structures.vot_region import MaskRegion, Region, Special, format_region, parse_region
from mmpolar.structures.vot_region import Polygon as PolygonRegion
from mmpolar.utils.abridged import abridged
from mmpolar.utils.deprecation import renamed_keywords
from mmpolar.utils.issues import ERROR, Issue

#: The toolkit's stacks of 2015 to 2019 repeat a run so often, or stop after three that are equal.
MAX_REPETITIONS, ENOUGH_EQUAL_RUNS = 15, 3


def trajectory_lines(run: VOTRun) -> str:
    """What a tracker did in each frame of a run, as the toolkit's trajectory files say it.

    Args:
        run: The run.

    Returns:
        A line a frame: the region, or 1 where the tracker was started, 2 where it failed, 0 where
        it did not run.
    """
    lines = []
    for state, region in zip(run.states.tolist(), run.regions, strict=True):
        tracked = state == FrameState.TRACKED
        lines.append(format_region(region if tracked else Special(int(state))))
    return ''.join(f'{line}\n' for line in lines)


def time_lines(run: VOTRun) -> str:
    """The seconds that each frame of a run took; an empty line where the tracker did not run."""
    lines = ['' if np.isnan(seconds) else f'{seconds:.9f}' for seconds in run.seconds]
    return ''.join(f'{line}\n' for line in lines)


@renamed_keywords(truth='gt_regions')
def read_run(
    trajectory: str,
    times: str,
    gt_regions: Sequence[Region],
    overlap: Overlap,
    frames: Sequence[int] | np.ndarray | None = None,
) -> VOTRun:
    """Read the files of a run back.

    Args:
        trajectory: What :func:`trajectory_lines` or the toolkit wrote.
        times: What :func:`time_lines` or the toolkit wrote.
        gt_regions: True region of each frame of the sequence.
        overlap: Overlap of an answer with the ground truth, see ``run_with_resets``.
        frames: The frames of the run in their order; all frames of the sequence by default.

    Returns:
        The run. The regions of frames in which the tracker failed are not in the files, hence None.

    Raises:
        ValueError: If a line cannot be read, or a file has another number of lines.
    """
    run = VOTRun(np.arange(len(gt_regions)) if frames is None else np.asarray(frames))
    lines, seconds = trajectory.splitlines(), times.splitlines()
    if not len(lines) == len(seconds) == len(run.frames):
        raise ValueError(
            f'{len(lines)} lines of regions and {len(seconds)} of times for a run of '
            f'{len(run.frames)} frames'
        )
    run.seconds[:] = [float(line) if line else np.nan for line in seconds]
    for index, (frame, line) in enumerate(zip(run.frames.tolist(), lines, strict=True)):
        run.present[index] = not is_empty(gt_regions[frame])
        region = parse_region(line)
        if isinstance(region, Special):
            if region.code not in (FrameState.SKIPPED, FrameState.START, FrameState.FAILURE):
                raise ValueError(f'line {index + 1}: there is no code {region.code}')
            run.states[index] = region.code
            continue
        run.states[index] = FrameState.TRACKED
        run.regions[index] = region
        run.overlaps[index] = overlap(region, gt_regions[frame])
    return run


class VOTSubmission(Submission):
    """The files of one experiment below ``results/<tracker>/<experiment>/`` of a workspace.

    ``<sequence>/<sequence>_<run>.txt`` has a line a frame, and ``..._<run>_time.value`` the seconds
    that it took. In the reset-based protocol (VOT2013 to VOT2019) ``<run>`` counts the repetitions
    with three digits: three if they are equal, else fifteen. In the anchor-based one (VOT2020 to
    VOT2022) it is the anchor's frame, from 0, with eight, and a file has the frames in the order in
    which the tracker saw them.

    Args:
        anchored: Whether the protocol is the anchor-based one.
        skip: From a failure to the next start, in frames.
    """

    dataset = dict(type='VOTDataset')

    def __init__(self, anchored: bool, skip: int = SKIPPED_AFTER_FAILURE) -> None:
        self.anchored = anchored
        self.skip = skip

    def runs(self, sequence: ExpectedSequence) -> dict[str, np.ndarray]:
        """Frames of each run that a sequence must have, by the name of its files without ending.

        Raises:
            ValueError: If the protocol wants anchors and the sequence has none.
        """
        name = f'{sequence.name}/{sequence.name}'
        if not self.anchored:
            frames = np.arange(len(sequence.frames))
            return {f'{name}_{run:03d}': frames for run in range(1, ENOUGH_EQUAL_RUNS + 1)}
        anchors = sequence.flags.get('anchor', np.zeros(len(sequence.frames)))
        return {f'{name}_{frames[0]:08d}': frames for frames in anchor_frames(anchors)}

    def file_names(self, sequence: ExpectedSequence) -> list[str]:
        """A file of regions and a file of times for each run."""
        return [name for stem in self.runs(sequence) for name in _files(stem)]

    def optional_names(self, sequence: ExpectedSequence) -> list[str]:
        """The files of further repetitions."""
        if self.anchored:
            return []
        stem = f'{sequence.name}/{sequence.name}'
        repetitions = range(ENOUGH_EQUAL_RUNS + 1, MAX_REPETITIONS + 1)
        return [name for run in repetitions for name in _files(f'{stem}_{run:03d}')]

    def check_sequence(self, sequence: ExpectedSequence, contents: Contents) -> Iterator[Issue]:
        """Check the lines of every run, and whether there are enough runs."""
        lengths = {stem: len(frames) for stem, frames in self.runs(sequence).items()}
        stems = [name.removesuffix('.txt') for name in contents if name.endswith('.txt')]
        for stem in stems:
            regions, times = _files(stem)
            length = lengths.get(stem, len(sequence.frames))
            yield from self._check_trajectory(contents[regions], regions, length)
            if times in contents:
                yield from _check_times(contents[regions], contents[times], times, length)
            elif stem not in lengths:
                yield Issue(ERROR, 'missing file', sequence.name, times)
        runs = {contents[f'{stem}.txt'] for stem in stems}
        if not self.anchored and len(runs) > 1 and len(stems) < MAX_REPETITIONS:
            message = f'{len(stems)} runs that differ; the toolkit wants {MAX_REPETITIONS} then'
            yield Issue(ERROR, 'number of runs', sequence.name, message)

    def _check_trajectory(self, content: bytes, where: str, length: int) -> Iterator[Issue]:
        lines = content.decode(errors='replace').splitlines()
        if len(lines) != length:
            message = f'{len(lines)} lines for {length} frames'
            yield Issue(ERROR, 'number of lines', where, message)
        regions = [_parse_or_none(line) for line in lines]
        malformed = [number for number, region in enumerate(regions, 1) if region is None]
        if malformed:
            yield Issue(ERROR, 'malformed line', where, f'lines {abridged(malformed)}')
        unknown = [number for number, region in enumerate(regions, 1) if not _is_finite(region)]
        if unknown:
            yield Issue(ERROR, 'not finite', where, f'lines {abridged(unknown)}')
        codes = [region.code if isinstance(region, Special) else None for region in regions]
        wrong = self._wrong_codes(codes)
        if wrong:
            message = f'lines {abridged(wrong)}: {self._explain_codes()}'
            yield Issue(ERROR, 'state', where, message)

    def _explain_codes(self) -> str:
        if self.anchored:
            return 'the first line is 1, the start, and every other one a region'
        return (
            f'1, the start, stands in the first line and {self.skip} lines after each 2, a failure; '
            '0 between them, and regions elsewhere'
        )

    def _wrong_codes(self, codes: Sequence[int | None]) -> list[int]:
        """Numbers of the lines whose code is not what the lines before it ask for."""
        wrong = []
        waiting = 1  # frames until the tracker is started; below 1 it runs
        for number, code in enumerate(codes, start=1):
            waiting -= 1
            if waiting >= 0:
                expected = (FrameState.START if waiting == 0 else FrameState.SKIPPED,)
            else:
                expected = (None,) if self.anchored else (None, FrameState.FAILURE)
            if code not in expected:
                wrong.append(number)
            elif code == FrameState.FAILURE and waiting < 0:
                waiting = self.skip
        return wrong


def _files(stem: str) -> tuple[str, str]:
    return f'{stem}.txt', f'{stem}_time.value'


def _parse_or_none(line: str) -> Region | None:
    try:
        return parse_region(line)
    except ValueError:
        return None


def _is_finite(region: Region | None) -> bool:
    if region is None or isinstance(region, Special | MaskRegion):
        return True
    if isinstance(region, PolygonRegion):
        return bool(np.isfinite(region.points).all())
    return bool(np.isfinite([region.x, region.y, region.width, region.height]).all())


def _check_times(regions: bytes, content: bytes, where: str, length: int) -> Iterator[Issue]:
    lines = content.decode(errors='replace').splitlines()
    if len(lines) != length:
        yield Issue(ERROR, 'number of lines', where, f'{len(lines)} lines for {length} frames')
    states = regions.decode(errors='replace').splitlines()
    skipped = str(int(FrameState.SKIPPED))
    wrong = [
        number
        for number, (line, state) in enumerate(zip(lines, states, strict=False), start=1)
        if not (_is_time(line) or (not line and state == skipped))
    ]
    if wrong:
        message = f'lines {abridged(wrong)} hold no time in seconds above 0'
        yield Issue(ERROR, 'impossible time', where, message)


def _is_time(line: str) -> bool:
    try:
        return 0 < float(line) < np.inf
    except ValueError:
        return False
