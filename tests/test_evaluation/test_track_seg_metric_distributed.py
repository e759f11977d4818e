import pytest
from worker_processes import printed_metrics, run_workers

# Rank 0 sees video a whole and the start of b, rank 1 sees b, then a again as padding, and a part of
# c that it never finishes.
WORKER = """
import json, sys
import torch
from mmpolar.evaluation.metrics import TrackSegMetric

rank, store, collect_dir = int(sys.argv[1]), sys.argv[2], sys.argv[3]
torch.distributed.init_process_group('gloo', f'file://{store}', rank=rank, world_size=2)
metric = TrackSegMetric(collect_dir=collect_dir)

def video(name, video_id, shift, frames, length=3):
    for frame in range(frames):
        box = torch.tensor([[10.0, 10.0, 30.0, 30.0]])
        metric.process(None, [dict(
            video_name=name, video_id=video_id, frame_id=frame, video_length=length,
            gt_instances=dict(bboxes=box),
            pred_track_instances=dict(
                bboxes=box + shift * torch.tensor([1.0, 0, 1, 0]), scores=torch.ones(1)))])

if rank == 0:
    video('a', 0, 0, 3)
    video('b', 1, 5, 1)
else:
    video('b', 1, 5, 3)
    video('a', 0, 0, 3)
    video('c', 2, 9, 2)
print('METRICS', json.dumps(metric.evaluate(size=1)))
# Left to the exit of the process, the threads of gloo may end it with an abort.
torch.distributed.barrier()
torch.distributed.destroy_process_group()
"""


def test_two_processes_agree_and_count_each_video_once(tmp_path):
    outputs = run_workers(WORKER, tmp_path, 2, tmp_path / 'store', tmp_path / 'collect')
    values = printed_metrics(outputs)
    assert values[0] == values[1]
    assert values[0]['track/iou'] == pytest.approx((1 + 15 / 25) / 2)
    assert "'c' is left out" in outputs[0]
    assert "'b' is left out" not in outputs[0]
