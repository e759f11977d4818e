"""Photographs that come inside installed Python packages: no download, no data folder."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Photograph:
    """Where one photograph lies and which split of the synthetic videos may use it.

    Attributes:
        package: Name by which the package is imported.
        path: File inside the package's folder.
        held_out: True when only validation sequences may show it.
    """

    package: str
    path: str
    held_out: bool = False

    @property
    def name(self) -> str:
        """Short unique name: the file name without its ending."""
        return Path(self.path).stem


_INSTALL_NAMES = {'skimage': 'scikit-image', 'sklearn': 'scikit-learn', 'matplotlib': 'matplotlib'}

# Only files that the wheels themselves hold. Drawings, scanned text and one of a stereo pair are left out.
_PHOTOGRAPHS = (
    Photograph('skimage', 'data/astronaut.png'),
    Photograph('skimage', 'data/brick.png'),
    Photograph('skimage', 'data/camera.png', held_out=True),
    Photograph('skimage', 'data/cell.png'),
    Photograph('skimage', 'data/chelsea.png'),
    Photograph('skimage', 'data/coffee.png', held_out=True),
    Photograph('skimage', 'data/coins.png'),
    Photograph('skimage', 'data/grass.png'),
    Photograph('skimage', 'data/gravel.png', held_out=True),
    Photograph('skimage', 'data/hubble_deep_field.jpg'),
    Photograph('skimage', 'data/ihc.png'),
    Photograph('skimage', 'data/moon.png'),
    Photograph('skimage', 'data/motorcycle_left.png'),
    Photograph('skimage', 'data/retina.jpg'),
    Photograph('skimage', 'data/rocket.jpg', held_out=True),
    Photograph('sklearn', 'datasets/images/china.jpg'),
    Photograph('sklearn', 'datasets/images/flower.jpg', held_out=True),
    Photograph('matplotlib', 'mpl-data/sample_data/grace_hopper.jpg'),
)


def sample_photographs() -> list[tuple[str, np.ndarray]]:
    """All photographs found inside the installed packages scikit-image, scikit-learn and matplotlib.

    Returns:
        Pairs of a short name ('astronaut', 'china', ...) and the image as uint8 BGR of shape
        (H, W, 3), both sides at least 200 px; a grey photograph has three equal channels.
        The order is fixed. Packages that are not installed are skipped.

    Raises:
        FileNotFoundError: If no photograph is found at all.
    """
    return [(photo.name, read_photograph(photo)) for photo in find_photographs()]


def find_photographs(held_out: bool | None = None) -> list[Photograph]:
    """The photographs whose files exist on this machine, without reading them.

    Args:
        held_out: True for those kept for validation, False for those of training, None for all.

    Raises:
        FileNotFoundError: If there is none of the wanted kind.
    """
    found = [
        photo
        for photo in _PHOTOGRAPHS
        if held_out in (None, photo.held_out) and _file_of(photo) is not None
    ]
    if not found:
        kind = {None: '', True: 'validation ', False: 'training '}[held_out]
        raise FileNotFoundError(
            f'no {kind}photograph found inside the installed packages; '
            'install them with: pip install scikit-image scikit-learn'
        )
    return found


@lru_cache(maxsize=len(_PHOTOGRAPHS))
def read_photograph(photo: Photograph) -> np.ndarray:
    """The pixels of one photograph as read-only uint8 BGR of shape (H, W, 3).

    Raises:
        ValueError: If the file cannot be decoded.
    """
    path = _file_of(photo)
    try:
        with Image.open(path) as opened:
            image = np.ascontiguousarray(np.asarray(opened.convert('RGB'))[..., ::-1])
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(
            f'photograph {path} cannot be decoded; reinstall it with: '
            f'pip install --force-reinstall {_INSTALL_NAMES[photo.package]}'
        ) from error
    image.setflags(write=False)
    return image


@lru_cache(maxsize=len(_PHOTOGRAPHS))
def _file_of(photo: Photograph) -> Path | None:
    """The photograph's file, found without importing the package that holds it."""
    spec = find_spec(photo.package)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0], photo.path)
    return path if path.is_file() else None
