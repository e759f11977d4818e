import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmpolar.evaluation.metrics import DavisMetric
from mmpolar.evaluation.metrics.davis_metric import resolve_overlaps


def sample(mask, score, number=0, frame=1, truth=None):
    data = DetDataSample(
        metainfo=dict(frame_id=frame, video_id=number, video_length=2, video_name=f'v-{number}')
    )
    mask = torch.tensor([[mask]], dtype=torch.bool)
    data.pred_track_instances = InstanceData(
        bboxes=torch.zeros(1, 4), scores=torch.tensor([score]), masks=mask
    )
    truth = mask[0].numpy() if truth is None else np.array([truth])
    data.gt_instances = InstanceData(
        bboxes=torch.tensor([[0.0, 0, 1, 1]]), masks=torch.from_numpy(truth).bool()[None]
    )
    return data.to_dict()


def masks_of(samples):
    return [one['pred_track_instances']['masks'].int().tolist() for one in samples]


def test_the_higher_score_keeps_the_pixel():
    given = [sample([1, 1, 0, 0], 0.4), sample([0, 1, 1, 0], 0.9)]
    assert masks_of(resolve_overlaps(given)) == [[[[1, 0, 0, 0]]], [[[0, 1, 1, 0]]]]
    assert masks_of(given) == [[[[1, 1, 0, 0]]], [[[0, 1, 1, 0]]]]


def test_a_single_target_and_boxes_stay_as_they_are():
    given = [sample([1, 1, 0, 0], 0.4)]
    assert masks_of(resolve_overlaps(given)) == masks_of(given)
    boxes = [sample([1, 1, 0, 0], 0.4) for _ in range(2)]
    for one in boxes:
        del one['pred_track_instances']['masks']
    assert resolve_overlaps(boxes) == boxes


@pytest.mark.parametrize(('resolves', 'expected'), [(False, 0.75), (True, 1.0)])
def test_davis_metric_scores_masks_that_do_not_overlap(resolves, expected):
    metric = DavisMetric(skip_last=False, resolve_overlaps=resolves)
    # The first target's mask covers half of the second, which scores higher.
    truth = [[1, 0, 0, 0], [0, 1, 1, 0]]
    frames = [
        [sample(truth[number], 1.0, number, frame=0) for number in range(2)],
        [
            sample([1, 1, 0, 0], 0.4, 0, truth=truth[0]),
            sample([0, 1, 1, 0], 0.9, 1, truth=truth[1]),
        ],
    ]
    for samples in frames:
        metric.process(None, samples)
    assert metric.evaluate(2)['davis/J_mean'] == pytest.approx(expected)
