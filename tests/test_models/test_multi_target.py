"""The test loop with all targets of a video together, and one by one."""

import benchmark_folders as folders
import cv2
import numpy as np
import pytest
from mmengine.dataset import pseudo_collate
from small_export import small_tracker, video
from torch.utils.data import DataLoader

from mmpolar.datasets import MultiTargetDataset, YouTubeVOSDataset
from mmpolar.datasets.samplers import VideoSampler

PIPELINE = [dict(type='LoadTrackFrame'), dict(type='PackTrackInputs')]
STEMS = [f'{5 * number:05d}' for number in range(6)]


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    """Two videos; in the first a second target, a small one, appears late."""
    root = tmp_path_factory.mktemp('data')
    first, second = (np.zeros((240, 320), np.uint8) for _ in range(2))
    first[80:130, 100:160] = 1
    second[150:162, 200:210] = 2
    masks = {'00000': first, '00010': second}
    objects = {'1': STEMS, '2': STEMS[2:]}
    videos = dict(dogs=masks, cats={'00000': first})
    data = folders.write_youtube_vos(
        root, 'valid', videos, dict(dogs=objects, cats={'1': STEMS[:3]})
    )
    for name in videos:
        for frame, path in zip(
            video(), sorted((data / 'valid/JPEGImages' / name).iterdir()), strict=False
        ):
            cv2.imwrite(str(path), frame)
    return YouTubeVOSDataset(str(data), split='valid', test_mode=True, pipeline=PIPELINE)


def run(model, dataset):
    """Predictions by track and frame, and the number of targets in each step."""
    loader = DataLoader(dataset, sampler=VideoSampler(dataset), collate_fn=pseudo_collate)
    found, counts = {}, []
    for batch in loader:
        samples = model.test_step(batch)
        counts.append(len(samples))
        for sample in samples:
            found[sample.video_name, sample.frame_id] = sample
    return found, counts


def test_targets_are_found_together_as_one_by_one(dataset):
    model = small_tracker().model
    alone, counts = run(model, dataset)
    assert counts == [1] * (6 + 4 + 3)
    together, counts = run(model, MultiTargetDataset(dataset))
    assert counts == [1, 1, 2, 2, 2, 2, 1, 1, 1]
    assert together.keys() == alone.keys()
    for key, sample in together.items():
        found, expected = sample.pred_track_instances, alone[key].pred_track_instances
        for name, tolerance in dict(bboxes=1e-4, scores=1e-4, polygons=1e-3).items():
            np.testing.assert_allclose(found[name], expected[name], atol=tolerance)
        assert (found.masks != expected.masks).float().mean() < 1e-4


def test_all_targets_of_a_frame_report_its_time(dataset):
    together, _ = run(small_tracker().model, MultiTargetDataset(dataset))
    times = [together[name, frame].track_seconds for name, frame in (('dogs-1', 3), ('dogs-2', 1))]
    assert times[0] == times[1] > 0


def test_a_track_that_did_not_begin_is_named(dataset):
    batch = pseudo_collate([MultiTargetDataset(dataset)[0, 3]])
    with pytest.raises(RuntimeError, match='VideoSampler'):
        small_tracker().model.test_step(batch)
