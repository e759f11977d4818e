import math

import numpy as np
import pytest

from mmpolar.evaluation.functional import (
    AnchorRun,
    FrameState,
    ResetRun,
    anchor_eao_curve,
    anchor_progress,
    anchor_scores,
    count_failures,
    eao_interval,
    eao_score,
    reset_accuracy,
    reset_eao_curve,
    reset_scores,
)

CODES = {'s': FrameState.START, 'x': FrameState.FAILURE, '.': FrameState.SKIPPED}


def reset_run(text, overlaps=0.5):
    """A run from one letter a frame: s start, t tracked, x failure, . skipped."""
    states = np.array([CODES.get(letter, FrameState.TRACKED) for letter in text])
    values = np.broadcast_to(np.asarray(overlaps, float), len(text))
    return ResetRun(np.where(states == FrameState.TRACKED, values, 0.0), states)


def anchor_run(overlaps, present=True):
    overlaps = np.array(overlaps, float)
    return AnchorRun(overlaps, np.broadcast_to(np.asarray(present), len(overlaps)))


def random_reset_run(rng, length):
    text, frame = '', 0
    while frame < length:
        tracked = int(rng.integers(0, 40))
        text += 's' + 't' * tracked + 'x....'
        frame = len(text)
    text = text[:length]
    return reset_run(text, rng.random(len(text)) * 0.9 + 0.05)


def random_anchor_run(rng, length):
    overlaps = rng.random(length) * 0.9 + 0.1001
    for _ in range(rng.integers(0, 4)):
        start = rng.integers(0, length)
        overlaps[start : start + rng.integers(1, 25)] = rng.choice([0.0, 0.1, 0.05])
    return anchor_run(overlaps, rng.random(length) < 0.95)


def slow_reset_curve(runs):
    """The mean over the fragments that know a length of their mean overlap up to it."""
    fragments = []
    for run in runs:
        fragment = None
        for overlap, state in zip(run.overlaps.tolist(), run.states.tolist(), strict=True):
            if state == FrameState.START:
                fragment = []
            elif state == FrameState.FAILURE:
                fragments.append((fragment, True))
                fragment = None
            elif state == FrameState.TRACKED:
                fragment.append(overlap)
        if fragment is not None:
            fragments.append((fragment, False))
    longest = max(len(fragment) for fragment, _ in fragments)
    curve = [0.0]
    for count in range(1, longest + 1):
        known = [f for f, failed in fragments if failed or len(f) >= count]
        curve.append(sum(sum(f[:count]) / count for f in known) / len(known))
    return curve


def slow_progress(run, threshold=0.1, grace=10):
    left = grace
    for frame, overlap in enumerate(run.overlaps.tolist()):
        overlap = 0.0 if frame == 0 else overlap
        if overlap <= threshold and run.present[frame]:
            left -= 1
            if left == 0:
                return frame + 1 - grace
        else:
            left = grace
    return len(run.overlaps)


def slow_anchor_curve(runs, length):
    curve = [0.0]
    for count in range(1, length):
        values = []
        for run in runs:
            progress, frames = slow_progress(run), len(run.overlaps)
            overlaps = [o if f < progress else 0.0 for f, o in enumerate(run.overlaps.tolist())]
            if count < frames:
                values.append(sum(overlaps[1 : count + 1]) / count)
            elif progress < frames:
                values.append(sum(overlaps[1:]) / (count - 1))
        curve.append(sum(values) / len(values) if values else 0.0)
    return curve


def test_reset_accuracy_leaves_out_burn_in_and_failures():
    # 12 frames of the second fragment are tracked, 9 of them within the burn-in.
    run = reset_run('s' + 't' * 9 + 'x....s' + 't' * 12, np.r_[np.ones(16), np.full(12, 0.3)])
    assert reset_accuracy(run) == pytest.approx(0.3)
    assert count_failures(run) == 1
    overlaps = np.r_[0, np.arange(1, 28) / 100]
    run = reset_run('s' + 't' * 27, overlaps)
    assert reset_accuracy(run) == pytest.approx(overlaps[10:].mean())
    assert reset_accuracy(run, burn_in=1) == pytest.approx(overlaps[1:].mean())


def test_reset_accuracy_without_a_frame_that_counts_is_zero():
    assert reset_accuracy(reset_run('sttttx')) == 0


def test_reset_scores_by_hand():
    first = [reset_run('s' + 't' * 19, 0.8)]
    second = [reset_run('s' + 't' * 20 + 'x....s' + 't' * 13, 0.4), reset_run('s' + 't' * 39, 0.6)]
    scores = reset_scores([first, second])
    assert scores.accuracy == pytest.approx((0.8 * 20 + 0.5 * 40) / 60)
    assert scores.failures == 0.5
    assert scores.robustness == pytest.approx(0.5 * 40 / 60)
    assert scores.failures_per_100 == pytest.approx(100 * 0.5 / 60)
    assert scores.reliability == pytest.approx(math.exp(-30 * (0.5 * 40 / 60) / 30))


