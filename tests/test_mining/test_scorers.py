import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmpolar.mining import MaxDetectionScore, MaxTrackScore
from mmpolar.registry import TASK_UTILS


def detected(scores, labels):
    sample = DetDataSample()
    sample.pred_instances = InstanceData(
        scores=torch.tensor(scores), labels=torch.tensor(labels, dtype=torch.long)
    )
    return sample


SAMPLES = [
    detected([0.2, 0.9, 0.5], [0, 1, 2]),
    detected([], []),
    detected([0.25], [2]),
]


def test_an_image_scores_as_its_best_detection():
    assert MaxDetectionScore()(SAMPLES) == pytest.approx([0.9, 0, 0.25])


@pytest.mark.parametrize(
    ('labels', 'expected'),
    [([0], [0.2, 0, 0]), ([2, 0], [0.5, 0, 0.25]), ([7], [0, 0, 0])],
)
def test_only_the_named_classes_count(labels, expected):
    scorer = TASK_UTILS.build(dict(type='MaxDetectionScore', labels=labels))
    assert scorer(SAMPLES) == pytest.approx(expected)


def test_scores_of_any_precision_are_floats():
    sample = detected([0.5], [0])
    sample.pred_instances.scores = sample.pred_instances.scores.bfloat16()
    (score,) = MaxDetectionScore()([sample])
    assert score == 0.5
    assert isinstance(score, float)


def test_a_score_that_is_not_a_number_is_not_hidden():
    (score,) = MaxDetectionScore()([detected([0.1, float('nan')], [0, 1])])
    assert score != score


def test_no_samples_no_scores():
    assert MaxDetectionScore()([]) == []


def test_a_search_region_scores_as_the_track():
    samples = [DetDataSample(), DetDataSample()]
    samples[0].pred_track_instances = InstanceData(scores=torch.tensor([0.75]))
    samples[1].pred_track_instances = InstanceData(scores=torch.zeros(0))
    assert TASK_UTILS.build(dict(type='MaxTrackScore'))(samples) == [0.75, 0]


def test_answers_without_scores_are_named():
    with pytest.raises(ValueError, match=r'without pred_track_instances.scores .*pred_instances'):
        MaxTrackScore()(SAMPLES)
    with pytest.raises(ValueError, match='without pred_instances.scores'):
        MaxDetectionScore()([DetDataSample()])


def test_no_classes_at_all_are_refused():
    with pytest.raises(ValueError, match='labels of MaxDetectionScore is empty'):
        MaxDetectionScore(labels=[])
