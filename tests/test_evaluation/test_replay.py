"""Stored results are read back, and score as they did when they were written."""

import benchmark_folders as folders
import numpy as np
import pytest
from stored_results import shifted, store_results

from mmpolar.datasets import DavisDataset, OTBDataset
from mmpolar.evaluation.functional import success_auc
from mmpolar.evaluation.metrics import DavisMetric, OPEMetric
from mmpolar.evaluation.replay import TrackReplay, has_masks, missing_videos, score_results
from mmpolar.evaluation.result_folder import ResultFolder


@pytest.fixture(scope='module')
def davis(tmp_path_factory):
    masks = {
        name: [folders.filled(start + i, 4, start + i + 11, 13) for i in range(5)]
        for name, start in (('bear', 3), ('camel', 8))
    }
    masks['camel'][3] = np.zeros((folders.HEIGHT, folders.WIDTH), np.uint8)
    return DavisDataset(
        str(folders.write_davis(tmp_path_factory.mktemp('data'), masks)), test_mode=True
    )


@pytest.fixture(scope='module')
def results(davis, tmp_path_factory):
    folder = tmp_path_factory.mktemp('results') / 'late'
    return ResultFolder(store_results(davis, folder, shifted(2, lost_after=3)))


@pytest.fixture(scope='module')
def otb(tmp_path_factory):
    rows = folders.as_rows(folders.moving_boxes(4))
    root = folders.write_otb(
        tmp_path_factory.mktemp('data'), 'Board', range(1, 5), {'groundtruth_rect.txt': rows}
    )
    return OTBDataset(str(root), test_mode=True)


def test_tracks_are_read_as_they_were_written(davis, results):
    track = davis.get_track(0)
    stored = results.read('bear', track.frames)
    expected = [davis.load_target(0, i).box + [2, 0, 2, 0] for i in range(4)]
    np.testing.assert_allclose(stored.boxes[:4], expected, atol=1e-4)
    assert np.isnan(stored.boxes[4]).all()
    np.testing.assert_allclose(stored.scores[:4], 0.5)
    assert np.isnan(stored.scores[4])
    np.testing.assert_allclose(stored.polygons[0][[0, 2]], stored.boxes[0].reshape(2, 2), atol=1e-3)
    assert stored.polygons[4] is None
    assert [path and path.name for path in stored.mask_paths] == [f'{i:05d}.png' for i in range(5)]


def test_replayed_frames_have_ground_truth_and_answer(davis, results):
    frames = TrackReplay(davis, 1, results)
    assert (frames.name, len(frames)) == ('camel', 5)
    first, absent, lost = frames[0], frames[3], frames[4]
    np.testing.assert_array_equal(first.mask, np.roll(first.gt_mask, 2, axis=1))
    np.testing.assert_allclose(first.box, first.gt_box + [2, 0, 2, 0], atol=1e-4)
    assert first.image_size == (folders.HEIGHT, folders.WIDTH)
    assert absent.annotated
    assert absent.gt_box is None
    assert lost.box is None
    assert not lost.mask.any()
    assert lost.is_last
    assert TrackReplay(davis, 1, results, masks=False)[0].mask is None
    with pytest.raises(IndexError, match='5 frames, not 5'):
        frames[5]


@pytest.mark.parametrize('workers', [0, pytest.param(2, marks=pytest.mark.slow)])
def test_scores_are_those_of_the_metrics(davis, results, workers):
    boxes, masks = score_results(
        davis, results, [OPEMetric(), DavisMetric()], workers=workers, progress=False
    )
    assert [one['video_name'] for one in boxes] == ['bear', 'camel']
    assert [one['n_frames'] for one in masks] == [5, 5]
    # A box of 12 px that is 2 px off covers 10/14; the fifth frame of five is lost.
    ious = np.array([1, 10 / 14, 10 / 14, 10 / 14, 0])
    assert boxes[0]['values']['success'] == pytest.approx(success_auc(ious), abs=1e-4)
    assert boxes[1]['values']['success'] == pytest.approx(success_auc(ious[[0, 1, 2, 4]]), abs=1e-4)
    assert masks[0]['values']['J_mean'] == pytest.approx(10 / 14)
    assert masks[0]['frames']['J'][1:] == pytest.approx([10 / 14] * 3 + [0])
    # Where the target is absent nothing was found: 1.
    assert masks[1]['frames']['J'][1:] == pytest.approx([10 / 14, 10 / 14, 1, 0])


def test_some_tracks_alone_are_scored(davis, results):
    ((only,),) = score_results(davis, results, [OPEMetric()], tracks=[1], progress=False)
    assert (only['video_name'], only['video_id']) == ('camel', 1)


def test_boxes_without_masks(otb, tmp_path):
    results = ResultFolder(store_results(otb, tmp_path / 'boxes_only', shifted(1)))
    assert not results.has_masks
    assert not has_masks(otb)
    frame = TrackReplay(otb, 0, results)[2]
    assert frame.mask is None
    assert frame.polygon is None
    np.testing.assert_allclose(frame.box, frame.gt_box + [1, 0, 1, 0], atol=1e-4)
    assert frame.image_size == (folders.HEIGHT, folders.WIDTH)


def test_masks_of_a_data_set_are_noticed(davis, results):
    assert has_masks(davis)
    assert results.has_masks


def test_missing_tracks_are_named(davis, tmp_path):
    results = ResultFolder(store_results(davis, tmp_path / 'part', shifted(0), tracks=[0]))
    assert missing_videos(davis, results) == ['camel']
    with pytest.raises(FileNotFoundError, match=r"have no track of video 'camel'.*same dataset"):
        TrackReplay(davis, 1, results)


def test_results_of_another_data_set_are_refused(davis, results):
    frames = davis.get_track(0).frames
    with pytest.raises(ValueError, match='5 lines for the 4 frames'):
        results.read('bear', frames[:4])


@pytest.mark.parametrize('text', ['1,2,3\n' * 5, 'x,1,2,3\n' * 5])
def test_files_that_are_no_boxes_are_refused(davis, results, tmp_path, text):
    (tmp_path / 'boxes').mkdir()
    (tmp_path / 'boxes' / 'bear.txt').write_text(text)
    with pytest.raises(ValueError, match=r'bear\.txt'):
        ResultFolder(tmp_path).read('bear', davis.get_track(0).frames)


def test_names_come_from_the_folder_or_the_command_line(results, tmp_path):
    assert ResultFolder.parse(str(results.path)).name == 'late'
    assert ResultFolder.parse(f'ours={results.path}').name == 'ours'
    with pytest.raises(FileNotFoundError, match=r'test\.py CONFIG CHECKPOINT --out'):
        ResultFolder.parse(f'ours={tmp_path}')


def test_repeated_image_names_give_numbered_masks(results):
    frames = [f'{name}/00000.jpg' for name in 'abcde']
    stored = results.read('bear', frames)
    assert [path.name for path in stored.mask_paths] == [f'{i:05d}.png' for i in range(5)]
