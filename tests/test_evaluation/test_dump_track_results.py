import json

import numpy as np
import pytest
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from PIL import Image

from mmpolar.evaluation.metrics.dump_track_results import DumpTrackResults
from mmpolar.utils.image import read_mask


def target_mask(size=(60, 80), left=10):
    mask = np.zeros(size, np.uint8)
    mask[20:40, left : left + 20] = 1
    return mask


@pytest.fixture
def video(make_sample):
    """Three frames: given target, found target with contour, nothing found."""

    def make(name='a', video_id=0, **options):
        box, mask = [9.5, 19.5, 29.5, 39.5], target_mask()
        polygon = [[9.5, 19.5], [29.5, 19.5], [19.25, 39.5]]
        return [
            make_sample(name, 0, 3, box, box, None, mask, 1.0, video_id=video_id, **options),
            make_sample(
                name,
                1,
                3,
                box,
                box,
                None,
                mask,
                0.25,
                video_id=video_id,
                polygon=polygon,
                **options,
            ),
            make_sample(name, 2, 3, box, None, None, mask, video_id=video_id, **options),
        ]

    return make


def dump(samples, out_dir):
    evaluator = Evaluator(dict(type='mmpolar.DumpTrackResults', out_dir=str(out_dir)))
    for sample in samples:
        evaluator.process([sample])
    return evaluator.evaluate(len(samples))


def test_masks_read_back_as_davis_palette_images(video, tmp_path):
    assert dump(video(), tmp_path) == {}
    folder = tmp_path / 'masks' / 'a'
    assert sorted(file.name for file in folder.iterdir()) == ['00000.png', '00001.png', '00002.png']
    with Image.open(folder / '00001.png') as image:
        assert image.mode == 'P'
        assert image.getpalette()[:9] == [0, 0, 0, 128, 0, 0, 0, 128, 0]
        assert image.convert('RGB').getpixel((15, 25)) == (128, 0, 0)
    np.testing.assert_array_equal(read_mask(folder / '00001.png'), target_mask())
    nothing = read_mask(folder / '00002.png')
    assert nothing.shape == (60, 80)
    assert not nothing.any()


def test_boxes_and_scores_read_back(video, tmp_path):
    dump(video(), tmp_path)
    boxes = np.loadtxt(tmp_path / 'boxes' / 'a.txt', delimiter=',')
    # Pixel corners at integers: columns 10..29 and rows 20..39 are 10, 20, width 20, height 20.
    np.testing.assert_allclose(boxes, [[10, 20, 20, 20], [10, 20, 20, 20], [0, 0, 0, 0]])
    np.testing.assert_allclose(np.loadtxt(tmp_path / 'boxes' / 'a_scores.txt'), [1, 0.25, 0])


def test_polygons_read_back(video, tmp_path):
    dump(video(), tmp_path)
    frames = json.loads((tmp_path / 'polygons' / 'a.json').read_text())
    assert [frame['frame'] for frame in frames] == [0, 1, 2]
    assert frames[1]['polygon'] == [[9.5, 19.5], [29.5, 19.5], [19.25, 39.5]]
    assert frames[1]['score'] == 0.25
    assert frames[0]['polygon'] is None
    assert frames[2]['polygon'] is None


def test_mask_files_are_named_like_the_images(make_sample, tmp_path):
    box, mask = [0, 0, 9, 9], target_mask()
    samples = [
        make_sample('a', frame, 2, box, box, None, mask, img_path=f'/x/img{frame + 7}.jpg')
        for frame in range(2)
    ]
    dump(samples, tmp_path)
    names = sorted(file.name for file in (tmp_path / 'masks' / 'a').iterdir())
    assert names == ['img7.png', 'img8.png']


def test_repeated_image_names_give_way_to_frame_numbers(make_sample, tmp_path):
    box, mask = [0, 0, 9, 9], target_mask()
    samples = [
        make_sample('a', frame, 2, box, box, None, mask, img_path=f'/x/{frame}/image.jpg')
        for frame in range(2)
    ]
    dump(samples, tmp_path)
    names = sorted(file.name for file in (tmp_path / 'masks' / 'a').iterdir())
    assert names == ['00000.png', '00001.png']


def test_frames_may_change_their_size(make_sample, tmp_path):
    box = [0, 0, 9, 9]
    samples = [
        make_sample('a', i, 2, box, box, None, target_mask(size), size=size)
        for i, size in enumerate([(60, 80), (50, 100)])
    ]
    dump(samples, tmp_path)
    shapes = [read_mask(file).shape for file in sorted((tmp_path / 'masks' / 'a').iterdir())]
    assert shapes == [(60, 80), (50, 100)]


def test_names_with_slashes_make_folders_and_never_leave_the_output(video, tmp_path):
    out = tmp_path / 'out'
    dump(video('set/a', 0) + video('../../b', 1) + video('/c:d', 2), out)
    assert (out / 'boxes' / 'set' / 'a.txt').is_file()
    assert (out / 'masks' / 'set' / 'a' / '00000.png').is_file()
    assert (out / 'boxes' / '%2E%2E' / '%2E%2E' / 'b.txt').is_file()
    assert (out / 'boxes' / '%' / 'c%3Ad.txt').is_file()
    assert [path.name for path in tmp_path.iterdir()] == ['out']


def test_a_video_is_on_disk_as_soon_as_it_is_finished(video, tmp_path):
    metric = DumpTrackResults(str(tmp_path))
    first, second = video('a', 0), video('b', 1)
    for sample in first + second[:2]:
        metric.process(None, [sample.to_dict()])
    assert (tmp_path / 'boxes' / 'a.txt').is_file()
    assert not (tmp_path / 'boxes' / 'b.txt').exists()
    metric.process(None, [second[2].to_dict()])
    assert (tmp_path / 'boxes' / 'b.txt').is_file()


def test_unfinished_videos_are_named(video, tmp_path):
    log = tmp_path / 'run.log'
    MMLogger.get_instance(f'dump_{tmp_path.name}', log_file=str(log))
    dump(video('a', 0) + video('b', 1)[:2], tmp_path / 'out')
    assert 'results of 1 videos are in' in log.read_text()
    assert 'results of 1 videos are not written' in log.read_text()
    assert ': b;' in log.read_text()


def test_box_trackers_without_ground_truth_give_boxes_only(video, tmp_path):
    samples = video()
    for sample in samples:
        del sample.gt_instances
        del sample.pred_track_instances.masks
        sample.pred_track_instances.pop('polygons', None)
        del sample.ori_shape
    dump(samples, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['boxes']


def test_measured_times_are_written_and_unknown_ones_are_nan(video, tmp_path):
    samples = video()
    for sample, seconds in zip(samples, [0.5, 0.0125], strict=False):
        sample.set_metainfo(dict(track_seconds=seconds))
    dump(samples, tmp_path)
    times = np.loadtxt(tmp_path / 'boxes' / 'a_seconds.txt')
    np.testing.assert_array_equal(times, [0.5, 0.0125, np.nan])


def test_a_tracker_that_measures_nothing_gets_no_file_of_times(video, tmp_path):
    (tmp_path / 'boxes').mkdir()
    (tmp_path / 'boxes' / 'a_seconds.txt').write_text('an earlier test')
    dump(video(), tmp_path)
    assert not (tmp_path / 'boxes' / 'a_seconds.txt').exists()


def test_two_videos_of_one_name_are_refused(video, tmp_path):
    with pytest.raises(ValueError, match="two videos are called 'a'"):
        dump(video('a', 0) + video('a', 1), tmp_path)
