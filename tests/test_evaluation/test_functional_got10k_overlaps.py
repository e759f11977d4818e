import json

import numpy as np
import pytest

from mmpolar.evaluation.functional import got10k_ious, got10k_scores

SIZE = (100, 200)
BOX = [10.0, 10.0, 20.0, 20.0]
NO_BOX = [np.nan] * 4


def random_sequence(rng, length):
    """True boxes, a prediction that wanders off and leaves the image, and the visible eighths."""
    gt = np.concatenate([rng.uniform(0, 80, (length, 2)), rng.uniform(5, 60, (length, 2))], axis=1)
    pred = gt + rng.normal(0, 1, gt.shape) * rng.choice([1, 8, 60], (length, 1))
    pred[:, 2:] = np.abs(pred[:, 2:]) + 1
    return pred, gt, rng.integers(0, 9, length)


def test_values_by_hand():
    pred = [BOX, [10, 10, 20, 20], [20, 10, 20, 20], [90, 10, 20, 20], [10, 10, 16, 20]]
    gt = [BOX] * 5
    ious = got10k_ious(pred, gt, SIZE)
    np.testing.assert_allclose(ious, [1, 200 / 600, 0, 0.8])
    scores = got10k_scores(ious)
    assert scores.ao == pytest.approx((1 + 1 / 3 + 0.8) / 4)
    assert (scores.sr50, scores.sr75) == (0.5, 0.5)


def test_first_frame_and_invisible_frames_do_not_count():
    pred = [[90, 90, 5, 5], BOX, [90, 90, 5, 5], BOX]
    ious = got10k_ious(pred, [BOX] * 4, SIZE, visible=[True, True, False, True])
    np.testing.assert_allclose(ious, [1, 1])
    np.testing.assert_allclose(got10k_ious(pred, [BOX, BOX, NO_BOX, BOX], SIZE), [1, 1])


def test_a_missing_prediction_is_a_miss():
    np.testing.assert_array_equal(got10k_ious([BOX, NO_BOX], [BOX, BOX], SIZE), [0])


def test_cutting_moves_a_corner_without_narrowing_the_box():
    # The prediction starts 10 px left of the image: it is moved to 0 and stays 20 px wide.
    ious = got10k_ious([BOX, [-10, 10, 20, 20]], [BOX, [0, 10, 20, 20]], SIZE)
    np.testing.assert_allclose(ious, [1])
    # At the right border, the width is cut: 10 of 20 px are left.
    ious = got10k_ious([BOX, [190, 10, 20, 20]], [BOX, [190, 10, 10, 20]], SIZE)
    np.testing.assert_allclose(ious, [1])


def test_frames_weigh_the_same_over_sequences():
    scores = got10k_scores([np.ones(3), np.zeros(1)])
    assert (scores.ao, scores.sr50, scores.sr75) == (0.75, 0.75, 0.75)


@pytest.mark.parametrize('ious', [np.zeros(0), [], [np.zeros(0)]])
def test_without_frames_there_are_no_values(ious):
    assert np.isnan(got10k_scores(ious).ao)


def test_a_rate_needs_more_than_its_threshold():
    scores = got10k_scores(np.array([0.5, 0.75, 0.76, 0.2]))
    assert (scores.sr50, scores.sr75) == (0.5, 0.25)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r'\(2, 4\) and \(3, 4\)'):
        got10k_ious(np.zeros((2, 4)), np.zeros((3, 4)), SIZE)
    with pytest.raises(ValueError, match=r'\(3,\) values for 2 frames'):
        got10k_ious([BOX] * 2, [BOX] * 2, SIZE, visible=[True] * 3)
    with pytest.raises(ValueError, match='frame 1 is marked as visible'):
        got10k_ious([BOX] * 2, [BOX, NO_BOX], SIZE, visible=[True, True])


@pytest.mark.parametrize('seed', range(5))
def test_inputs_are_left_as_they_were(seed):
    pred, gt, cover = random_sequence(np.random.default_rng(seed), 6)
    before = pred.copy(), gt.copy()
    got10k_ious(pred - 50, gt, SIZE, cover > 0)
    np.testing.assert_array_equal(pred, before[0])
    np.testing.assert_array_equal(gt, before[1])


def test_equal_to_the_package_of_the_benchmark(tmp_path):
    """The whole report of ``got10k`` over files in its layout; skipped where it is not installed."""
    pytest.importorskip('got10k')
    from got10k.experiments import ExperimentGOT10k

    rng = np.random.default_rng(0)
    names, ious, by_name = ['GOT-10k_Val_000001', 'GOT-10k_Val_000002'], [], {}
    for name, length in zip(names, (40, 25), strict=True):
        pred, gt, cover = random_sequence(rng, length)
        pred = pred.round(3)
        write_sequence(tmp_path, name, gt, cover)
        results = tmp_path / 'results' / 'GOT-10k' / 'ours' / name
        results.mkdir(parents=True)
        np.savetxt(results / f'{name}_001.txt', pred, fmt='%.3f', delimiter=',')
        np.savetxt(results / f'{name}_time.txt', np.full(length, 0.02))
        ious.append(got10k_ious(pred, gt, SIZE, cover > 0))
        by_name[name] = got10k_scores(ious[-1])
    (tmp_path / 'val' / 'list.txt').write_text('\n'.join(names))
    experiment = ExperimentGOT10k(
        str(tmp_path),
        subset='val',
        result_dir=str(tmp_path / 'results'),
        report_dir=str(tmp_path / 'reports'),
    )
    experiment.report(['ours'])
    report = json.loads(
        (tmp_path / 'reports' / 'GOT-10k' / 'ours' / 'performance.json').read_text()
    )
    ours = got10k_scores(ious)
    assert report['ours']['overall']['ao'] == pytest.approx(ours.ao, abs=1e-9)
    curve = report['ours']['overall']['succ_curve']
    assert (curve[50], curve[75]) == pytest.approx((ours.sr50, ours.sr75), abs=1e-9)
    for name, scores in by_name.items():
        theirs = report['ours']['seq_wise'][name]
        assert theirs['ao'] == pytest.approx(scores.ao, abs=1e-9)
        assert theirs['sr'] == pytest.approx(scores.sr50, abs=1e-9)


def write_sequence(root, name, gt, cover):
    folder = root / 'val' / name
    folder.mkdir(parents=True)
    np.savetxt(folder / 'groundtruth.txt', gt, fmt='%.18e', delimiter=',')
    np.savetxt(folder / 'cover.label', cover, fmt='%d')
    for label in ('absence', 'cut_by_image'):
        np.savetxt(folder / f'{label}.label', np.zeros(len(gt)), fmt='%d')
    (folder / 'meta_info.ini').write_text(
        f'[METAINFO]\nurl: none\nresolution: {SIZE[::-1]}\nobject_class: cat\n'
    )
    for number in range(len(gt)):
        (folder / f'{number + 1:08d}.jpg').touch()
