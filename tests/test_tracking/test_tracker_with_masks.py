"""The tracker with a mask stage made up here: it sees what is brighter than half."""

from dataclasses import replace

import numpy as np
import pytest

from mmpolar.datasets.synthetic import photo_scene
from mmpolar.runtime import OnnxEngine
from mmpolar.tracking import MaskMaps, MaskParams, SearchMaps, Tracker, TrackParams

SIZE = (120, 160)
BOX = [60.0, 40, 100, 80]


class BrightEngine:
    """Finds a target where it was; its mask stage takes what is bright."""

    params = TrackParams(small_target_share=0)
    n_rays = 4
    batch_size = 2

    def __init__(self, score=0.9, quality=0.9, **mask_options):
        self.score, self.quality = score, quality
        self.mask_params = MaskParams(key_channels=3, **mask_options)
        self.target_maps, self.seen = None, []

    def encode(self, crops, target_maps):
        self.target_maps = target_maps
        return [None] * len(crops)

    def search(self, codes, crops):
        scores = np.zeros((len(crops), 25, 25))
        scores[:, 12, 12] = self.score
        return SearchMaps(scores, np.full((len(crops), 4, 25, 25), 32.0))

    def contours(self, maps, locations):
        return np.full((len(locations), 4), 20.0)

    def masks(self, inputs):
        self.seen.append(inputs)
        bright = inputs.crops.reshape(len(inputs.crops), 80, 2, 80, 2, 3).mean((2, 4, 5))
        keys = np.full((len(bright), 3, self.mask_params.key_count), len(self.seen), np.float32)
        quality = np.full(len(bright), self.quality, np.float32)
        return MaskMaps((bright / 25 - 5).astype(np.float32), quality, keys)


def scene(x=60, y=40, width=40, height=40):
    frame = np.zeros((*SIZE, 3), np.uint8)
    frame[y : y + height, x : x + width] = 255
    return frame


def iou(mask, frame):
    true = frame[..., 0] > 0
    return (true & (mask > 0)).sum() / (true | (mask > 0)).sum()


def test_masks_come_from_the_stage_and_the_contour_stays():
    tracker = Tracker(BrightEngine())
    [first] = tracker.init(scene(), [BOX])
    [result] = tracker.step(scene(66, 44))
    for found, frame in ((first, scene()), (result, scene(66, 44))):
        assert found.mask.dtype == np.uint8
        assert found.mask.max() == 1
        assert iou(found.mask, frame) > 0.9
        assert found.polygon.shape == (4, 2)


def test_the_stage_shows_the_template_which_pixels_are_the_target():
    frame = scene()
    frame[60:80, 80:100] = 0
    engine = BrightEngine()
    Tracker(engine).init(frame, [BOX])
    shown = engine.target_maps[0]
    middle = engine.params.template_size // 2
    assert shown[middle - 8, middle - 8] == 1
    assert shown[middle + 8, middle + 8] == 0


