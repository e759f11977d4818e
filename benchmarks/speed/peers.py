"""Other people's trackers, driven alike: OpenCV's, and Ocean as its authors published it."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
ORIGINAL = 'the original, plain PyTorch'
NANOTRACK = 'OpenCV NanoTrack'
_SUPPORT = ROOT / 'tests' / 'support'
#: Trackers by name: where OpenCV keeps them and in which package.
OPENCV_TRACKERS = {
    'OpenCV CSRT': ('TrackerCSRT', 'opencv-contrib-python'),
    'OpenCV KCF': ('TrackerKCF', 'opencv-contrib-python'),
}


class FrameTracker(Protocol):
    """What is measured: takes on a target and finds it again."""

    def init(self, frame: np.ndarray, box: np.ndarray) -> Any:
        """Take on the target in a box (4,), xyxy in pixels."""

    def step(self, frame: np.ndarray) -> Any:
        """Find the target."""


class OpenCVTracker:
    """One of OpenCV's trackers; boxes only.

    Args:
        create: Makes a tracker of OpenCV.
    """

    def __init__(self, create: Callable[[], Any]) -> None:
        self.create = create
        self.tracker = create()

    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        """Take on the target in a box; OpenCV wants a new tracker for that."""
        self.tracker = self.create()
        corner, size = np.rint(box[:2]).astype(int), np.rint(box[2:] - box[:2]).astype(int)
        self.tracker.init(frame, (*corner.tolist(), *size.tolist()))

    def step(self, frame: np.ndarray) -> Any:
        """Find the target."""
        return self.tracker.update(frame)


class OriginalTracker:
    """The rendition of Ocean's published code in plain PyTorch.

    Args:
        tracker: A ``PlainTracker``.
    """

    def __init__(self, tracker: Any) -> None:
        self.tracker = tracker

    def init(self, frame: np.ndarray, box: np.ndarray) -> None:
        """Take on the target in a box."""
        self.tracker.init(frame, (box[:2] + box[2:]) / 2 + 0.5, box[2:] - box[:2])

    def step(self, frame: np.ndarray) -> Any:
        """Find the target."""
        return self.tracker.track(frame)


def opencv_trackers(
    folder: Path, nanotrack: tuple[str, str] | None = None
) -> tuple[dict[str, OpenCVTracker], list[str]]:
    """OpenCV's trackers that can be had here.

    Args:
        folder: Where a stand-in for NanoTrack's files may be written.
        nanotrack: NanoTrack's two ONNX files, backbone and head. Without them the same network
            with random weights replaces them; that needs a checkout of the source.

    Returns:
        Trackers by name, and remarks on those that are missing or stood in for.

    Raises:
        FileNotFoundError: If one of NanoTrack's files does not exist.
    """
    trackers, remarks = {}, []
    for name, (kind, package) in OPENCV_TRACKERS.items():
        if hasattr(cv2, kind):
            trackers[name] = OpenCVTracker(getattr(cv2, kind).create)
        else:
            remarks.append(f'{name} was not measured: it needs {package}')
    if nanotrack is None:
        plain = load_plain_nanotrack()
        if plain is None:
            remarks.append(
                f'{NANOTRACK} was not measured: give its two files with --nanotrack-backbone and '
                '--nanotrack-head'
            )
            return trackers, remarks
        nanotrack = plain.export(folder)
        remarks.append(
            f'{NANOTRACK} ran with random weights: the layers of NanoTrackV2 as published, and their '
            'number of parameters, but not its files (--nanotrack-backbone, --nanotrack-head)'
        )
    trackers[NANOTRACK] = OpenCVTracker(nanotrack_maker(*nanotrack))
    return trackers, remarks


def load_plain_ocean() -> ModuleType | None:
    """The module with the rendition of the original; None outside a checkout of the source."""
    return _load_support('plain_ocean')


def load_plain_nanotrack() -> ModuleType | None:
    """The module with NanoTrack's layers; None outside a checkout of the source."""
    return _load_support('plain_nanotrack')


def _load_support(name: str) -> ModuleType | None:
    """A module of the tests' support folder, loaded once."""
    path = _SUPPORT / f'{name}.py'
    if not path.is_file():
        return None
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def nanotrack_maker(backbone: str, head: str) -> Callable[[], Any]:
    """What makes a tracker of OpenCV from NanoTrack's two files.

    Raises:
        FileNotFoundError: If one does not exist.
    """
    for path in (backbone, head):
        if not Path(path).is_file():
            raise FileNotFoundError(f'there is no file {path} of NanoTrack')
    params = cv2.TrackerNano_Params()
    params.backbone, params.neckhead = str(backbone), str(head)
    return lambda: cv2.TrackerNano_create(params)
