"""Files as the benchmarks want them: made from results, and checked against the rules."""

from mmpolar.evaluation.submissions.benchmarks import (
    BENCHMARKS,
    TRACK_BENCHMARKS,
    build_expected_dataset,
    check_submission,
    make_submission,
)
from mmpolar.evaluation.submissions.expected import (
    ExpectedObject,
    ExpectedSequence,
    expected_sequences,
    group_tracks,
)
from mmpolar.evaluation.submissions.submission import Submission, TrackSubmission
from mmpolar.evaluation.submissions.vot_submission import (
    VOTSubmission,
    read_run,
    time_lines,
    trajectory_lines,
)

__all__ = [
    'BENCHMARKS',
    'TRACK_BENCHMARKS',
    'ExpectedObject',
    'ExpectedSequence',
    'Submission',
    'TrackSubmission',
    'VOTSubmission',
    'build_expected_dataset',
    'check_submission',
    'expected_sequences',
    'group_tracks',
    'make_submission',
    'read_run',
    'time_lines',
    'trajectory_lines',
]