def test_a_given_mask_is_the_answer_and_the_reference_of_the_first_frame():
    mask = np.zeros(SIZE, np.uint8)
    mask[40:80, 60:80] = 255
    engine = BrightEngine()
    tracker = Tracker(engine)
    [first] = tracker.init(scene(), [mask])
    np.testing.assert_array_equal(first.mask, mask // 255)
    tracker.step(scene())
    reference = engine.seen[-1].reference_masks[0, 0]
    # The box is 20 px wide and 40 px high; the crop covers 1.75 x 40 px.
    assert reference.sum() == pytest.approx(80 * 80 * 20 * 40 / 70**2, rel=0.1)


def test_the_mask_of_a_given_box_is_seen_in_three_views():
    engine = BrightEngine()
    frame = scene(70, 44, width=10, height=30)
    [first] = Tracker(engine).init(frame, [BOX])
    wide, close, mirrored = (one.crops[0].astype(int) for one in engine.seen)
    np.testing.assert_array_equal(close, mirrored[:, ::-1])
    assert (close > 0).mean() > 1.8 * (wide > 0).mean()
    assert iou(first.mask, frame) > 0.9
    # A given mask is not looked for.
    engine.seen.clear()
    Tracker(engine).init(frame, [frame[..., 0]])
    assert len(engine.seen) == 1


def test_targets_given_together_get_the_masks_that_they_get_alone():
    boxes = [BOX, [55, 35, 105, 90], [58, 38, 90, 84]]
    frame = scene(70, 44, width=10, height=30)
    together = Tracker(BrightEngine()).init(frame, boxes)
    for result, box in zip(together, boxes, strict=True):
        [alone] = Tracker(BrightEngine()).init(frame, [box])
        np.testing.assert_array_equal(result.mask, alone.mask)


def test_the_first_frame_stays_a_reference_and_the_recent_one_follows():
    engine = BrightEngine()
    tracker = Tracker(engine)
    tracker.init(scene(), [BOX])
    assert not engine.seen[0].reference_masks.any()
    for number, recent in ((3, 1), (4, 4), (5, 5)):
        tracker.step(scene())
        keys = engine.seen[number].reference_keys[0]
        assert (keys[0] == 1).all()
        assert (keys[1] == recent).all()
        np.testing.assert_array_equal(
            engine.seen[number].priors[0, 2], engine.seen[number].reference_masks[0, 1]
        )


@pytest.mark.parametrize('binary', [False, True])
def test_cells_of_references_are_probabilities_or_binary(binary):
    engine = BrightEngine(binary_references=binary)
    tracker = Tracker(engine)
    frame = scene()
    frame[frame > 0] = 130  # a little more likely the target than not
    tracker.init(frame, [BOX])
    for _ in range(2):
        [result] = tracker.step(frame)
    for reference in engine.seen[-1].reference_masks[0]:
        inside = reference[30:50, 30:50]
        assert (inside == 1).all() if binary else ((inside > 0.5) & (inside < 0.6)).all()
    assert iou(result.mask, frame) > 0.9


def test_an_unsure_mask_is_no_reference_and_moves_no_box():
    engine = BrightEngine(box_share=1.0, search_share=1.0)
    tracker = Tracker(engine)
    tracker.init(scene(), [BOX])
    engine.quality = 0.3
    [result] = tracker.step(scene(70, 40))
    np.testing.assert_allclose(result.box, BOX, atol=1)
    tracker.step(scene())
    assert (engine.seen[-1].reference_keys[0, 1] == 1).all()


@pytest.mark.parametrize(('share', 'expected'), [(0.0, 0), (0.5, 5), (1.0, 10)])
def test_the_box_is_a_mean_of_the_trackers_and_the_masks(share, expected):
    tracker = Tracker(BrightEngine(box_share=share, box_agreement=0.2))
    tracker.init(scene(), [BOX])
    [result] = tracker.step(scene(70, 40))
    np.testing.assert_allclose(result.box[0] - BOX[0], expected, atol=1.2)
    [result] = tracker.step(scene(80, 40))
    # The search has not moved.
    np.testing.assert_allclose(result.box[0] - BOX[0], share * 20, atol=2)


def test_a_mask_that_covers_another_box_does_not_count():
    tracker = Tracker(BrightEngine(box_share=1.0, search_share=1.0, box_agreement=0.5))
    tracker.init(scene(), [BOX])
    [result] = tracker.step(scene(60, 40, 40, 10))
    np.testing.assert_allclose(result.box, BOX, atol=1)
    assert iou(result.mask, scene(60, 40, 40, 10)) > 0.8


def test_the_search_follows_the_mask_where_it_may():
    tracker = Tracker(BrightEngine(box_share=1.0, search_share=1.0, box_agreement=0.5))
    tracker.init(scene(), [BOX])
    for shift in (10, 20, 30, 40):
        [result] = tracker.step(scene(60 + shift, 40))
        np.testing.assert_allclose(result.box[0] - BOX[0], shift, atol=1.2)


def test_a_lost_target_has_an_empty_mask_and_keeps_its_references():
    engine = BrightEngine()
    tracker = Tracker(engine, replace(engine.params, lost_score=0.3))
    tracker.init(scene(), [BOX])
    engine.score = 0.1
    for _ in range(2):
        [result] = tracker.step(scene())
        assert not result.visible
        assert result.mask.shape == SIZE
        assert not result.mask.any()
        assert (engine.seen[-1].reference_keys[0] == 1).all()


def test_where_no_pixel_is_the_target_it_is_lost_whatever_the_score():
    engine = BrightEngine(presence=dict(score=1))
    tracker = Tracker(engine, replace(engine.params, lost_score=0.1, found_score=0.5))
    tracker.init(scene(), [BOX])
    visible = []
    for frame in (scene(), np.zeros((*SIZE, 3), np.uint8), scene(64, 40)):
        [result] = tracker.step(frame)
        visible.append(result.visible)
    assert visible == [True, False, True]
    assert result.score == pytest.approx(0.9)


def test_targets_are_segmented_together_as_one_by_one():
    frames = [scene(60 + 3 * k, 40 + k) for k in range(4)]
    boxes = [BOX, [10, 10, 50, 60], [90, 60, 140, 100]]
    together = Tracker(BrightEngine(box_share=0.5))
    got = [together.init(frames[0], boxes), *(together.step(frame) for frame in frames[1:])]
    for index, box in enumerate(boxes):
        alone = Tracker(BrightEngine(box_share=0.5))
        expected = [alone.init(frames[0], [box]), *(alone.step(frame) for frame in frames[1:])]
        for results, [one] in zip(got, expected, strict=True):
            np.testing.assert_array_equal(results[index].box, one.box)
            np.testing.assert_array_equal(results[index].mask, one.mask)


@pytest.mark.parametrize(
    'box', [[70, 50, 74, 53], [-40, -30, 220, 160], [140, 100, 200, 150], [0, 0, 6, 120]]
)
def test_tiny_huge_and_cut_targets_have_defined_masks(box):
    tracker = Tracker(BrightEngine(box_share=0.5, search_share=0.5))
    tracker.init(scene(), [box])
    for frame in (scene(), scene(20, 20), np.zeros((*SIZE, 3), np.uint8)):
        [result] = tracker.step(frame)
        assert result.mask.shape == SIZE
        assert np.isfinite(result.box).all()
        assert (result.box[2:] > result.box[:2]).all()


@pytest.mark.parametrize('shape', [SIZE, (*SIZE, 1), (*SIZE, 4)])
@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_grey_and_16_bit_frames_are_segmented_as_colour_ones(shape, dtype):
    frame = (scene()[..., 0] > 0) * np.iinfo(dtype).max
    frame = np.broadcast_to(frame.astype(dtype).reshape(*SIZE, *(1,) * (len(shape) - 2)), shape)
    tracker = Tracker(BrightEngine())
    tracker.init(frame, [BOX])
    [result] = tracker.step(frame)
    assert iou(result.mask, scene()) > 0.9


def test_a_stage_that_sees_nothing_leaves_the_contour_in_the_first_frame():
    dark = np.zeros((*SIZE, 3), np.uint8)
    tracker = Tracker(BrightEngine())
    [first] = tracker.init(dark, [BOX])
    assert first.mask.any()
    [result] = tracker.step(dark)
    assert not result.mask.any()


def test_a_snapshot_goes_on_where_it_was_taken(tmp_path):
    """With the packaged mask stage, whose memory is part of it; through a file."""
    engine, scene = OnnxEngine(threads=1), photo_scene('camera-over-head', 6)
    frames = [scene.render(number)[0] for number in range(6)]
    targets = [[145, 13, 322, 222], [10, 200, 90, 300]]
    whole, later = Tracker(engine), Tracker(engine)
    whole.init(frames[0], targets)
    for frame in frames[1:4]:
        whole.step(frame)
    np.savez(tmp_path / 'state.npz', **whole.snapshot())
    later.init(frames[0], targets)
    with np.load(tmp_path / 'state.npz', allow_pickle=False) as state:
        later.restore(state)
    for frame in frames[4:]:
        for one, other in zip(whole.step(frame), later.step(frame), strict=True):
            np.testing.assert_array_equal(one.box, other.box)
            np.testing.assert_array_equal(one.mask, other.mask)
            assert one.score == other.score
    later.init(frames[0], targets[:1])
    with pytest.raises(ValueError, match='has 2 targets, the tracker 1'):
        later.restore(whole.snapshot())


def test_a_weight_for_the_online_model_needs_features_of_the_engine():
    tracker = Tracker(BrightEngine(presence=dict(score=1, online=4)))
    with pytest.raises(ValueError, match='take its weight away'):
        tracker.init(scene(), [BOX])


def test_presence_may_depend_on_the_online_model():
    class WithFeatures(BrightEngine):
        def search_features(self, maps):
            return np.ones((1, 2, 32, 32), np.float32)

    engine = WithFeatures(presence=dict(online=4))
    tracker = Tracker(engine)
    [state], _ = tracker.start(scene(), [BOX])
    state.online.weights = np.zeros_like(state.online.weights)
    state.online.weights[-1] = 2.0  # times the constant of the filter, .3: a score of .6 everywhere
    [result] = tracker.find(scene(), [state])
    assert result.score == pytest.approx(1 / (1 + np.exp(-4 * 0.6)))


def test_what_lies_outside_the_given_box_is_not_taken_for_the_target_in_the_first_frame():
    engine = BrightEngine()
    tracker = Tracker(engine)
    frame = scene(width=70)

    [first] = tracker.init(frame, [BOX])

    assert first.mask[40:80, 60:100].all()
    assert first.mask[:, 103:].sum() == 0
    tracker.step(frame)
    assert engine.seen[-1].reference_masks[0, 0].sum() == pytest.approx(
        (80 / 1.75 * 1.04) ** 2, rel=0.1
    )


@pytest.mark.parametrize(
    ('presence', 'expected'),
    [({}, True), (dict(score=1, color=2), True), (dict(score=1), False)],
)
def test_colors_are_kept_where_presence_may_depend_on_them(presence, expected):
    tracker = Tracker(BrightEngine(presence=presence))
    [state], _ = tracker.start(scene(), [BOX])
    assert (state.mask_memory.colors is not None) == expected


def test_a_target_of_another_color_is_lost():
    engine = BrightEngine(presence=dict(bias=-5, color=10))
    tracker = Tracker(engine, replace(engine.params, lost_score=0.5, found_score=0.5))
    tracker.init(scene(), [BOX])
    tinted = scene()
    tinted[..., 0] //= 2
    seen = [tracker.step(frame)[0].visible for frame in (scene(), tinted, scene())]
    assert seen == [True, False, True]


class TwoPeaks(BrightEngine):
    """Scores .9 where the target was, and .7 beside it to the right, 45 px away."""

    def search(self, codes, crops):
        maps = super().search(codes, crops)
        maps.scores[:, 12, 21] = 0.7
        return maps

    def contours(self, maps, locations):
        self.locations = locations
        return super().contours(maps, locations)


def tracker_of_two_peaks(second_peak_score, score=0.9, **mask_options):
    engine = TwoPeaks(score, **(dict(presence=dict(score=1), context=1.2) | mask_options))
    params = replace(engine.params, lost_score=0.3, second_peak_score=second_peak_score)
    return Tracker(engine, params)


@pytest.mark.parametrize(
    ('second_peak_score', 'is_found'), [(0.0, False), (0.69, True), (0.71, False)]
)
def test_a_target_that_left_the_first_peak_is_found_at_the_second(second_peak_score, is_found):
    tracker = tracker_of_two_peaks(second_peak_score)
    tracker.init(scene(), [BOX])
    moved = scene(105, 40)

    [result] = tracker.step(moved)

    assert result.visible == is_found
    if is_found:
        assert result.score == pytest.approx(0.7)
        np.testing.assert_allclose(result.box, [105, 40, 145, 80], atol=1)
        assert iou(result.mask, moved) > 0.9
        assert tracker.engine.locations.tolist() == [12 * 25 + 21]


@pytest.mark.parametrize(('score', 'masks'), [(0.91, 1), (0.89, 2)])
def test_the_second_peak_is_looked_at_where_the_first_is_unsure_alone(score, masks):
    tracker = tracker_of_two_peaks(0.7)
    tracker.init(scene(), [BOX])
    tracker.engine.score = score
    tracker.engine.seen.clear()
    [result] = tracker.step(scene())  # nothing is at the second peak
    assert len(tracker.engine.seen) == masks
    np.testing.assert_allclose(result.box, BOX, atol=2)
    assert result.score == pytest.approx(score)


def test_a_second_peak_that_is_a_little_better_is_taken_after_some_frames():
    tracker = tracker_of_two_peaks(0.6, score=0.6)
    both = scene() | scene(105, 40)
    tracker.init(both, [BOX])
    lefts = [tracker.step(both)[0].box[0] for _ in range(5)]
    # The log odds of .7 and .6 differ by .44, and five times that is above 2.
    np.testing.assert_allclose(lefts, [60, 60, 60, 60, 105], atol=2)


def test_doubt_ends_where_the_first_peak_is_sure_again():
    tracker = tracker_of_two_peaks(0.6, score=0.6)
    both = scene() | scene(105, 40)
    [state], _ = tracker.start(both, [BOX])
    doubts = []
    for score in (0.6, 0.6, 0.95, 0.8):
        tracker.engine.score = score
        tracker.find(both, [state])
        doubts.append(state.doubt)
    assert doubts == pytest.approx([0.442, 0.884, 0, 0], abs=1e-3)


def test_without_weights_of_presence_there_is_no_second_peak():
    tracker = tracker_of_two_peaks(0.7, score=0.4, presence={})
    tracker.init(scene(), [BOX])
    tracker.engine.seen.clear()
    tracker.step(scene(105, 40))
    assert len(tracker.engine.seen) == 1


def test_second_peaks_of_targets_together_are_those_that_each_has_alone():
    boxes = [BOX, [10, 10, 50, 50], [100, 60, 150, 110]]
    frames = [scene(), scene(105, 40), scene(60, 10), scene(96, 60)]
    together = tracker_of_two_peaks(0.6)
    got = [together.init(frames[0], boxes), *map(together.step, frames[1:])]
    for index, box in enumerate(boxes):
        alone = tracker_of_two_peaks(0.6)
        expected = [alone.init(frames[0], [box]), *map(alone.step, frames[1:])]
        for results, [one] in zip(got, expected, strict=True):
            np.testing.assert_array_equal(results[index].box, one.box)
            np.testing.assert_array_equal(results[index].mask, one.mask)
            assert results[index].score == one.score
