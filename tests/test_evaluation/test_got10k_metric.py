import json

import numpy as np
import pytest
from evaluated import evaluate_with

from mmpolar.evaluation.functional import got10k_ious, got10k_scores

SIZE = (60, 80)
BOX = [9.5, 9.5, 29.5, 29.5]


evaluate = evaluate_with('GOT10kMetric')


def files(boxes):
    """Boxes as the benchmark's files have them: corners at integers, x, y, width, height."""
    boxes = np.asarray(boxes, dtype=np.float64)
    return np.concatenate([boxes[:, :2] + 0.5, boxes[:, 2:] - boxes[:, :2]], axis=1)


@pytest.fixture
def video(make_sample):
    def make(pairs, name='a', video_id=0, covers=None):
        flags = [
            {} if covers is None else dict(flags=dict(cover=cover)) for cover in covers or pairs
        ]
        return [
            make_sample(name, frame, len(pairs), *pair, video_id=video_id, size=SIZE, **flag)
            for frame, (pair, flag) in enumerate(zip(pairs, flags, strict=True))
        ]

    return make


def test_values_are_those_of_the_function_over_all_frames(video, tmp_path):
    rng = np.random.default_rng(0)
    samples, ious = [], []
    for number, length in enumerate((12, 5)):
        corner = rng.uniform(-5, 50, (length, 2))
        gt = np.concatenate([corner, corner + rng.uniform(8, 40, (length, 2))], axis=1)
        gt = gt.astype(np.float32)
        pred = (gt + rng.normal(0, 4, gt.shape)).astype(np.float32)
        covers = rng.integers(0, 9, length).tolist()
        pairs = list(zip(gt.tolist(), pred.tolist(), strict=True))
        samples += video(pairs, f'v{number}', number, covers)
        ious.append(got10k_ious(files(pred), files(gt), SIZE, np.array(covers) > 0))
    expected = got10k_scores(ious)
    metrics = evaluate(samples, out_file=str(tmp_path / 'got10k.json'))
    assert metrics['got10k/ao'] == pytest.approx(expected.ao, abs=1e-9)
    assert metrics['got10k/sr50'] == pytest.approx(expected.sr50)
    assert metrics['got10k/sr75'] == pytest.approx(expected.sr75)
    report = json.loads((tmp_path / 'got10k.json').read_text())
    by_name = {sequence['video_name']: sequence['values'] for sequence in report['sequences']}
    assert by_name['v1']['ao'] == pytest.approx(got10k_scores(ious[1]).ao, abs=1e-9)


def test_first_absent_and_covered_frames_do_not_count(video):
    far = [49.5, 39.5, 59.5, 49.5]
    pairs = [(BOX, far), (BOX, BOX), (None, far), (BOX, far)]
    assert evaluate(video(pairs, covers=[8, 8, 0, 0]))['got10k/ao'] == pytest.approx(1)
    assert evaluate(video(pairs))['got10k/ao'] == pytest.approx(0.5)


def test_a_lost_target_counts(video):
    metrics = evaluate(video([(BOX, BOX), (BOX, None)]))
    assert metrics == {'got10k/ao': 0, 'got10k/sr50': 0, 'got10k/sr75': 0}


def test_the_size_of_the_frames_must_be_known(video):
    sample = video([(BOX, BOX)])[0]
    del sample.ori_shape
    with pytest.raises(KeyError, match='ori_shape'):
        evaluate([sample])
