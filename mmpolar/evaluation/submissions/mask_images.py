"""One palette image a frame with the masks of all objects: DAVIS 2016 and 2017, YouTube-VOS."""

import io
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from PIL import Image

from mmpolar.evaluation.result_folder import StoredTrack
from mmpolar.evaluation.submissions.expected import ExpectedObject, ExpectedSequence
from mmpolar.evaluation.submissions.files import SubmissionWriter
from mmpolar.evaluation.submissions.submission import Contents, TrackSubmission
from mmpolar.structures.combine_objects import combine_objects
from mmpolar.utils.abridged import abridged
from mmpolar.utils.image import pillow_errors, read_image_size, read_mask
from mmpolar.utils.issues import ERROR, NOTE, Issue
from mmpolar.utils.mask_file import davis_palette, encode_mask

#: What an issue of an image means, by its kind.
_MEANINGS = {
    'undecodable file': 'not a PNG file that can be decoded',
    'not indexed': 'not images of one 8-bit channel with a palette (mode P)',
    'palette': 'other colours than those of the benchmark',
    'size': 'not of the size of their images',
    'unknown object': 'values that no object of the video has',
    'early object': 'objects before the frame in which they are given',
}


class MaskImageSubmission(TrackSubmission):
    """A PNG file for each frame that counts: a value is an object, 0 the background.

    Where objects overlap, the one with the highest score in the frame is seen.

    Args:
        foreground: Value of the target where a video has only one, without an id of its own.
    """

    #: Whether the colours must be those of DAVIS.
    has_fixed_palette = True

    def __init__(self, foreground: int = 1) -> None:
        if not 1 <= foreground <= 255:
            raise ValueError(f'foreground must be in 1..255, got {foreground}')
        self.foreground = foreground

    @abstractmethod
    def wanted_frames(self, sequence: ExpectedSequence) -> list[int]:
        """Numbers of the frames to be sent in."""

    @abstractmethod
    def file_name(self, sequence: ExpectedSequence, stem: str) -> str:
        """Name of the file of one frame, whose image is called ``stem``."""

    def file_names(self, sequence: ExpectedSequence) -> list[str]:
        """The files of all wanted frames."""
        return list(self._files(sequence))

    def check_sequence(self, sequence: ExpectedSequence, contents: Contents) -> Iterator[Issue]:
        """Check the images; what several of them have in common is one issue."""
        faults: dict[str, list[str]] = defaultdict(list)
        starts = {self._value(target): target.start for target in sequence.objects}
        seen: set[int] = set()
        for name, frame in self._files(sequence).items():
            if name not in contents:
                continue
            decoded = _DecodedImage.decode(contents[name])
            stem = sequence.stems[frame]
            if decoded is None:
                faults['undecodable file'].append(stem)
                continue
            for kind, detail in self._faults(decoded, sequence.frames[frame], frame, starts):
                faults[kind].append(f'{stem} ({detail})')
            seen.update(decoded.values)
        for kind, frames in faults.items():
            message = f'{_MEANINGS[kind]}: {abridged(frames)}'
            yield Issue(ERROR, kind, sequence.name, message)
        lost = sorted(set(starts) - seen)
        if lost and not faults:
            message = f'objects {abridged(lost)} are in no frame'
            yield Issue(NOTE, 'object never seen', sequence.name, message)

    def write_sequence(
        self, sequence: ExpectedSequence, tracks: Sequence[StoredTrack], writer: SubmissionWriter
    ) -> None:
        """Combine the masks of the objects and write the images.

        Raises:
            ValueError: If a track has no mask in a frame, or masks of one frame differ in size.
        """
        for name, frame in self._files(sequence).items():
            present = [
                (target, track, frame - target.start)
                for target, track in zip(sequence.objects, tracks, strict=True)
                if frame >= target.start
            ]
            masks = [_read_track_mask(target, track, at) for target, track, at in present]
            if len({mask.shape for mask in masks}) > 1:
                raise ValueError(
                    f'frame {sequence.stems[frame]} of {sequence.name}: the masks of its objects '
                    f'have the sizes {", ".join(str(mask.shape) for mask in masks)}; test again'
                )
            scores = [track.scores[at] for _, track, at in present]
            ids = [self._value(target) for target, _, _ in present]
            writer.put(name, encode_mask(self._combine(masks, scores, ids)))

    def _combine(self, masks: list[np.ndarray], scores: list[float], ids: list[int]) -> np.ndarray:
        # A single target may have the value 255, which is no object id.
        if len(masks) == 1:
            return masks[0] * np.uint8(ids[0])
        return combine_objects(masks, scores, ids)

    def _files(self, sequence: ExpectedSequence) -> dict[str, int]:
        """Number of the frame of each file."""
        stems = sequence.stems
        return {
            self.file_name(sequence, stems[frame]): frame for frame in self.wanted_frames(sequence)
        }

    def _value(self, target: ExpectedObject) -> int:
        return self.foreground if target.object_id is None else target.object_id

    def _faults(
        self, decoded: '_DecodedImage', image: str, frame: int, starts: Mapping[int, int]
    ) -> Iterator[tuple[str, str]]:
        """Kind and details of what is wrong with an image."""
        size = read_image_size(image)
        if decoded.size != size:
            yield 'size', f'{_size(decoded.size)} instead of {_size(size)}'
        if decoded.palette is None:
            yield 'not indexed', f'mode {decoded.mode}'
            return
        shown = [*starts, 0]
        if self.has_fixed_palette and not np.array_equal(
            decoded.palette[shown], davis_palette()[shown]
        ):
            yield 'palette', f'value {max(shown)} is {decoded.palette[max(shown)].tolist()}'
        unknown = decoded.values - set(starts) - {0}
        if unknown:
            yield 'unknown object', abridged(sorted(unknown))
        early = [value for value in decoded.values if starts.get(value, 0) > frame]
        if early:
            yield 'early object', abridged(sorted(early))


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


class _DecodedImage:
    """A decoded image, and the values that it has if it has a palette."""

    def __init__(self, image: Image.Image) -> None:
        self.mode = image.mode
        self.size = (image.height, image.width)
        self.palette: np.ndarray | None = None
        self.values: set[int] = set()
        if image.mode == 'P':
            colours = np.array(image.getpalette('RGB'), dtype=np.uint8).reshape(-1, 3)
            self.palette = np.zeros((256, 3), dtype=np.uint8)
            self.palette[: len(colours)] = colours
            self.values = set(np.flatnonzero(image.histogram()).tolist())

    @classmethod
    def decode(cls, content: bytes) -> '_DecodedImage | None':
        """The image of a PNG file; None if it is none."""
        try:
            with Image.open(io.BytesIO(content), formats=['PNG']) as image:
                image.load()
                return cls(image)
        except pillow_errors():
            return None


def _read_track_mask(target: ExpectedObject, track: StoredTrack, frame: int) -> np.ndarray:
    path = track.mask_paths[frame] if track.mask_paths else None
    if path is None:
        raise ValueError(
            f'results of {target.video_name} have no mask in frame {frame}; this benchmark wants '
            'masks: test with a tracker that draws them'
        )
    return read_mask(path)


def _size(shape: tuple[int, int]) -> str:
    return f'{shape[1]}x{shape[0]}'
