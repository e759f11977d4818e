"""YouTube-VOS: a palette image for each frame that the benchmark names."""

import numpy as np

from mmpolar.evaluation.submissions.expected import ExpectedSequence
from mmpolar.evaluation.submissions.mask_images import MaskImageSubmission


class YouTubeVOSSubmission(MaskImageSubmission):
    """``Annotations/<video>/<frame>.png`` for the frames that ``meta.json`` names.

    An object has the value that ``meta.json`` gives it and appears in the first frame that is named
    for it, which may be late in the video.
    """

    dataset = dict(type='YouTubeVOSDataset', split='valid')
    withholds_ground_truth = True
    #: The server reads values; the dataset's own masks have other colours than DAVIS's.
    has_fixed_palette = False

    def __init__(self) -> None:
        super().__init__()

    def wanted_frames(self, sequence: ExpectedSequence) -> list[int]:
        """Those that are named for any object of the video.

        Raises:
            ValueError: If the dataset does not say which they are.
        """
        if 'evaluated' not in sequence.flags:
            raise ValueError(
                f'the dataset of {sequence.name} does not say which frames are sent in; use '
                'YouTubeVOSDataset'
            )
        return np.flatnonzero(sequence.flags['evaluated']).tolist()

    def file_name(self, sequence: ExpectedSequence, stem: str) -> str:
        """A file in the folder of the video below ``Annotations``."""
        return f'Annotations/{sequence.name}/{stem}.png'
