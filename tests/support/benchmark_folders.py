"""Writers of miniature benchmarks, in the folders and files of the real ones.

Every writer makes a folder below ``root`` and returns it. Boxes are given as the files have them.
"""

import json
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

HEIGHT, WIDTH = 32, 44


def write_image(path: Path, size: tuple[int, int] = (HEIGHT, WIDTH)) -> None:
    """A textured image that differs from name to name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([ord(c) for c in path.name + path.parent.name])
    assert cv2.imwrite(str(path), rng.integers(0, 255, (*size, 3), dtype=np.uint8))


def write_images(folder: Path, numbers: range, pattern: str) -> None:
    for number in numbers:
        write_image(folder / pattern.format(number))


def write_mask(path: Path, ids: np.ndarray) -> None:
    """A palette image of object ids."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = Image.fromarray(ids.astype(np.uint8), mode='P')
    shown.putpalette([(37 * i) % 256 for i in range(768)])
    shown.save(path)


def write_lines(path: Path, lines) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(f'{line}\n' for line in lines))


def filled(x1: int, y1: int, x2: int, y2: int, value: int = 1, base=None) -> np.ndarray:
    """Object ids with one rectangle: columns x1..x2 and rows y1..y2."""
    ids = np.zeros((HEIGHT, WIDTH), np.uint8) if base is None else base.copy()
    ids[y1 : y2 + 1, x1 : x2 + 1] = value
    return ids


def moving_boxes(length: int, x: float = 3, y: float = 4) -> list[tuple[float, ...]]:
    """Boxes ``x, y, width, height`` that move by a pixel a frame."""
    return [(x + i, y, 10, 8) for i in range(length)]


def as_rows(boxes, separator: str = ',') -> list[str]:
    return [separator.join(f'{value:g}' for value in box) for box in boxes]


def corners(box, one_based: bool = False) -> np.ndarray:
    """Box ``x, y, width, height`` of a file as mmpolar has it."""
    x, y, width, height = box
    shift = -1.5 if one_based else -0.5
    return np.float32([x + shift, y + shift, x + width + shift, y + height + shift])


def write_got10k(root: Path, lengths: dict[str, int], absence=(), cover=(), cut=()) -> Path:
    """Splits with two sequences each; in ``test`` only the first box is told."""
    data = root / 'got10k'
    for split, length in lengths.items():
        names = [f'GOT-10k_{split.capitalize()}_{number:06d}' for number in (1, 2)]
        write_lines(data / split / 'list.txt', names)
        for name in names:
            folder = data / split / name
            write_images(folder, range(1, length + 1), '{:08d}.jpg')
            rows = [','.join(f'{value:.4f}' for value in box) for box in moving_boxes(length)]
            write_lines(folder / 'groundtruth.txt', rows[:1] if split == 'test' else rows)
            meta = ['[METAINFO]', 'url: https://youtu.be/x', 'object_class: grey wolf']
            write_lines(folder / 'meta_info.ini', meta + ['resolution: (44, 32)'])
            if split != 'test':
                for flag, marked, plain in (
                    ('absence', dict.fromkeys(absence, 1), 0),
                    ('cover', dict(cover), 8),
                    ('cut_by_image', dict.fromkeys(cut, 1), 0),
                ):
                    values = [marked.get(i, plain) for i in range(length)]
                    write_lines(folder / f'{flag}.label', values)
    return data


def write_lasot(root: Path, names, length: int, occluded=(), out=(), lists=None) -> Path:
    data = root / 'lasot'
    for name in names:
        folder = data / name.rpartition('-')[0] / name
        write_images(folder / 'img', range(1, length + 1), '{:08d}.jpg')
        write_lines(folder / 'groundtruth.txt', as_rows(moving_boxes(length)))
        write_lines(folder / 'nlp.txt', ['white boat'])
        for flag, frames in (('full_occlusion', occluded), ('out_of_view', out)):
            write_lines(
                folder / f'{flag}.txt', [','.join(str(int(i in frames)) for i in range(length))]
            )
    for file, listed in (lists or {}).items():
        write_lines(data / file, listed)
    return data


def write_trackingnet(root: Path, chunks: dict[str, list[str]], length: int) -> Path:
    data = root / 'trackingnet'
    for chunk, videos in chunks.items():
        for video in videos:
            write_images(data / chunk / 'frames' / video, range(length), '{}.jpg')
            rows = [','.join(str(float(v)) for v in box) for box in moving_boxes(length)]
            rows = rows[:1] if chunk == 'TEST' else rows
            write_lines(data / chunk / 'anno' / f'{video}.txt', rows)
    return data


def write_otb(
    root: Path, name: str, images: range, targets: dict[str, list[str]], digits=4
) -> Path:
    """One folder; ``targets`` has the rows of each box file by its name."""
    data = root / 'otb'
    write_images(data / name / 'img', images, f'{{:0{digits}d}}.jpg')
    for file, rows in targets.items():
        write_lines(data / name / file, rows)
    return data


def write_uav123(root: Path, folders: dict[str, range], boxes: dict[str, list[str]]) -> Path:
    """Folders of images, and rows of box files by their path below ``anno``."""
    data = root / 'uav123'
    for name, numbers in folders.items():
        write_images(data / 'data_seq/UAV123' / name, numbers, '{:06d}.jpg')
    for path, rows in boxes.items():
        write_lines(data / 'anno' / path, rows)
        write_lines(
            (data / 'anno' / path).parent / 'att' / Path(path).name, ['0,1,0,0,0,0,1,0,0,0,0,0']
        )
    return data


