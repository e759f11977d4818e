"""Writers of tiny datasets, as real files in the layouts that users have."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

HEIGHT, WIDTH = 40, 60


class TinyData:
    """Writes images, masks and annotation files below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def image(self, path: str, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Path:
        """A textured image that differs from path to path."""
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng([ord(c) for c in path])
        assert cv2.imwrite(str(full), rng.integers(0, 255, (*size, 3), dtype=np.uint8))
        return full

    def mask(self, path: str, ids: np.ndarray, palette: bool = False) -> Path:
        """A mask file with these object ids; a palette PNG or a grey one."""
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        shown = Image.fromarray(ids.astype(np.uint8), mode='P' if palette else 'L')
        if palette:
            shown.putpalette([(37 * i) % 256 for i in range(768)])
        shown.save(full)
        return full

    def davis(self, masks: dict[str, list[np.ndarray]], folder: str = 'davis') -> Path:
        """A folder in DAVIS's layout; one mask a frame gives the ids."""
        for name, frames in masks.items():
            for number, ids in enumerate(frames):
                self.image(f'{folder}/JPEGImages/480p/{name}/{number:05d}.jpg', ids.shape)
                mask_path = f'{folder}/Annotations/480p/{name}/{number:05d}.png'
                self.mask(mask_path, ids, palette=True)
        return self.root / folder

    def boxes(self, sequences: dict[str, list[str]], folder: str = 'boxes') -> Path:
        """A folder a sequence, ``img/`` and ``groundtruth.txt`` with these lines."""
        for name, lines in sequences.items():
            for number in range(len(lines)):
                self.image(f'{folder}/{name}/img/{number + 1:04d}.jpg')
            (self.root / folder / name / 'groundtruth.txt').write_text('\n'.join(lines) + '\n')
        return self.root / folder

    def coco(self, annotations: list[dict], num_images: int, folder: str = 'coco') -> Path:
        """``images/`` and ``annotations.json``; the images have the ids 1, 2, and so on."""
        images = []
        for image_id in range(1, num_images + 1):
            self.image(f'{folder}/images/{image_id}.jpg')
            entry = dict(id=image_id, file_name=f'{image_id}.jpg', height=HEIGHT, width=WIDTH)
            images.append(entry)
        numbered = [dict(id=i, category_id=1) | a for i, a in enumerate(annotations, start=1)]
        content = dict(images=images, annotations=numbered, categories=[dict(id=1, name='a')])
        (self.root / folder / 'annotations.json').write_text(json.dumps(content))
        return self.root / folder


@pytest.fixture
def data(tmp_path) -> TinyData:
    """Files of one test, which it may change."""
    return TinyData(tmp_path)


@pytest.fixture(scope='module')
def shared_data(tmp_path_factory) -> TinyData:
    """Files that the tests of a module share and do not change."""
    return TinyData(tmp_path_factory.mktemp('shared'))


@pytest.fixture(scope='session')
def rectangle():
    """Function that makes ids with one filled rectangle: columns x1..x2 and rows y1..y2."""

    def make(x1: int, y1: int, x2: int, y2: int, value: int = 1, base=None) -> np.ndarray:
        ids = np.zeros((HEIGHT, WIDTH), dtype=np.uint8) if base is None else base.copy()
        ids[y1 : y2 + 1, x1 : x2 + 1] = value
        return ids

    return make
