"""Write the graphs of published checkpoints, for the runtime's default. See ``--help``."""

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np

from mmpolar.apis import available_models, init_tracker
from mmpolar.cli.arguments import tool_parser
from mmpolar.cli.errors import usage_error
from mmpolar.datasets import DavisDataset
from mmpolar.datasets.synthetic import make_scene
from mmpolar.deployment import ExportMismatchError, export_onnx
from mmpolar.deployment.half_weights import halve_folder
from mmpolar.deployment.quantize import quantize_folder
from mmpolar.model_zoo import INT8_SUFFIX, find_checkpoint
from mmpolar.runtime import OnnxEngine
from mmpolar.runtime.model_folder import new_model_folder
from mmpolar.structures.polar import mask_to_box
from mmpolar.structures.track_result import TrackResult
from mmpolar.tracking import SingleTargetTracker
from mmpolar.utils.checkpoints import ReleaseCheckpoint, read_release_checkpoint
from mmpolar.utils.progress import progress_bar

NOTICE = 'NOTICE.txt'
#: Smaller targets in the first frame, in pixels, are left out of the calibration.
CALIBRATION_AREA = 400
#: Generated video that the graphs are compared on.
_VIDEO, _FRAMES = 1, 6

DESCRIPTION = """\
Write a model folder of ONNX graphs beside each published checkpoint, mmpolar/model_zoo/<name>/, from
where mmpolar track finds it by that name.

The weights are stored as float16, as in the checkpoint, and become float32 when ONNX Runtime loads the
graphs: they compute, bit by bit, what the float32 export of the checkpoint does. That is checked by
tracking a generated video with both before anything is replaced.

With --int8 the folder of an 8-bit copy, <name>_int8, is written instead, calibrated on those videos."""

EPILOG = """\
examples
  python tools/deployment/export_model_zoo.py
  python tools/deployment/export_model_zoo.py ocean-polar_effnet-lite0_natural
  python tools/deployment/export_model_zoo.py ocean-polar_effnet-lite0-tiny_natural \\
      --int8 data/natural/videos/DAVIS"""


class UnequalGraphsError(RuntimeError):
    """Two model folders that should give the same results do not."""


def main(argv: list[str] | None = None) -> None:
    """Export as the arguments say; ``argv`` defaults to those of the command line."""
    args = parse_args(argv)
    names = args.names or available_models()
    if not names:
        usage_error(
            'there is no published checkpoint; write one: '
            'python tools/model_converters/publish_model.py --help'
        )
    try:
        for name in names:
            print(export(name, args.int8))
    except (FileNotFoundError, ValueError, ExportMismatchError, UnequalGraphsError) as error:
        usage_error(error)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG)
    parser.add_argument(
        'names', nargs='*', metavar='NAME', help='published models (default: all there are)'
    )
    parser.add_argument(
        '--int8',
        metavar='DATA',
        help='write 8-bit copies, calibrated on the videos of this folder in the layout of DAVIS, which '
        'must not be those to test with',
    )
    return parser.parse_args(argv)


def export(name: str, calibration: str | None = None) -> str:
    """Write the folder of a model; a report of what is in it.

    Args:
        name: Name of the model.
        calibration: Folder of the videos to calibrate an 8-bit copy with; None for float32.

    Raises:
        ModelNotFoundError: If there is no such model.
        FileNotFoundError: If the folder has no videos.
        CheckpointReadError: If its checkpoint is damaged.
        CalibrationError: If the videos show too little.
        ExportMismatchError: If the graphs differ from the tracker.
        UnequalGraphsError: If the stored graphs differ from the float32 ones.
    """
    path = find_checkpoint(name)
    published = read_release_checkpoint(path)
    model = init_tracker(name, optimize='none').model
    folder = path.with_suffix('')
    with tempfile.TemporaryDirectory() as temporary:
        plain, halved = Path(temporary, 'float32'), Path(temporary, 'float16')
        manifest = export_onnx(model, plain)
        if calibration is not None:
            folder = folder.with_name(f'{name}{INT8_SUFFIX}')
            exact, plain = plain, Path(temporary, 'int8')
            dataset = DavisDataset(data_root=calibration, min_area=CALIBRATION_AREA)
            manifest = quantize_folder(exact, plain, dataset)
        halve_folder(plain, halved, model)
        check_same_results(plain, halved)
        (halved / NOTICE).write_text(notice(published))
        size, whole = (sum(f.stat().st_size for f in f.iterdir()) for f in (halved, plain))
        with new_model_folder(folder) as written:
            shutil.copytree(halved, written, dirs_exist_ok=True)
    return (
        f'wrote {folder}: {", ".join(manifest.file_sha256)}, {size / 1e6:.1f} MB instead of '
        f'{whole / 1e6:.1f} MB, with the same results'
    )


def check_same_results(expected: Path, got: Path) -> None:
    """Track a generated video with two model folders.

    Raises:
        UnequalGraphsError: If a number differs.
    """
    scene = make_scene(seed=0, split='val', index=_VIDEO)
    rendered = [scene.render(number) for number in range(_FRAMES)]
    box = mask_to_box(rendered[0][1])
    trackers = [SingleTargetTracker(OnnxEngine(folder)) for folder in (expected, got)]
    for number, (frame, _) in enumerate(progress_bar(rendered, desc='comparing', leave=False)):
        one, other = (t.step(frame) if number else t.init(frame, box) for t in trackers)
        if not same(one, other):
            raise UnequalGraphsError(
                f'the graphs of {got} find another target than those of {expected} in frame '
                f'{number}; nothing was replaced'
            )


def same(one: TrackResult, other: TrackResult) -> bool:
    """Whether two answers are equal to the last bit."""
    parts = ('box', 'score', 'polygon', 'mask')
    return all(np.array_equal(getattr(one, part), getattr(other, part)) for part in parts)


def notice(published: ReleaseCheckpoint) -> str:
    """What the folder says about its origin, beside ``model.json``."""
    facts = published.facts
    return (
        f'{published.name}, published by mmpolar {published.mmpolar_version}\n'
        f'Licence of the weights: {facts.licence}\n'
        f'Trained on: {facts.data}\n'
        f'Weights: sha256 {published.weights_sha256}\n'
    )


if __name__ == '__main__':
    main()