def write_vot(root: Path, regions: dict[str, list[str]], tags=None, has_channel=True) -> Path:
    """Sequences with these lines in ``groundtruth.txt``."""
    data = root / 'vot'
    write_lines(data / 'list.txt', regions)
    for name, rows in regions.items():
        folder = data / name
        write_images(
            folder / ('color' if has_channel else ''), range(1, len(rows) + 1), '{:08d}.jpg'
        )
        write_lines(folder / 'groundtruth.txt', rows)
        if has_channel:
            lines = ['channels.color=color/%08d.jpg', 'format=default', 'fps=30', f'name={name}']
            write_lines(folder / 'sequence', lines)
        for file, values in (tags or {}).items():
            write_lines(folder / file, values)
    return data


def write_vid(root: Path, split: str, videos: dict[str, list[dict[int, tuple]]]) -> Path:
    """Videos; a frame has ``xmin, ymin, xmax, ymax`` by track id."""
    data = root / 'ILSVRC2015'
    for video, frames in videos.items():
        for number, objects in enumerate(frames):
            below = f'VID/{split}/{video}/{number:06d}'
            write_image(data / 'Data' / f'{below}.JPEG')
            write_lines(data / 'Annotations' / f'{below}.xml', [_vid_xml(video, number, objects)])
    lists = data / 'ImageSets/VID'
    if split == 'train':
        for number, video in enumerate(videos, start=1):
            write_lines(lists / f'train_{number}.txt', [f'{video} 1'])
    else:
        frames = [f'{video}/{i:06d}' for video, f in videos.items() for i in range(len(f))]
        write_lines(lists / 'val.txt', [f'{path} {n}' for n, path in enumerate(frames, start=1)])
    return data


def _vid_xml(video: str, number: int, objects: dict[int, tuple]) -> str:
    parts = [
        f'<object><trackid>{track}</trackid><name>n0208{track}</name><bndbox><xmax>{x2}</xmax>'
        f'<xmin>{x1}</xmin><ymax>{y2}</ymax><ymin>{y1}</ymin></bndbox>'
        f'<occluded>{number % 2}</occluded><generated>0</generated></object>'
        for track, (x1, y1, x2, y2) in objects.items()
    ]
    size = f'<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>'
    head = f'<folder>{video}</folder><filename>{number:06d}</filename>'
    return f'<annotation>{head}{size}{"".join(parts)}</annotation>'


def write_youtube_vos(
    root: Path, split: str, videos: dict[str, dict[str, np.ndarray]], objects
) -> Path:
    """Masks of the annotated frames by name, every fifth frame; all frames have images.

    ``objects`` has, by video and id, the names of the object's frames.
    """
    data = root / 'youtube_vos'
    meta = {'videos': {}}
    for video, masks in videos.items():
        numbers = [int(name) for name in masks]
        last = max(numbers + [int(f) for frames in objects[video].values() for f in frames])
        for number in range(last + 1):
            write_image(data / f'{split}_all_frames/JPEGImages' / video / f'{number:05d}.jpg')
            if number % 5 == 0:
                write_image(data / f'{split}/JPEGImages' / video / f'{number:05d}.jpg')
        for name, ids in masks.items():
            write_mask(data / f'{split}/Annotations' / video / f'{name}.png', ids)
        entries = {i: dict(category='dog', frames=frames) for i, frames in objects[video].items()}
        meta['videos'][video] = dict(objects=entries)
    (data / split / 'meta.json').write_text(json.dumps(meta))
    return data


def write_segtrack_v2(root: Path, videos: dict[str, list[list[np.ndarray]]]) -> Path:
    """A list of objects for each video, each a list of masks."""
    data = root / 'SegTrackv2'
    write_lines(data / 'ImageSets/all.txt', [f'*{name}' for name in videos])
    for name, objects in videos.items():
        stems = [f'{name}_{i:05d}' for i in range(len(objects[0]))]
        write_lines(data / f'ImageSets/{name}.txt', [f'{name}/', *stems])
        for stem in stems:
            write_image(data / 'JPEGImages' / name / f'{stem}.bmp')
        for number, masks in enumerate(objects, start=1):
            folder = data / 'GroundTruth' / name / (str(number) if len(objects) > 1 else '')
            folder.mkdir(parents=True, exist_ok=True)
            for stem, mask in zip(stems, masks, strict=True):
                cv2.imwrite(str(folder / f'{stem}.png'), cv2.merge([mask * 255] * 3))
    return data


def write_davis(root: Path, videos: dict[str, list[np.ndarray]], lists=None) -> Path:
    """Masks of all frames, palette images."""
    data = root / 'DAVIS'
    for name, masks in videos.items():
        for number, ids in enumerate(masks):
            write_image(data / 'JPEGImages/480p' / name / f'{number:05d}.jpg')
            write_mask(data / 'Annotations/480p' / name / f'{number:05d}.png', ids)
    for file, names in (lists or {}).items():
        write_lines(data / 'ImageSets' / file, names)
    return data
