"""Clips that the samples in other languages track, and what Python finds in them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmpolar.datasets.synthetic import photo_scene
from mmpolar.model_zoo import DEFAULT_MODEL, find_model_folder
from mmpolar.runtime import OnnxEngine
from mmpolar.structures.polar import mask_to_box
from mmpolar.tracking import SingleTargetTracker

DEMO = Path(__file__).parents[2] / 'demo'
#: By how many pixels the boxes of a port may differ from Python's, and by how much its scores.
BOX_TOLERANCE, SCORE_TOLERANCE = 0.05, 1e-3
#: So soon is a lost target looked for in a wider region, and then everywhere.
SOON_LOST = dict(widen_after=1, scan_after=2)

Clip = tuple[list[NDArray[np.uint8]], NDArray[np.float64]]


def model_folder(
    folder: Path,
    with_masks: bool = True,
    presence: Mapping[str, float] | Sequence[float] | None = None,
    **params: float,
) -> Path:
    """A copy of the default tracker's folder, with other parameters, or without its mask stage."""
    source = find_model_folder(DEFAULT_MODEL)
    manifest = json.loads((source / 'model.json').read_text())
    manifest['params'].update(params)
    if presence is not None:
        manifest['mask_params']['presence'] = presence
    if not with_masks:
        del manifest['file_sha256'][manifest['masks']]
        manifest['masks'] = manifest['mask_params'] = None
    folder.mkdir()
    for name in manifest['file_sha256']:
        (folder / name).symlink_to(source / name)
    (folder / 'model.json').write_text(json.dumps(manifest, indent=2))
    return folder


def moving_clip() -> Clip:
    """A target so large that its search region is more than twice as large as the crop."""
    scene = photo_scene('coffee-over-lake', 6)
    rendered = [scene.render(number) for number in range(len(scene))]
    box = mask_to_box(rendered[0][1]).astype(np.float64)
    return [frame for frame, _ in rendered], box


def vanishing_clip() -> Clip:
    """A target that is in the first frames, then for a while in none, then in the last ones."""
    frames, box = moving_clip()
    noise = np.random.default_rng(0).integers(90, 130, (8, *frames[0].shape), np.uint8)
    return [*frames[:3], *noise, *frames[2:4]], box


def python_lines(clip: Clip, folder: Path) -> NDArray[np.float64]:
    """left, top, width, height, score, visible of each frame, (F, 6)."""
    tracker = SingleTargetTracker(OnnxEngine(folder, threads=1))
    frames, box = clip
    results = [tracker.init(frames[0], box), *map(tracker.step, frames[1:])]
    return np.array(
        [[*one.box[:2], *(one.box[2:] - one.box[:2]), one.score, one.visible] for one in results]
    )


def read_lines(text: str) -> NDArray[np.float64]:
    """The lines that a sample gave, (F, 6)."""
    return np.array([[float(number) for number in line.split(',')] for line in text.split()])


def assert_same(found: NDArray[np.float64], expected: NDArray[np.float64]) -> None:
    """Fail unless a sample has Python's boxes and scores, and loses the target in the same frames."""
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found[:, 5], expected[:, 5])
    np.testing.assert_allclose(found[:, :4], expected[:, :4], rtol=0, atol=BOX_TOLERANCE)
    np.testing.assert_allclose(found[:, 4], expected[:, 4], rtol=0, atol=SCORE_TOLERANCE)
