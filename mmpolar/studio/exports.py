"""Labels of a project as datasets: DAVIS's folders, COCO, YOLO-seg and MOTChallenge."""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mmpolar.datasets.converters.clip import Clip as AnnotatedClip
from mmpolar.datasets.converters.clip import ClipFrame, write_clips
from mmpolar.structures.boxes import to_corner_xywh
from mmpolar.structures.coco_file import CocoFile
from mmpolar.structures.grid import HALF_PIXEL
from mmpolar.structures.polar import mask_to_box
from mmpolar.structures.track_result import TrackResult
from mmpolar.studio.jobs import JobState
from mmpolar.studio.project import Project
from mmpolar.studio.store import ABSENT, MASK, Clip
from mmpolar.utils.atomic_write import atomic_path, atomic_write, scratch_folder
from mmpolar.utils.image import write_image
from mmpolar.utils.outputs import check_outputs

#: Quality of the images that frames of videos become.
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 95)
#: Parts of a mask below this share of it are left out of YOLO's polygons.
_SMALLEST_PART = 0.01
#: Frames per second that a folder of images is said to have.
_USUAL_RATE = 25


@dataclass
class ExportSummary:
    """What was written.

    Attributes:
        out: The folder.
        clips: Names of the clips, as they are called there.
        frames: Frames that were written.
        left_out: Frames with some labels that were left out, as not every target of theirs is known.
    """

    out: str
    clips: list[str] = field(default_factory=list)
    frames: int = 0
    left_out: int = 0


@dataclass(frozen=True)
class ExportedClip(AnnotatedClip):
    """A clip whose objects are targets of the project; an image of a video is there until the next frame.

    Attributes:
        size: Height and width of the frames in pixels.
        rate: Frames per second of the video; None for a folder of images.
    """

    size: tuple[int, int]
    rate: float | None


Clips = Iterator[ExportedClip]


def export(
    project: Project,
    kind: str,
    out: Path,
    clips: Sequence[str] = (),
    state: JobState | None = None,
) -> ExportSummary:
    """Write the labelled frames of a project.

    A frame is written if each target of its clip is labelled in it: with a mask, or as absent. Where
    targets overlap, the one that was added last is seen in DAVIS's masks.

    Args:
        project: The project.
        kind: A key of :data:`WRITERS`.
        out: Folder to write to. DAVIS's is added to, unless it lies in the project's own folder; any other
            must be new, empty or of an earlier export, which is replaced.
        clips: Names of the clips; by default all with labels.
        state: Takes the progress.

    Returns:
        What was written.

    Raises:
        FileExistsError: If the folder holds something else.
        ValueError: If nothing is labelled, or the kind is unknown.
    """
    if kind not in WRITERS:
        raise ValueError(f'there is no export {kind}; there are {", ".join(WRITERS)}')
    known = {clip.name: clip for clip in project.store.clips()}
    unknown = [name for name in clips if name not in known]
    if unknown:
        raise ValueError(f'clip {unknown[0]} has no labels; those with are {", ".join(known)}')
    chosen = [clip for name, clip in known.items() if not clips or name in clips]
    labelled = {clip: labelled_frames(project, clip) for clip in chosen}
    numbers = {clip: complete for clip, (complete, _) in labelled.items() if complete}
    names = _export_names([clip.name for clip in numbers])
    summary = ExportSummary(str(out), list(names.values()))
    summary.frames = sum(map(len, numbers.values()))
    summary.left_out = sum(incomplete for _, incomplete in labelled.values())
    if not summary.frames:
        raise ValueError('no frame is labelled completely yet: mark a target, and track it')
    state = state or JobState('export')
    state.total = summary.frames
    _check_out(project, kind, out)
    with scratch_folder(project.own / 'exports') as scratch:
        exported = (
            _read_clip(project, clip, names[clip.name], found, scratch, state)
            for clip, found in numbers.items()
        )
        if kind == 'davis' and project.own not in out.parents:
            write_clips(exported, out)
        else:
            with atomic_path(out, flush=False) as unfinished:
                WRITERS[kind](exported, unfinished)
                (unfinished / _MARK).touch()
    return summary


def labelled_frames(project: Project, clip: Clip) -> tuple[list[int], int]:
    """Frames of a clip in which every target is labelled, ascending, and the number of those with some."""
    targets = {target.id for target in project.store.targets(clip.id)}
    counts = Counter(
        label.frame
        for label in project.store.labels(clip.id)
        if label.kind in (MASK, ABSENT) and label.target in targets
    )
    complete = sorted(frame for frame, count in counts.items() if count == len(targets))
    return complete, len(counts) - len(complete)


def _read_clip(
    project: Project, clip: Clip, name: str, numbers: Sequence[int], scratch: Path, state: JobState
) -> ExportedClip:
    frames = _read_frames(project, clip, numbers, scratch, state)
    return ExportedClip(name, frames, (clip.height, clip.width), project.frames(clip.id).rate)


def _read_frames(
    project: Project, clip: Clip, numbers: Sequence[int], scratch: Path, state: JobState
) -> Iterator[ClipFrame]:
    source, targets = project.frames(clip.id), project.store.targets(clip.id)
    labels = {(label.target, label.frame): label for label in project.store.labels(clip.id)}
    for number in numbers:
        image = source.image_path(number)
        is_video = image is None
        if is_video:
            image = scratch / f'{number:05d}.jpg'
            write_image(image, source.read(number), _JPEG)
        masks = [(one, project.mask(clip, labels.get((one.id, number)))) for one in targets]
        yield ClipFrame(image, [(target, mask) for target, mask in masks if mask.any()])
        if is_video:
            image.unlink()
        state.step(number)


