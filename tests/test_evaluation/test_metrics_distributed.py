"""Two processes that share the sequences find what one process finds."""

import zipfile

import pytest
from worker_processes import printed_metrics, run_workers

# A process takes the videos and runs that its share names; both finish video 1, as padding does.
WORKER = """
import json, sys
import numpy as np
import torch
from mmpolar.evaluation.metrics import (
    DavisMetric, DumpSubmission, GOT10kMetric, OPEMetric, SpeedMetric, VOTMetric)
from mmpolar.evaluation.vot_runs import run_with_resets
from mmpolar.structures.vot_region import Rectangle

rank, size, store, collect_dir = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
if size > 1:
    torch.distributed.init_process_group('gloo', f'file://{store}', rank=rank, world_size=size)
options = dict(collect_dir=collect_dir) if size > 1 else {}

def mask(box):
    found = torch.zeros(1, 60, 80, dtype=torch.bool)
    x1, y1, x2, y2 = (int(v) for v in box[0])
    found[:, y1:y2, x1:x2] = True
    return found

def frames(video):
    box = torch.tensor([[10.0, 10.0, 40.0, 30.0]])
    for frame in range(6 + video):
        moved = box + (video + 1) * frame * torch.tensor([1.0, 0, 1, 0]) / 2
        yield dict(
            video_name=f'v{video}', video_id=video, frame_id=frame, video_length=6 + video,
            img_path=f'v{video}/{frame:08d}.jpg',
            ori_shape=(60, 80), category='cat' if video % 2 else 'newt',
            track_seconds=0.01 * (frame + video + 1),
            gt_instances=dict(bboxes=box, masks=mask(box)),
            pred_track_instances=dict(
                bboxes=moved, masks=mask(moved), scores=torch.ones(1)))

def run(number):
    rng = np.random.default_rng(number)
    truth = [Rectangle(10, 10, 20, 20)] * 40
    made = run_with_resets(
        truth, lambda frame: None, lambda frame: Rectangle(*rng.uniform(0, 28, 2), 20, 20))
    made.seconds[:] = 0.01 * (number + 1)
    return made.to_sample(f's{number // 2}', 40, number % 2, 2)

share = {(0, 1): range(4), (0, 2): (0, 1), (1, 2): (1, 2, 3)}[rank, size]
values = {}
for make, extra in ((OPEMetric, {}), (GOT10kMetric, {}), (SpeedMetric, {}),
                    (DavisMetric, dict(seen_categories=['cat']))):
    metric = make(**extra, **options)
    for video in share:
        for frame in frames(video):
            metric.process(None, [frame])
    values |= metric.evaluate(size=1)
metric = VOTMetric('reset', interval=(2, 10), **options)
for number in share:
    metric.process(None, [run(number)])
values |= metric.evaluate(size=1)
metric = DumpSubmission('got10k', f'{collect_dir}-results-{size}', **options)
for video in share:
    for frame in frames(video):
        metric.process(None, [frame])
values |= metric.evaluate(size=1)
print('METRICS', json.dumps(values))
if size > 1:
    # Left to the exit of the process, the threads of gloo may end it with an abort.
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
"""


def values(folder, size):
    arguments = (size, folder / 'store', folder / 'collect')
    return printed_metrics(run_workers(WORKER, folder, size, *arguments))


def test_two_processes_find_what_one_finds(tmp_path):
    (alone,) = values(tmp_path, 1)
    first, second = values(tmp_path, 2)
    assert first == second
    assert first == pytest.approx(alone, abs=1e-12)
    prefixes = {name.split('/')[0] for name in alone}
    assert prefixes == {'ope', 'got10k', 'speed', 'davis', 'vot'}
    alone, together = (tmp_path / f'collect-results-{size}/got10k.zip' for size in (1, 2))
    assert read_archive(together) == read_archive(alone)
    assert len(read_archive(alone)) == 2 * 4


def read_archive(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
