"""VOT's own toolkit finds our result files complete and reads them; skipped without ``vot-toolkit``."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from benchmark_folders import HEIGHT, WIDTH, filled, write_vot
from vot_toolkit import import_toolkit

from mmpolar.evaluation.functional import FrameState, pixel_overlap
from mmpolar.evaluation.submissions import time_lines, trajectory_lines
from mmpolar.evaluation.vot_runs import anchor_frames, run_from_anchor, run_with_resets
from mmpolar.structures.vot_region import (
    MaskRegion,
    Polygon,
    Rectangle,
    mask_to_region,
    parse_region,
    region_mask,
)

vot_dataset = import_toolkit('vot.dataset')
multirun = import_toolkit('vot.experiment.multirun')
multistart = import_toolkit('vot.experiment.multistart')
results = import_toolkit('vot.tracker.results')
storage = import_toolkit('vot.workspace.storage')
vot_region = import_toolkit('vot.region')

LENGTH = 14
ANCHORS = [1, 0, 0, 0, 0, 1, 0, 0, 0, -1, 0, 0, 0, 0]
TRUTH = [f'{2 + i},4,10,8' for i in range(LENGTH)]
TRACKER = SimpleNamespace(reference='Ours', storage=None)


@pytest.fixture
def workspace(tmp_path):
    root = write_vot(tmp_path, dict(ants=TRUTH), {'anchor.value': ANCHORS})
    (sequence,) = vot_dataset.load_dataset(str(root))
    return tmp_path, sequence, storage.LocalStorage(str(tmp_path))


def answer(kind, frame):
    """Loses the target in frame 3: with masks by an empty one."""
    x = 30 if frame == 3 else 3 + frame
    if kind == 'box':
        return Rectangle(x + 0.25, 4.5, 10, 8)
    if kind == 'polygon':
        return Polygon(np.array([[x, 4], [x + 10, 4.5], [x + 9, 12.25], [x + 1, 12]]))
    mask = filled(x, 4, x + 9, 11) * (frame != 3)
    return mask_to_region(mask)


def write(folder, run, label):
    path = folder / 'results/Ours/baseline/ants'
    path.mkdir(parents=True, exist_ok=True)
    (path / f'ants_{label}.txt').write_text(trajectory_lines(run))
    (path / f'ants_{label}_time.value').write_text(time_lines(run))


def assert_read(trajectory, run):
    """The toolkit has the same regions, states and times."""
    assert len(trajectory) == len(run.frames)
    for index, (state, region) in enumerate(zip(run.states, run.regions, strict=True)):
        found = trajectory.region(index)
        if state != FrameState.TRACKED:
            assert vot_region.is_special(found)
            assert found.code == state
        elif isinstance(region, MaskRegion):
            size = (HEIGHT, WIDTH)
            canvas = np.zeros(size, np.uint8)
            x, y = found.offset
            canvas[y : y + found.mask.shape[0], x : x + found.mask.shape[1]] = found.mask
            np.testing.assert_array_equal(canvas, region_mask(region, size))
        else:
            expected = (
                [region.x, region.y, region.width, region.height]
                if isinstance(region, Rectangle)
                else region.points.ravel()
            )
            values = [float(value) for value in str(found).split(',')]
            np.testing.assert_allclose(values, expected, atol=1e-5)
        if state != FrameState.SKIPPED:
            seconds = trajectory.properties(index)['time']
            assert seconds == pytest.approx(run.seconds[index], abs=1e-8)


@pytest.mark.parametrize('kind', ['box', 'polygon', 'mask'])
def test_runs_with_resets(workspace, kind):
    folder, sequence, local = workspace
    truth = [parse_region(row) for row in TRUTH]
    overlap = partial(pixel_overlap, size=(HEIGHT, WIDTH))
    run = run_with_resets(truth, lambda frame: None, partial(answer, kind), overlap)
    assert run.states[3] == FrameState.FAILURE
    options = dict(repetitions=15, skip_initialize=5)
    experiment = multirun.SupervisedExperiment('baseline', local, **options)
    for number in (1, 2, 3):
        assert not experiment.scan(TRACKER, sequence)[0]
        write(folder, run, f'{number:03d}')
    complete, files, _ = experiment.scan(TRACKER, sequence)
    assert complete
    assert len(files) == 6
    for trajectory in experiment.gather(TRACKER, sequence):
        assert_read(trajectory, run)


@pytest.mark.parametrize('kind', ['box', 'polygon', 'mask'])
def test_runs_from_anchors(workspace, kind):
    folder, sequence, local = workspace
    truth = [parse_region(row) for row in TRUTH]
    overlap = partial(pixel_overlap, size=(HEIGHT, WIDTH))
    experiment = multistart.MultiStartExperiment('baseline', local)
    for frames in anchor_frames(ANCHORS):
        assert not experiment.scan(TRACKER, sequence)[0]
        step = partial(answer, kind)
        run = run_from_anchor(truth, frames, lambda frame: None, step, overlap)
        write(folder, run, f'{frames[0]:08d}')
        name = f'ants_{frames[0]:08d}'
        assert_read(results.Trajectory.read(experiment.results(TRACKER, sequence), name), run)
    complete, files, _ = experiment.scan(TRACKER, sequence)
    assert complete
    assert len(files) == 6
