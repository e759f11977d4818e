"""The lost state is fitted and measured as docs/lost.md says."""

import json

import cv2
import numpy as np
import pytest

from benchmarks import presence
from mmpolar.datasets.synthetic import generate_dataset
from mmpolar.structures.polar import mask_to_box
from mmpolar.tracking.mask_stage import PRESENCE_FEATURES
from mmpolar.utils.image import read_image


def test_regression_finds_the_weights_that_labels_were_sampled_with():
    rng = np.random.default_rng(0)
    features = np.hstack([np.ones((20_000, 1)), rng.normal(0, (1.0, 0.1), (20_000, 2))])
    weights = np.array([0.5, 1.5, -8.0])
    labels = rng.random(20_000) < 1 / (1 + np.exp(-(features @ weights)))
    # The ridge draws weights towards 0.
    found = presence.logistic_regression(features, labels)
    assert found == pytest.approx(weights, rel=0.2)
    assert np.sign(found).tolist() == [1, 1, -1]


def test_thresholds_are_quantiles_of_the_frames_with_the_target():
    rng = np.random.default_rng(1)
    features = dict(bias=np.ones(2000), score=rng.normal(size=2000), color=rng.normal(size=2000))
    is_target = features['score'] + rng.normal(size=2000) > 0
    settings = presence.fit(features, is_target, falsely_lost=0.02)
    assert list(settings.presence) == list(features)
    logits = sum(settings.presence[name] * values for name, values in features.items())
    shares = 1 / (1 + np.exp(-logits[is_target]))
    assert (shares < settings.lost_score).mean() == pytest.approx(0.02, abs=0.005)
    assert (shares < settings.found_score).mean() == pytest.approx(presence.BELOW_FOUND, abs=0.02)


@pytest.mark.parametrize('seed', range(5))
def test_a_cut_moves_the_target_within_the_frame(seed):
    mask = np.zeros((360, 480), np.uint8)
    mask[100:180, 200:260] = 1
    matrix = presence.cut_matrix(np.random.default_rng(seed), mask)
    moved = cv2.warpAffine(mask, matrix, presence.SIZE, flags=cv2.INTER_NEAREST)
    sides = np.diff(mask_to_box(moved).reshape(2, 2), axis=0)[0]
    zoom = matrix[0, 0]
    assert 0.5 <= zoom <= 2
    np.testing.assert_allclose(sides, zoom * np.array([60, 80]), atol=2)


def test_shares_are_those_of_all_frames():
    present = np.array([1, 1, 0, 0, 1, 1])
    visible = np.array([1, 0, 0, 1, 0, 1])
    overlaps = np.array([0.8, 0.6, np.nan, np.nan, 0.2, 0.7])
    after = np.array([0, 0, 1, 1, 1, 1])
    track = np.stack([present, visible, overlaps, after]).astype(float)
    values = presence.summarize([track], cut=False)
    assert values['absent_flagged'] == 1 / 2
    assert values['present_flagged'] == 2 / 4
    assert values['box_iou'] == pytest.approx(0.575)
    assert (values['found_again'], values['recovery']) == (1, 2)
    cut = presence.summarize([track], cut=True)
    assert cut['present_flagged'] == 1 / 2
    assert cut['recovery'] == 4


@pytest.mark.parametrize(
    'options', [['--videos', '0'], ['--fit-videos', '0'], ['--falsely-lost', '1.5']]
)
def test_wrong_options_are_explained(options, capsys):
    with pytest.raises(SystemExit):
        presence.main(options)
    assert f'{options[0]} must' in capsys.readouterr().err


def davis_folder(root, names):
    """A folder of DAVIS with some videos of 4 frames."""
    generate_dataset(root, num_train=len(names), num_val=0, frames=4, progress=False)
    (root / presence.TRAINING_LIST).write_text(''.join(f'{name}\n' for name in names))
    return root


@pytest.mark.parametrize(
    ('names', 'message'),
    [
        (['train-0000'], 'names one video'),
        (['train-0000', 'none'], 'none lacks images'),
        (None, 'is no folder of DAVIS'),
    ],
)
def test_a_folder_without_videos_to_fit_to_is_explained(names, message, tmp_path, capsys):
    folder = tmp_path / 'davis'
    if names is not None:
        davis_folder(folder, names)
    with pytest.raises(SystemExit):
        presence.main(['--fit', '--data', str(folder)])
    assert message in capsys.readouterr().err


def test_real_videos_are_shown_with_and_without_their_target(tmp_path):
    folder = davis_folder(tmp_path / 'davis', ['train-0000', 'train-0001'])
    args = presence.parse_args(['--fit-videos', '1', '--data', str(folder)])
    _, *real = presence.fitting_videos(args)
    areas = [[cv2.countNonZero(mask) / full for _, mask, full in frames] for frames in real]
    assert areas == [[1, 1, 1, 1], [1, 0, 0, 0, 0]] * 2
    [first, *others] = [frame for frame, _, _ in presence.frames_without_target(*args.real_videos)]
    np.testing.assert_array_equal(first, read_image(args.real_videos[0].frames[0]))
    for frame, path in zip(others, args.real_videos[1].frames, strict=True):
        np.testing.assert_array_equal(frame, read_image(path))


@pytest.mark.slow
def test_command_fits_weights_to_videos_in_which_the_target_leaves(tmp_path, capsys):
    out = tmp_path / 'presence.json'
    options = ['--fit', '--fit-videos', '2', '--videos', '1', '--threads', '1', '--out', str(out)]
    data = davis_folder(tmp_path / 'davis', ['train-0000', 'train-0001'])
    assert presence.main([*options, '--data', str(data)]) == 0
    settings = json.loads(out.read_text())['settings']
    assert set(settings['presence']) <= set(PRESENCE_FEATURES)
    assert 0 < settings['lost_score'] < settings['found_score'] < 1


@pytest.mark.slow
def test_command_measures_both_states(tmp_path, capsys):
    out = tmp_path / 'presence.json'
    assert presence.main(['--videos', '1', '--threads', '1', '--out', str(out)]) == 0
    report = json.loads(out.read_text())
    assert report['videos']['off']['absent_flagged'] == 0
    assert 0 <= report['videos']['on']['absent_flagged'] <= 1
    assert '| cuts |' in capsys.readouterr().out
