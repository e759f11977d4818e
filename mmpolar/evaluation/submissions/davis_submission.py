"""DAVIS 2016 and 2017: a palette image for every frame, a folder a sequence."""

from mmpolar.evaluation.submissions.expected import ExpectedSequence
from mmpolar.evaluation.submissions.mask_images import MaskImageSubmission


class _DavisSubmission(MaskImageSubmission):
    """``<sequence>/<frame>.png`` for every frame, in the colours of DAVIS."""

    def wanted_frames(self, sequence: ExpectedSequence) -> list[int]:
        """All."""
        return list(range(len(sequence.frames)))

    def file_name(self, sequence: ExpectedSequence, stem: str) -> str:
        """A file in the folder of the sequence."""
        return f'{sequence.name}/{stem}.png'


class Davis2016Submission(_DavisSubmission):
    """Results as the toolkits of DAVIS 2016 read them: one target a sequence; there is no server.

    Args:
        foreground: Value of the target. Some programs take values above 128 only: 255 for them.
    """

    dataset = dict(type='DavisDataset', ann_file='ImageSets/2016/val.txt')


class Davis2017Submission(_DavisSubmission):
    """Results for the server and the toolkit of DAVIS 2017: the objects of the first mask."""

    dataset = dict(
        type='DavisDataset',
        ann_file='ImageSets/2017/val.txt',
        multi_object=True,
        late_objects=False,
        all_masks=False,
    )

    def __init__(self) -> None:
        super().__init__()
