"""VOT-LT's precision, recall and F, and the values of VOTS, against loops over frames."""

import numpy as np
import pytest

from mmpolar.evaluation.functional import (
    LongTermTrack,
    absence_scores,
    confidence_thresholds,
    precision_recall,
    quality_scores,
)


def random_track(rng, length=60):
    """A target that leaves; some answers miss, some are empty, some confidences are equal."""
    present, reported = rng.random(length) < 0.7, rng.random(length) < 0.8
    overlaps = np.where(present & reported, rng.random(length) * (rng.random(length) < 0.8), 0.0)
    overlaps[~present & ~reported] = 1.0
    confidences = np.where(reported, rng.integers(0, 12, length) / 12, 0.0)
    return LongTermTrack(overlaps, reported, present, confidences)


def slow_precision_recall(tracks):
    """Lukezic et al., equations 1 to 4, with every confidence as a threshold."""
    best = (0.0, 0.0, 0.0)
    thresholds = {np.inf, -np.inf} | {c for track in tracks for c in track.confidences.tolist()}
    for threshold in sorted(thresholds, reverse=True):
        precisions, recalls = [], []
        for track in tracks:
            total, count = 0.0, 0
            for overlap, here, sure in zip(
                track.overlaps, track.present, track.confidences, strict=True
            ):
                if sure >= threshold:
                    total, count = total + (overlap if here else 0.0), count + 1
            precisions.append(total / count if count else 1.0)
            recalls.append(total / sum(track.present.tolist()))
        p, r = sum(precisions) / len(tracks), sum(recalls) / len(tracks)
        f = 2 * p * r / (p + r) if p + r else 0.0
        if f > best[2]:
            best = p, r, f
    return best


def slow_quality(track):
    """Frames counted as VOTS counts them: tracked, failed, missed, hallucinated, noticed."""
    counts = dict.fromkeys('TFMHN', 0)
    overlaps = []
    for overlap, reported, here in zip(track.overlaps, track.reported, track.present, strict=True):
        if not here:
            counts['H' if reported else 'N'] += 1
        elif overlap > 0:
            counts['T'] += 1
            overlaps.append(overlap)
        else:
            counts['F' if reported else 'M'] += 1
    visible = counts['T'] + counts['F'] + counts['M']
    absent = counts['H'] + counts['N']
    return (
        sum(track.overlaps) / len(track.overlaps),
        sum(overlaps) / len(overlaps),
        counts['T'] / visible,
        counts['M'] / visible,
        counts['F'] / visible,
        counts['N'] / absent if absent > 10 else np.nan,
    )


@pytest.mark.parametrize('seed', range(10))
def test_precision_recall_and_f_equal_a_loop_over_thresholds_and_frames(seed):
    rng = np.random.default_rng(seed)
    tracks = [random_track(rng, length) for length in (60, 25, 40)]
    got = precision_recall(tracks, resolution=500)
    expected = slow_precision_recall(tracks)
    assert (got.precision, got.recall, got.f_score) == pytest.approx(expected)


@pytest.mark.parametrize('seed', range(10))
def test_values_of_vots_equal_a_loop_over_frames(seed):
    track = random_track(np.random.default_rng(seed), length=30 + 3 * seed)
    assert tuple(vars(quality_scores(track)).values()) == pytest.approx(
        slow_quality(track), nan_ok=True
    )


def test_shares_of_absent_and_present_frames_are_those_of_the_lost_state():
    track = random_track(np.random.default_rng(3))
    lost_state = absence_scores(track.present, track.reported, track.overlaps)
    values = quality_scores(track)
    assert values.absence == lost_state.absent_flagged
    assert values.not_reported == lost_state.present_flagged
    assert values.robustness + values.not_reported + values.drift == pytest.approx(1)


def test_a_low_confidence_where_the_target_is_absent_costs_nothing():
    """The frames without the target are below the best threshold; with one confidence they are not."""
    present = np.arange(40) < 30
    overlaps, reported = np.where(present, 0.8, 0.0), np.ones(40, bool)
    sure = LongTermTrack(overlaps, reported, present, np.where(present, 0.9, 0.1))
    blind = LongTermTrack(overlaps, reported, present, np.full(40, 0.9))
    assert precision_recall([sure]).f_score == pytest.approx(0.8)
    assert precision_recall([blind]).precision == pytest.approx(0.6)


def test_thresholds_are_few_and_divide_the_frames_evenly():
    confidences = np.random.default_rng(0).random(5000)
    thresholds = confidence_thresholds(confidences, 52)
    assert thresholds[0] == np.inf
    assert thresholds[-1] == -np.inf
    assert len(thresholds) == 52
    counts = [(confidences >= threshold).sum() for threshold in thresholds]
    assert np.ptp(np.diff(counts)[1:-1]) <= 2


def test_a_target_that_is_in_no_frame_says_nothing():
    nothing = LongTermTrack(np.ones(20), np.zeros(20, bool), np.zeros(20, bool), np.zeros(20))
    there = random_track(np.random.default_rng(1))
    assert precision_recall([nothing, there]) == precision_recall([there])
    assert np.isnan(precision_recall([nothing]).f_score)
    assert quality_scores(nothing).absence == 1


def test_arrays_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match='one value a frame'):
        LongTermTrack(np.ones(3), np.ones(3, bool), np.ones(2, bool), np.ones(3))
