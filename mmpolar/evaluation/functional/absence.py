"""Does a tracker know when its target is not there, and does it find it again?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmpolar.evaluation.functional.means import mean_of_known

#: Box overlap from which a target counts as found again.
FOUND_OVERLAP = 0.3
#: Frames within which it should be.
FOUND_WITHIN = 10


@dataclass(frozen=True)
class AbsenceScores:
    """How a tracker deals with absences of its target.

    Attributes:
        absent_flagged: Share of the frames without the target in which the tracker says that it is
            lost; NaN if there are none.
        present_flagged: Share of the frames with the target in which it says so wrongly; NaN if
            there are none.
        found_again: Share of the target's returns after which the tracker has it again within
            :data:`FOUND_WITHIN` frames; NaN if it never returns.
        recovery: Mean number of frames until then, over the returns after which it is found at all
            before it leaves again; 1 if it is found in the very frame of its return.
    """

    absent_flagged: float
    present_flagged: float
    found_again: float
    recovery: float


def absence_scores(present: NDArray, visible: NDArray, overlaps: NDArray) -> AbsenceScores:
    """Score the lost state of a tracker in one sequence.

    Args:
        present: (T,) bool, whether the target is in the frame.
        visible: (T,) bool, whether the tracker says that it sees it.
        overlaps: (T,) overlap of the tracker's box with the true one in [0, 1]; not used where the
            target is absent.

    Raises:
        ValueError: If the three differ in length.
    """
    present, visible = np.asarray(present, bool), np.asarray(visible, bool)
    overlaps = np.asarray(overlaps, np.float64)
    if not present.shape == visible.shape == overlaps.shape:
        raise ValueError(
            'present, visible and overlaps must have one value a frame; got '
            f'{present.shape}, {visible.shape} and {overlaps.shape}'
        )
    found = present & visible & (np.nan_to_num(overlaps) >= FOUND_OVERLAP)
    waits = []
    edges = np.flatnonzero(np.diff(np.concatenate([[True], present, [False]]).astype(int)))
    # Edges alternate: the target leaves, returns, leaves, ...; the last one is the end.
    for start, end in zip(edges[1::2], edges[2::2], strict=False):
        hits = np.flatnonzero(found[start:end])
        waits.append(hits[0] + 1 if len(hits) else np.inf)
    waits = np.array(waits, np.float64)
    known = waits[np.isfinite(waits)]
    return AbsenceScores(
        absent_flagged=mean_of_known(~visible[~present]),
        present_flagged=mean_of_known(~visible[present]),
        found_again=mean_of_known(waits <= FOUND_WITHIN),
        recovery=mean_of_known(known),
    )
