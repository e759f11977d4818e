"""Our runs and metrics against the analyses of VOT's own toolkit; skipped without ``vot-toolkit``."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from vot_toolkit import import_toolkit

from mmpolar.evaluation.functional import (
    AnchorRun,
    FrameState,
    LongTermTrack,
    ResetRun,
    anchor_eao_curve,
    anchor_scores,
    eao_score,
    pixel_overlap,
    precision_recall,
    quality_scores,
    reset_eao_curve,
    reset_scores,
)
from mmpolar.evaluation.vot_runs import anchor_frames, run_from_anchor, run_with_resets
from mmpolar.structures.vot_region import MaskRegion, Polygon, Rectangle, Special

accuracy_analysis = import_toolkit('vot.analysis.accuracy')
vot_region = import_toolkit('vot.region')
dataset = import_toolkit('vot.dataset')
longterm = import_toolkit('vot.analysis.longterm')
multistart = import_toolkit('vot.analysis.multistart')
results = import_toolkit('vot.tracker.results')
shapes = import_toolkit('vot.region.shapes')
storage = import_toolkit('vot.workspace.storage')
supervised = import_toolkit('vot.analysis.supervised')

SIZE = (90, 120)
LENGTHS = (70, 160, 110)


def region(kind, center, size):
    """A box, a rotated rectangle or a disc."""
    (x, y), (width, height) = center, size
    if kind == 'box':
        return Rectangle(x - width / 2, y - height / 2, width, height)
    if kind == 'polygon':
        corners = np.array([[-0.6, -0.4], [0.5, -0.6], [0.6, 0.4], [-0.5, 0.6]])
        return Polygon(corners * size + center)
    rows, columns = np.indices((int(height), int(width)))
    disc = np.hypot(rows / height - 0.5, columns / width - 0.5) < 0.5
    return MaskRegion(int(x - width / 2), int(y - height / 2), disc.astype(np.uint8))


def to_toolkit(found):
    if isinstance(found, Rectangle):
        return shapes.Rectangle(found.x, found.y, found.width, found.height)
    if isinstance(found, Polygon):
        return shapes.Polygon([tuple(point) for point in found.points.tolist()])
    if isinstance(found, Special):
        return vot_region.Special(found.code)
    return shapes.Mask(found.mask.copy(), (found.x, found.y))


def make_truth(rng, kind, length):
    centers = np.array([60, 45]) + np.cumsum(rng.normal(0, 1, (length, 2)), axis=0)
    return [region(kind, center, (30, 24)) for center in centers]


def drifting_tracker(rng, kind, truth):
    """Starts on the truth and wanders off faster and faster."""
    memo = SimpleNamespace(offset=np.zeros(2), center=np.zeros(2))

    def start(frame):
        memo.offset = np.zeros(2)

    def step(frame):
        memo.offset = (memo.offset * 1.06 + rng.normal(0, 1.2, 2)).clip(-200, 200)
        corner = truth[frame]
        center = (
            corner.points.mean(axis=0)
            if isinstance(corner, Polygon)
            else (corner.x + 15, corner.y + 12)
        )
        return region(kind, np.array(center) + memo.offset, (30, 24))

    return start, step


class ColorSequence(dataset.InMemorySequence):
    """The toolkit asks for the channel without naming it, which its own class does not allow."""

    def channel(self, channel=None):
        return super().channel(channel or 'color')


def toolkit_sequence(name, truth, anchors=None):
    sequence = ColorSequence(name, ['color'])
    image = np.zeros((*SIZE, 3), np.uint8)
    for frame, found in enumerate(truth):
        values = None if anchors is None else dict(anchor=float(anchors[frame]))
        sequence.append(dict(color=image), to_toolkit(found), values=values)
    return sequence


def write_trajectory(target, name, run):
    trajectory = results.Trajectory(len(run.frames))
    for index, (state, found) in enumerate(zip(run.states, run.regions, strict=True)):
        tracked = state == FrameState.TRACKED
        trajectory.set(index, to_toolkit(found) if tracked else vot_region.Special(int(state)))
    trajectory.write(target, name)
    return results.Trajectory.read(target, name)


def random_region(rng):
    """Boxes of any and of whole numbers, polygons of any shape and masks, also beyond the frame."""
    kind = rng.integers(5)
    if kind == 0:
        return Rectangle(*rng.uniform(-20, 110, 2), *rng.uniform(0, 60, 2))
    if kind == 1:
        return Rectangle(
            *rng.integers(0, 80, 2).astype(float), *rng.integers(3, 60, 2).astype(float)
        )
    if kind == 2:
        return region('polygon', rng.uniform(-10, 110, 2), rng.uniform(5, 70, 2))
    if kind == 3:
        return Polygon(rng.uniform(-15, 130, (rng.integers(3, 9), 2)))
    mask = rng.random(rng.integers(2, 60, 2)) < 0.6
    return MaskRegion(*rng.integers(-10, 90, 2).tolist(), mask.astype(np.uint8))


def test_overlap_of_any_two_regions():
    rng = np.random.default_rng(0)
    for _ in range(1500):
        first, second = random_region(rng), random_region(rng)
        # Without bounds the toolkit cuts rectangles that start at negative coordinates short.
        expected = vot_region.calculate_overlap(to_toolkit(first), to_toolkit(second), SIZE[::-1])
        assert pixel_overlap(first, second, SIZE) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize('kind', ['box', 'polygon', 'mask'])
def test_reset_based_protocol(tmp_path, kind):
    rng = np.random.default_rng(3)
    target = results.Results(storage.LocalStorage(str(tmp_path)))
    runs, sequences, trajectories = [], [], {}
    for number, length in enumerate(LENGTHS):
        truth = make_truth(rng, kind, length)
        start, step = drifting_tracker(rng, kind, truth)
        run = run_with_resets(truth, start, step, partial(pixel_overlap, size=SIZE))
        runs.append([ResetRun(run.overlaps, run.states)])
        sequences.append(toolkit_sequence(f's{number}', truth))
        trajectories[f's{number}'] = [write_trajectory(target, f's{number}', run)]
    experiment = SimpleNamespace(gather=lambda tracker, sequence: trajectories[sequence.name])
    analysis = supervised.AverageAccuracyRobustness()
    cells = [analysis.analysis.subcompute(experiment, None, s, []) for s in sequences]
    accuracy, failures, point, _ = analysis.aggregate(None, sequences, cells)
    (curve,) = supervised.EAOCurve().subcompute(experiment, None, sequences, [])
    ours = reset_scores(runs)
    assert ours.failures > 3
    assert ours.accuracy == pytest.approx(accuracy, abs=1e-6)
    assert ours.robustness == pytest.approx(failures, abs=1e-6)
    assert ours.reliability == pytest.approx(point[0], abs=1e-6)
    np.testing.assert_allclose(reset_eao_curve(runs), curve, atol=1e-6)
    assert eao_score(reset_eao_curve(runs), (10, 60)) == pytest.approx(
        float(np.mean(curve[10:61])), abs=1e-6
    )


@pytest.mark.parametrize('kind', ['box', 'polygon', 'mask'])
def test_anchor_based_protocol(tmp_path, kind):
    rng = np.random.default_rng(5)
    target = results.Results(storage.LocalStorage(str(tmp_path)))
    runs, sequences = [], []
    for number, length in enumerate(LENGTHS):
        truth = make_truth(rng, kind, length)
        anchors = np.zeros(length)
        anchors[[0, 50]], anchors[length - 1] = [1, 1 - 2 * (number == 0)], -1
        runs.append([])
        for frames in anchor_frames(anchors):
            start, step = drifting_tracker(rng, kind, truth)
            run = run_from_anchor(truth, frames, start, step, partial(pixel_overlap, size=SIZE))
            runs[-1].append(AnchorRun(run.overlaps, run.present))
            write_trajectory(target, f's{number}_{frames[0]:08d}', run)
        sequences.append(toolkit_sequence(f's{number}', truth, anchors))
    experiment = SimpleNamespace(anchor='anchor', results=lambda tracker, sequence: target)
    analysis = multistart.AverageAccuracyRobustness()
    cells = [analysis.analysis.subcompute(experiment, None, s, []) for s in sequences]
    accuracy, robustness, *_ = analysis.aggregate(None, sequences, cells)
    analysis = multistart.EAOCurve(high=130)
    cells = [analysis.curves.subcompute(experiment, None, s, []) for s in sequences]
    (curve,) = analysis.aggregate(None, sequences, cells)
    ours = anchor_scores(runs, LENGTHS)
    assert 0.2 < ours.robustness < 0.95
    assert ours.accuracy == pytest.approx(accuracy, abs=1e-6)
    assert ours.robustness == pytest.approx(robustness, abs=1e-6)
    np.testing.assert_allclose(anchor_eao_curve(runs, 130), curve, atol=1e-6)


def follow_with_absences(rng, kind, length):
    """A target that leaves, and answers that drift, miss, and are empty, with a confidence each."""
    nothing = Special(0) if kind == 'box' else MaskRegion(0, 0, np.zeros((1, 1), np.uint8))
    truth, answers = make_truth(rng, kind, length), make_truth(rng, kind, length)
    present, reported = rng.random(length) < 0.7, rng.random(length) < 0.8
    confidences = np.where(reported, rng.random(length).round(2), 0.0)
    for frame in range(length):
        if rng.random() < 0.6:
            answers[frame] = truth[frame]
        truth[frame] = truth[frame] if present[frame] else nothing
        # As tools/vot/trax_tracker.py answers: of a lost target the last box, or an empty mask.
        if not reported[frame] and kind == 'mask':
            answers[frame] = nothing
    return truth, answers, present, reported, confidences


def test_precision_recall_and_f_of_long_term_tracking():
    rng = np.random.default_rng(2)
    sequences, tracks = [], []
    for number, length in enumerate(LENGTHS):
        truth, answers, *flags = follow_with_absences(rng, 'box', length)
        overlaps = [pixel_overlap(*pair, size=SIZE) for pair in zip(answers, truth, strict=True)]
        present, reported, confidences = flags
        tracks.append(LongTermTrack(np.array(overlaps), reported, present, confidences))
        sequences.append((toolkit_sequence(f's{number}', truth), answers, confidences))
    pooled = np.concatenate([track.confidences for track in tracks])
    thresholds = longterm.determine_thresholds(pooled, 100)
    curves = [
        longterm.compute_tpr_curves(list(map(to_toolkit, answers)), sure, sequence, thresholds)
        for sequence, answers, sure in sequences
    ]
    curve = longterm.PrecisionRecallCurve().aggregate(
        None, [], [(list(zip(*pair, strict=True)), thresholds) for pair in curves]
    )
    (f_curve, _) = longterm.FScoreCurve().compute(None, [None], [], [[curve]])[0, 0]
    ours = precision_recall(tracks)
    best = int(np.argmax(f_curve))
    assert ours.f_score == pytest.approx(f_curve[best], abs=1e-9)
    assert (ours.recall, ours.precision) == pytest.approx(curve[0][best], abs=1e-9)


def test_values_of_vots():
    rng = np.random.default_rng(4)
    for length in LENGTHS:
        truth, answers, present, reported, sure = follow_with_absences(rng, 'mask', length)
        pairs = [list(map(to_toolkit, regions)) for regions in (answers, truth)]
        size = SIZE[::-1]
        overlaps = np.array(vot_region.calculate_overlaps(*pairs, size))
        ours = quality_scores(LongTermTrack(overlaps, reported, present, sure))
        tracked, failed, missed, wrong, noticed = longterm.count_frames(*pairs, size)
        seen = tracked + failed + missed
        every, _ = accuracy_analysis.gather_overlaps(*pairs, 0, False, bounds=size)
        hits, _ = accuracy_analysis.gather_overlaps(*pairs, 0, False, True, size, 0)
        assert ours.quality == pytest.approx(every.mean())
        assert ours.accuracy == pytest.approx(hits.mean())
        assert ours.robustness == pytest.approx(tracked / seen)
        assert ours.not_reported == pytest.approx(missed / seen)
        assert ours.drift == pytest.approx(failed / seen)
        assert ours.absence == pytest.approx(noticed / (noticed + wrong))