def _export_names(names: Sequence[str]) -> dict[str, str]:
    """Names of clips without their endings, unless two would be one."""
    stems = [Path(name).stem for name in names]
    return {
        name: name if stems.count(stem) > 1 else stem
        for name, stem in zip(names, stems, strict=True)
    }


def _check_out(project: Project, kind: str, out: Path) -> None:
    """Refuse a folder in which something else would be lost."""
    check_outputs({'--out': out}, {'the project': project.folder} | {
        f'the clip {name}': project.folder / name for name in project.clip_names()
    })  # fmt: skip
    if out.exists() and not out.is_dir():
        raise FileExistsError(f'{out} is a file, and an export is a folder')
    is_ours = kind == 'davis' or (out / _MARK).exists()
    if out.exists() and any(out.iterdir()) and not is_ours:
        raise FileExistsError(f'{out} holds other files, which would be lost: give a new folder')


def _write_coco(clips: Clips, out: Path) -> None:
    """``images/<clip>/*`` and ``annotations.json``; a category for each name of targets."""
    file, categories = CocoFile(), {}
    for clip in clips:
        for frame in clip.frames:
            path = f'{clip.name}/{frame.image.name}'
            _copy(frame.image, out / 'images' / path)
            image_id = file.add_image(path, clip.size)
            for target, mask in frame.objects:
                result = TrackResult(mask_to_box(mask), 1.0, mask=mask)
                category = categories.setdefault(target.name, len(categories) + 1)
                file.add_results([result], image_id, [target.id], category)
    content = file.content({number: name for name, number in categories.items()})
    for entry in content['annotations']:
        del entry['score']  # of detections
    atomic_write(out / 'annotations.json', json.dumps(content), flush=False)


def _write_yolo(clips: Clips, out: Path) -> None:
    """``images/train``, ``labels/train`` with a polygon a line, and ``data.yaml``."""
    classes = {}
    for clip in clips:
        for frame in clip.frames:
            stem = f'{clip.name}_{frame.image.stem}'
            _copy(frame.image, out / 'images' / 'train' / f'{stem}{frame.image.suffix}')
            lines = []
            for target, mask in frame.objects:
                points = (mask_to_polygon(mask) + HALF_PIXEL) / mask.shape[::-1]
                numbers = ' '.join(f'{value:.6f}' for value in points.ravel())
                lines.append(f'{classes.setdefault(target.name, len(classes))} {numbers}\n')
            atomic_write(out / 'labels' / 'train' / f'{stem}.txt', ''.join(lines), flush=False)
    names = ''.join(f'  {number}: {json.dumps(name)}\n' for name, number in classes.items())
    text = f'path: .\ntrain: images/train\nval: images/train\nnames:\n{names}'
    atomic_write(out / 'data.yaml', text, flush=False)


def _write_mot(clips: Clips, out: Path) -> None:
    """``<clip>/img1``, ``gt/gt.txt`` and ``seqinfo.ini``; the frames are counted anew from 1."""
    for clip in clips:
        lines, (height, width) = [], clip.size
        for count, frame in enumerate(clip.frames, 1):
            suffix = frame.image.suffix
            _copy(frame.image, out / clip.name / 'img1' / f'{count:06d}{suffix}')
            for target, mask in frame.objects:
                box = ','.join(f'{side:.2f}' for side in to_corner_xywh(mask_to_box(mask)))
                lines.append(f'{count},{target.id},{box},1,1,1\n')
        rate = max(1, round(clip.rate or _USUAL_RATE))  # a whole number in MOTChallenge's files
        info = dict(name=clip.name, imDir='img1', frameRate=rate, seqLength=count, imWidth=width,
                    imHeight=height, imExt=suffix)  # fmt: skip
        atomic_write(out / clip.name / 'gt' / 'gt.txt', ''.join(lines), flush=False)
        text = '[Sequence]\n' + ''.join(f'{key}={value}\n' for key, value in info.items())
        atomic_write(out / clip.name / 'seqinfo.ini', text, flush=False)


#: Kinds of datasets, and what writes them.
WRITERS: dict[str, Callable[[Clips, Path], object]] = {
    'davis': write_clips,
    'coco': _write_coco,
    'yolo': _write_yolo,
    'mot': _write_mot,
}
#: File that says that a folder was written by an export, which may write it anew.
_MARK = '.mmpolar-export'


def mask_to_polygon(mask: NDArray[np.uint8]) -> NDArray[np.float64]:
    """One closed polygon around all larger parts of a mask, which thin bridges join; holes are filled.

    Args:
        mask: (H, W), not empty.

    Returns:
        (V, 2) x, y in pixels, centres of pixels at integers.
    """
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    parts = sorted((part[:, 0].astype(np.float64) for part in found), key=_area, reverse=True)
    large = [part for part in parts[1:] if _area(part) >= _SMALLEST_PART * mask.sum()]
    polygon = parts[0]
    for part in large:
        distances = np.linalg.norm(polygon[:, None] - part[None], axis=-1)
        here, there = np.unravel_index(distances.argmin(), distances.shape)
        bridge = np.concatenate([part[there:], part[: there + 1]])
        polygon = np.concatenate([polygon[: here + 1], bridge, polygon[here:]])
    # A polygon has three points.
    return polygon if len(polygon) > 2 else np.resize(polygon, (3, 2))


def _area(part: NDArray) -> float:
    return cv2.contourArea(part.astype(np.float32))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