def test_reset_curve_by_hand():
    # One fragment fails after 2 frames, one ends with its sequence after 3.
    curve = reset_eao_curve([[reset_run('sttx....sttt', 0.6)]])
    assert curve == pytest.approx([0, 0.6, 0.6, (0.4 + 0.6) / 2])


@pytest.mark.parametrize('seed', range(6))
def test_reset_curve_matches_loops(seed):
    rng = np.random.default_rng(seed)
    runs = [random_reset_run(rng, int(rng.integers(20, 120))) for _ in range(5)]
    np.testing.assert_allclose(reset_eao_curve([runs[:2], runs[2:]]), slow_reset_curve(runs))


def test_a_tracker_that_never_fails_has_its_accuracy_as_eao():
    curve = reset_eao_curve([[reset_run('s' + 't' * 400, 0.7)]])
    assert eao_score(curve, eao_interval('reset', 2018)) == pytest.approx(0.7)


def test_progress_by_hand():
    good, bad = [0.5], [0.1]
    assert anchor_progress(anchor_run(good * 30)) == 30
    assert anchor_progress(anchor_run(good * 12 + bad * 10 + good * 8)) == 12
    assert anchor_progress(anchor_run(good * 12 + bad * 9 + good * 9)) == 30
    # The first frame counts as a failed one.
    assert anchor_progress(anchor_run(good + bad * 9 + good * 20)) == 0
    assert anchor_progress(anchor_run(bad * 5)) == 5


def test_absence_is_no_failure():
    present = np.ones(40, bool)
    present[20] = False
    overlaps = [0.5] * 12 + [0.0] * 17 + [0.5] * 11
    assert anchor_progress(anchor_run(overlaps)) == 12
    assert anchor_progress(anchor_run(overlaps, present)) == 40


@pytest.mark.parametrize('seed', range(20))
def test_progress_matches_loops(seed):
    run = random_anchor_run(np.random.default_rng(seed), 80)
    assert anchor_progress(run) == slow_progress(run)


def test_anchor_scores_by_hand():
    good = anchor_run([0.9] + [0.6] * 29)
    lost = anchor_run([0.9] + [0.4] * 9 + [0.0] * 10)
    scores = anchor_scores([[good], [good, lost]], lengths=[30, 50])
    overlap = 2 * 29 * 0.6 + 9 * 0.4
    assert scores.accuracy == pytest.approx(overlap / (30 + 30 + 10))
    assert scores.robustness == pytest.approx((1 * 30 + 40 / 50 * 50) / 80)


def test_anchor_scores_of_a_tracker_that_tracks_nothing():
    scores = anchor_scores([[anchor_run([0.0] * 30)]], lengths=[30])
    assert (scores.accuracy, scores.robustness) == (0, 0)


@pytest.mark.parametrize('seed', range(5))
def test_anchor_curve_matches_loops(seed):
    rng = np.random.default_rng(seed)
    runs = [random_anchor_run(rng, int(rng.integers(12, 90))) for _ in range(6)]
    curve = anchor_eao_curve([runs[:1], runs[1:]], length=120)
    np.testing.assert_allclose(curve, slow_anchor_curve(runs, 120), atol=1e-12)


def test_eao_is_the_mean_over_both_ends_of_the_interval():
    curve = np.arange(10) / 10
    assert eao_score(curve, (2, 4)) == pytest.approx(0.3)
    assert eao_score(curve, (8, 20)) == pytest.approx(0.85)
    assert math.isnan(eao_score(curve, (10, 20)))


def test_intervals_of_the_years():
    assert eao_interval('reset', 2018) == (100, 356)
    assert eao_interval('anchor', 2022) == (115, 755)
    with pytest.raises(ValueError, match='reset-based protocol must be one of'):
        eao_interval('reset', 2020)
    with pytest.raises(ValueError, match='got 2012'):
        eao_interval('reset', 2012)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"'overlaps': \(2,\), 'states': \(3,\)"):
        ResetRun(np.zeros(2), np.ones(3))
    with pytest.raises(ValueError, match='must begin with a START'):
        reset_run('tts')
    with pytest.raises(ValueError, match="'present'"):
        AnchorRun(np.zeros(2), np.ones(3))
    for sequences in ([], [[]]):
        with pytest.raises(ValueError, match='at least one sequence'):
            reset_scores(sequences)
    with pytest.raises(ValueError, match='1 sequences but 2 lengths'):
        anchor_scores([[anchor_run([0.5])]], lengths=[1, 2])
