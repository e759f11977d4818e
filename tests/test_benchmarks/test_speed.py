"""python -m benchmarks.speed: its parts at tiny sizes. No test looks at how long anything took."""

import json
import math
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
import torch
from mmengine.config import Config

from benchmarks.speed.peers import load_plain_nanotrack
from mmpolar.model_zoo import available_models

ROOT = Path(__file__).resolve().parents[2]
SLIM = ROOT / 'tests' / 'small_ocean.py'


@pytest.fixture(scope='module')
def peaks():
    from benchmarks.speed.machine import Peaks

    return Peaks(fp32=1e9, bf16=2e9, int8=None, bandwidth=1e9)


@pytest.fixture(scope='module')
def video():
    from benchmarks.speed.videos import make_video

    return make_video((320, 240), 4)


@pytest.fixture(scope='module')
def davis(tmp_path_factory):
    from mmpolar.datasets.synthetic import generate_dataset

    root = tmp_path_factory.mktemp('davis')
    return str(generate_dataset(root, 2, 0, frames=3, size=(160, 120), progress=False))


@pytest.fixture(scope='module')
def family(tmp_path_factory):
    from benchmarks.speed.contenders import build_family

    return build_family('slim', SLIM, tmp_path_factory.mktemp('slim'), 1)


def clockwork(durations):
    """A way whose runs take given times."""
    left = iter(durations)
    return lambda: next(left)


class TestTiming:
    def test_spread_of_values(self):
        from benchmarks.speed.timing import spread

        assert spread([3.0, 1.0, 7.0, 2.0]) == (1.0, 2.5, 7.0)
        with pytest.raises(ValueError, match='no measurement'):
            spread([])

    def test_interleave_runs_all_ways_each_round_and_drops_the_warm_up(self):
        from benchmarks.speed.timing import interleave

        order = []
        ways = {'a': clockwork([9, 1, 2, 3]), 'b': clockwork([8, 4, 5, 6])}
        found = interleave(ways, 3, tick=order.append)
        assert found == {'a': [1, 2, 3], 'b': [4, 5, 6]}
        assert ''.join(order) == 'ab' + 'ab' + 'ba' + 'ab'

    def test_ratios_compare_round_by_round(self):
        from benchmarks.speed.timing import ratios

        assert ratios([1.0, 2.0, 4.0], [2.0, 6.0, 4.0]) == (1.0, 2.0, 3.0)
        with pytest.raises(ValueError, match='longer'):
            ratios([1.0], [1.0, 2.0])

    def test_calls_repeats_until_the_time_is_over_and_once_does_not(self):
        from benchmarks.speed.timing import calls, once

        counts = dict(many=0, one=0)

        def count(name):
            counts[name] += 1

        assert calls(count, 'many', least_seconds=0.005)() > 0
        assert once(count, 'one')() > 0
        assert counts['many'] > 1
        assert counts['one'] == 1


class TestResults:
    def rows(self):
        from benchmarks.speed.results import compare

        seconds = {'ours': [0.001, 0.002], 'theirs': [0.003, 0.004]}
        return compare('a task', seconds, {'ours': ['theirs', 'absent']})

    def test_compare_converts_units_and_compares_with_those_measured(self):
        ours, theirs = self.rows()
        assert ours.values == pytest.approx([1, 2])
        assert ours.unit == 'ms'
        assert list(ours.ratios) == ['theirs']
        assert ours.ratios['theirs'] == pytest.approx((2, 2.5, 3))
        assert theirs.ratios == {}

    def test_compare_gives_rates_of_anything_else(self):
        from benchmarks.speed.results import compare

        (row,) = compare('a task', {'ours': [0.5]}, {}, unit='pairs')
        assert (row.values, row.unit) == ([2.0], 'pairs/s')

    def test_table_shows_medians_ratios_bounds_and_split(self):
        from benchmarks.speed.results import Part, format_part

        rows = self.rows()
        rows[0].gflop, rows[0].bound, rows[0].split = 12.3, 0.5, dict(crop=0.25)
        text = format_part(Part('tracking', rows=rows, remarks=['look here']))
        assert 'theirs 2.50 (2.00 .. 3.00)' in text
        assert 'of which crop 0.250' in text
        assert '12.3' in text
        assert 'note: look here' in text

    def test_json_holds_everything_and_no_nan(self, tmp_path):
        from benchmarks.speed.results import Curve, Part, write_parts

        part = Part('x', self.rows(), [Curve('rays', 'ms', 'draw', [1, 2], [math.nan, math.inf])])
        write_parts([part], dict(repeats=2), tmp_path / 'new' / 'speed.json')
        found = json.loads((tmp_path / 'new' / 'speed.json').read_text())
        assert found['options'] == {'repeats': 2}
        row = found['parts'][0]['rows'][0]
        assert row['spread'] == pytest.approx(dict(minimum=1, median=1.5, maximum=2))
        assert row['ratios']['theirs']['median'] == pytest.approx(2.5)
        assert found['parts'][0]['curves'][0]['y'] == [None, None]


class TestMachine:
    def test_peaks_and_bounds(self):
        from benchmarks.speed.machine import measure_machine

        part, peaks = measure_machine(threads=1, repeats=1, size=64)
        assert min(peaks.fp32, peaks.bf16, peaks.int8, peaks.bandwidth) > 0
        assert peaks.bound(peaks.fp32) == pytest.approx(1)
        assert {row.unit for row in part.rows} == {'GFLOP/s', 'GOP/s', 'GB/s'}
        assert part.facts['torch'] == torch.__version__.split('+')[0] or part.facts['torch']
        assert int(part.facts['cores']) >= 1

    def test_bound_of_numbers_that_were_not_measured_is_unknown(self, peaks):
        assert peaks.bound(1e9, 'int8') is None
        assert peaks.bound(1e9, 'bf16') == pytest.approx(0.5)


class TestClocks:
    def test_flops_of_a_convolution_by_hand(self):
        from benchmarks.speed.clocks import count_flops

        conv = torch.nn.Conv2d(3, 8, 3, bias=False)
        assert count_flops(lambda: conv(torch.zeros(1, 3, 10, 12))) == 2 * 8 * 3 * 9 * 8 * 10

    def test_module_clock_counts_inner_modules_once(self):
        from benchmarks.speed.clocks import ModuleClock

        outer = torch.nn.Sequential(torch.nn.Linear(256, 256), torch.nn.ReLU())
        with ModuleClock(dict(outer=[outer], inner=[outer[0]])) as both:
            for _ in range(20):
                outer(torch.zeros(64, 256))
        with ModuleClock(dict(outer=[outer])) as whole:
            outer(torch.zeros(64, 256))
        assert both.seconds['inner'] > 0
        assert both.seconds['outer'] > 0
        assert both.seconds['outer'] < 20 * both.seconds['inner'] + 20 * whole.seconds['outer']
        assert not outer._forward_hooks


class TestGeometry:
    def test_plain_ways_agree_with_ours(self):
        from benchmarks.speed import plain_geometry as plain
        from benchmarks.speed.geometry import mask_pair, polar_polygon
        from mmpolar.evaluation.functional import boundary_f, region_similarity
        from mmpolar.structures.polar import encode_radii, rasterize_polygon

        pred, gt = mask_pair((96, 128), seed=3)
        assert plain.j_by_pixel(pred, gt) == pytest.approx(region_similarity(pred, gt))
        assert plain.j_by_numpy(pred, gt) == pytest.approx(region_similarity(pred, gt))
        for radius in (1, 3):
            expected = boundary_f(pred, gt, tolerance=radius)
            assert 0 < expected < 1 or radius == 3
            assert plain.f_by_dilation(pred, gt, radius) == pytest.approx(expected)
            assert plain.f_by_distance(pred, gt, radius) == pytest.approx(expected)
        polygon = polar_polygon(24, 60, seed=1)
        np.testing.assert_array_equal(
            plain.fill_by_pixel(polygon, (60, 60)), rasterize_polygon(polygon, (60, 60))
        )
        poles = np.argwhere(gt)[::200, ::-1]
        radii, _ = encode_radii(gt, poles, 12)
        marched = plain.march_radii(gt, poles, 12, 'farthest')
        assert np.mean(np.abs(radii - marched) <= 1) > 0.97

    def test_measure_geometry_has_a_table_for_each_task(self):
        from benchmarks.speed.geometry import OURS, measure_geometry

        sizes = {'tiny': (60, 80)}
        part = measure_geometry(1, n_rays=4, frame_sizes=sizes, fill_size=40, davis_frames=2)
        tasks = list(dict.fromkeys(row.task for row in part.rows))
        assert sum(task.startswith('polar targets') for task in tasks) == 5
        assert {'mask of 72 points in 40 x 40 px', 'J at tiny', 'F at tiny'} <= set(tasks)
        *compared, whole = part.rows
        assert whole.task.startswith('J and F of 2 frames of 854 x 480 px')
        assert whole.values[0] > 0
        for row in compared:
            assert len(row.values) == 1
            assert bool(row.ratios) == (row.way == OURS)


class TestDataPath:
    def test_annotations_for_the_peer_are_the_boxes_of_our_masks(self, davis):
        from benchmarks.speed.data_path import imagenet_vid_annotations
        from mmpolar.datasets import DavisDataset

        found = imagenet_vid_annotations(davis)
        ours = DavisDataset(data_root=davis)
        track = ours.get_track(1)
        images = [image for image in found['images'] if image['video_id'] == 2]
        assert [image['frame_id'] for image in images] == [0, 1, 2]
        boxes = {entry['image_id']: entry['bbox'] for entry in found['annotations']}
        for frame, image in enumerate(images):
            x, y, width, height = boxes[image['id']]
            box = ours.read_target(track, frame).box
            np.testing.assert_allclose([x, y, x + width, y + height], box + 0.5, atol=1e-4)
            assert (image['width'], image['height']) == (160, 120)
            assert image['file_name'] == track.frames[frame]

    def test_time_transforms_leaves_the_pipeline_as_it_was(self, davis):
        from benchmarks.speed.data_path import our_pairs, time_transforms

        dataset = our_pairs(str(SLIM), davis)
        before = list(dataset.pipeline.transforms)
        split = time_transforms(dataset, 2)
        assert dataset.pipeline.transforms == before
        assert len(split) == len(before) + 1


class TestBusy:
    def test_share_that_is_left(self):
        from benchmarks.speed.busy import share_left

        assert share_left(threads=1, load=0, cores=2) == 1
        assert share_left(threads=1, load=1, cores=2) == 1
        assert share_left(threads=1, load=4, cores=2) == pytest.approx(0.4)
        assert share_left(threads=2, load=1, cores=2) == pytest.approx(2 / 3)
        assert share_left(threads=4, load=4, cores=2) == pytest.approx(0.5)

    def test_programs_end_with_the_block(self):
        from benchmarks.speed.busy import busy_programs

        own = psutil.Process()
        before = own.children()
        with busy_programs(2):
            assert len(own.children()) == len(before) + 2
        assert len(own.children()) == len(before)

    def test_rows_of_both_engines_and_a_peer(self, video):
        from benchmarks.speed.busy import measure_busy
        from benchmarks.speed.peers import OpenCVTracker

        peer = {'a peer': OpenCVTracker(cv2.TrackerMIL.create)}
        part = measure_busy(peer, video, 1, loads=(0, 1), steps=2)
        assert len(part.rows) == 2 * (2 + 2 * len(available_models()))
        assert all(len(row.values) == 2 and len(row.percentiles) == 3 for row in part.rows)
        assert all(
            '1.00 times the time beside 0' in row.remark for row in part.rows[: len(part.rows) // 2]
        )


class TestStreams:
    def test_rows_of_one_process_and_of_many(self, monkeypatch, tmp_path):
        from benchmarks.speed import streams

        monkeypatch.setattr(streams, 'available_models', lambda: list(available_models())[:1])
        files = [str(path) for path in load_plain_nanotrack().export(tmp_path)]
        part = streams.measure_streams(1, (1, 2), 0.3, files)
        ways = [row.way.rpartition(', ')[2] for row in part.rows]
        assert ways.count('one process') == 4
        assert ways.count('a process each') == 2
        assert all(row.values[0] > 0 for row in part.rows)
        assert all('p99' in row.remark for row in part.rows)
        assert len(part.remarks) == 2

    def test_a_process_that_ends_is_an_error(self):
        from benchmarks.speed.streams import measure_streams

        with pytest.raises(RuntimeError, match='process that was to be measured ended'):
            measure_streams(1, (1,), 0.3, ['no such file', 'no other'])


class TestTracking:
    def test_step_rows_of_all_forms(self, family, video, peaks):
        from benchmarks.speed.contenders import Contender
        from benchmarks.speed.peers import OpenCVTracker
        from benchmarks.speed.tracking import step_rows

        peer = Contender('a peer', OpenCVTracker(cv2.TrackerMIL.create))
        for one in family.contenders:
            one.peers = ('a peer',)
        rows = step_rows([*family.contenders, peer], video, 'tiny', peaks, 1)
        assert [row.way for row in rows] == [
            'slim, PyTorch',
            'slim, PyTorch bf16',
            'slim, ONNX Runtime',
            'a peer',
        ]
        for row in rows[:3]:
            assert set(row.ratios) == {'a peer'}
            assert {'backbone', 'neck + correlation', 'head', 'contour head'} <= set(row.split)
            assert 'outside the network' in row.split
            p50, p95, p99 = row.percentiles.values()
            assert p50 <= p95 <= p99
        assert rows[0].bound == pytest.approx(rows[0].gflop * 1e3)
        assert rows[1].bound == pytest.approx(rows[0].bound / 2)
        assert rows[3].gflop is None

    def test_forms_of_a_family_follow_the_same_target(self, family, video):
        torch_step, _, runtime = (one.tracker for one in family.contenders)
        for tracker in (torch_step, runtime):
            tracker.init(video.frames[0], video.boxes[0])
        for frame in video.frames[1:]:
            np.testing.assert_allclose(
                torch_step.step(frame).box, runtime.step(frame).box, atol=0.05
            )

    def test_packaged_trackers_are_measured_with_their_weights(self):
        from benchmarks.speed.contenders import packaged_weights
        from benchmarks.speed.tracking import CONFIGS
        from mmpolar.model_zoo import find_checkpoint

        name = 'ocean-polar_effnet-lite0-tiny_natural'
        assert packaged_weights(CONFIGS['tiny']) == str(find_checkpoint(name))
        assert packaged_weights(CONFIGS['r50']) is None
        assert packaged_weights(SLIM) is None

    def test_a_tracker_without_its_mask_stage_keeps_its_weights(self, tmp_path):
        from benchmarks.speed.contenders import packaged_weights, without_mask_stage
        from benchmarks.speed.tracking import CONFIGS
        from mmpolar.apis import init_tracker

        whole = packaged_weights(CONFIGS['tiny'])
        config, checkpoint = without_mask_stage(CONFIGS['tiny'], whole, tmp_path)
        model = init_tracker(config, checkpoint, optimize='none').model
        assert model.mask_stage is None
        state = torch.load(whole, weights_only=True)['state_dict']
        for name, value in model.state_dict().items():
            assert torch.equal(value, state[name].to(value.dtype))

    def test_stage_rows_add_up(self, video):
        from benchmarks.speed.tracking import stage_rows
        from mmpolar.tracking import TrackParams

        rows = stage_rows(video, 'tiny', TrackParams(), 2, seed=0)
        assert [row.way for row in rows] == ['crop', 'decode', 'contour', 'mask', 'together']
        total = np.sum([row.values for row in rows[:-1]], axis=0)
        np.testing.assert_allclose(rows[-1].values, total)

    def test_opencv_box_follows_its_conventions(self, video):
        from benchmarks.speed.peers import OpenCVTracker

        tracker = OpenCVTracker(cv2.TrackerMIL.create)
        tracker.init(video.frames[0], video.boxes[0])
        found, (x, y, width, height) = tracker.step(video.frames[0])
        x1, y1, x2, y2 = video.boxes[0]
        assert found
        np.testing.assert_allclose([x, y, x + width, y + height], [x1, y1, x2, y2], atol=8)

    def test_nanotrack_stand_in_has_the_published_size_and_keeps_its_target(self, tmp_path, video):
        import plain_nanotrack

        from benchmarks.speed.peers import NANOTRACK, opencv_trackers

        net = plain_nanotrack.PlainNanoTrack()
        # The published README gives 334.1 thousand.
        assert sum(value.numel() for value in net.parameters()) == 334078
        trackers, remarks = opencv_trackers(tmp_path)
        assert any('random weights' in remark for remark in remarks)
        tracker = trackers[NANOTRACK]
        tracker.init(video.frames[0], video.boxes[0])
        for frame in video.frames[1:]:
            found, (x, y, width, height) = tracker.step(frame)
        x1, y1, x2, y2 = video.boxes[0]
        assert found
        middle = [x + width / 2, y + height / 2]
        np.testing.assert_allclose(middle, [(x1 + x2) / 2, (y1 + y2) / 2], atol=12)
        assert 0.5 < width * height / ((x2 - x1) * (y2 - y1)) < 2

    def test_missing_peers_are_named(self, tmp_path):
        from benchmarks.speed.peers import opencv_trackers

        files = ['nowhere.onnx', 'nowhere.onnx']
        with pytest.raises(FileNotFoundError, match='nowhere.onnx'):
            opencv_trackers(tmp_path, files)
        trackers, remarks = opencv_trackers(tmp_path)
        for name in ('OpenCV CSRT', 'OpenCV KCF'):
            assert (name in trackers) != any(name in remark for remark in remarks)

    def test_video_shows_its_target_all_the_time(self, video):
        assert len(video.frames) == len(video.boxes) == 4
        for frame, box in zip(video.frames, video.boxes, strict=True):
            assert frame.shape == (240, 320, 3)
            assert np.prod(box[2:] - box[:2]) > 400


class TestGrowth:
    def test_slim_form_of_the_measured_config_can_be_exported(self, tmp_path):
        from benchmarks.speed.growth import _SLIM, _export
        from benchmarks.speed.tracking import CONFIGS

        slim = Config.fromfile(CONFIGS['tiny'])
        slim.merge_from_dict(_SLIM)
        assert (_export(slim, tmp_path) / 'model.json').is_file()

    @pytest.mark.slow
    def test_curves_and_image(self, tmp_path):
        from benchmarks.speed.growth import FRAMES, MEMORY, RAYS, WIDTH, measure_growth, plot_growth

        config = Config.fromfile(SLIM)
        config.model.backbone.init_cfg = None
        path = tmp_path / 'slim.py'
        config.dump(path)
        part = measure_growth(1, path, ['480p'], [], [3, 6], long_frames=10)
        assert {curve.quantity for curve in part.curves} == {WIDTH, RAYS, FRAMES}
        for curve in part.curves:
            assert len(curve.x) == len(curve.y) > 0
            assert min(curve.y) > 0
        long = [c for c in part.curves if (c.quantity, c.measure) == (FRAMES, MEMORY)]
        assert [curve.name for curve in long] == ['PyTorch', 'ONNX Runtime']
        assert long[0].x == list(range(1, 11))
        plot_growth(part.curves, tmp_path / 'new' / 'growth.png')
        assert cv2.imread(str(tmp_path / 'new' / 'growth.png')).shape[0] > 700

    def test_workers_measure_every_block(self, family):
        from benchmarks.speed.growth import _finish, _start

        folder = family.contenders[-1].tracker.engine.folder
        options = dict(width=160, height=120, targets=2, frames=6, block=2)
        found = _finish(_start(folder, **options))
        assert found['frame'] == [2, 4, 6]
        assert len(found['ms']) == len(found['mib']) == 3
        with pytest.raises(RuntimeError, match='no model folder'):
            _finish(_start(folder / 'none'))

    def test_memory_that_grows_is_not_flat(self):
        from benchmarks.speed.growth import FRAMES, MEMORY, _growth_of_memory
        from benchmarks.speed.results import Curve

        x = list(range(100))
        flat = Curve(FRAMES, MEMORY, 'a', x, [100.0] * 5 + [120.0] * 95)
        grows = Curve(FRAMES, MEMORY, 'b', x, [100.0 + 0.2 * value for value in x])
        assert _growth_of_memory(flat)['flat']
        assert not _growth_of_memory(grows)['flat']

    def test_worker_needs_no_pytorch(self):
        code = 'import sys, benchmarks.speed.growth_worker, mmpolar.runtime; print("torch" in sys.modules)'
        done = subprocess.run(
            [sys.executable, '-c', code],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == ['False']


class TestAccelerator:
    def test_rows_are_the_same_on_a_cpu(self, video, davis, peaks):
        from benchmarks.speed.accelerator import measure_accelerator

        part = measure_accelerator(
            'cpu', peaks, 1, {'slim': SLIM}, video, davis, (1, 2), train_batch=2, compiled=False
        )
        ways = [(row.task, row.way) for row in part.rows]
        assert ways == [
            ('slim, network, batch 1', 'fp32'),
            ('slim, network, batch 1', 'bf16'),
            ('slim, network, batch 2', 'fp32'),
            ('slim, network, batch 2', 'bf16'),
            ('slim, tracking step, 320 x 240', 'whole step'),
            ('slim, training step of 2 pairs', 'fp32'),
            ('slim, training step of 2 pairs', 'bf16'),
        ]
        assert {row.unit for row in part.rows} == {'frames/s', 'pairs/s'}
        assert part.rows[0].bound == pytest.approx(1 / part.rows[0].gflop)
        assert set(part.rows[-1].split) == {
            'to the device, ms',
            'forward, ms',
            'backward, ms',
            'update, ms',
        }
        assert part.rows[-1].gflop > part.rows[0].gflop

    def test_agreement_of_a_device_with_the_cpu(self, video, davis):
        """With the CPU as the device: the same paths, bfloat16 in place of float16."""
        from benchmarks.speed.agreement import measure_agreement

        [model] = list(available_models())[:1]
        part = measure_agreement('cpu', [model], SLIM, video, davis, steps=4, batch=2)
        exact, half, training = part.rows
        assert exact.values == pytest.approx([1] * (len(video.frames) - 1))
        assert 0.5 < min(half.values) < 1
        assert 0 < training.values[0] < 0.5
        assert all(np.isfinite(part.facts['losses']['device']))
        assert len(part.facts['losses']['cpu']) == 4

    def test_what_does_not_agree_is_named(self, video, davis, monkeypatch):
        from benchmarks.speed import agreement

        boxes = iter([np.array([[0.0, 0, 10, 10]]), np.array([[0.0, 0, 10, 8]])] * 2)
        last = np.array([[0.0, 0, 10, 9.5]])
        monkeypatch.setattr(agreement, 'follow', lambda *_: next(boxes, last))
        monkeypatch.setattr(agreement, 'train', lambda *args: [1.0] if not args[4] else [1.2])
        part = agreement.measure_agreement('cpu', list(available_models())[:1], SLIM, video, davis)
        wrong = [remark for remark in part.remarks if remark.startswith('DOES NOT AGREE')]
        assert len(wrong) == 2
        assert 'float32' in wrong[0]
        assert 'mean loss' in wrong[1]

    @pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
    def test_without_a_gpu_it_says_so(self):
        from benchmarks.speed.accelerator import measure_accelerator

        part = measure_accelerator('cuda', None, 1, {}, None, '')
        assert part.rows == []
        assert 'no CUDA device' in part.remarks[0]


class TestCommand:
    def run(self, *options):
        return subprocess.run(
            [sys.executable, '-m', 'benchmarks.speed', *options],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )

    def test_prints_tables_and_writes_json(self, davis, tmp_path):
        path = tmp_path / 'speed.json'
        done = self.run(
            '--only', 'data', 'gpu', '--data', davis, '--pairs', '4', '--repeats', '2',
            '--threads', '1', '--matrix-size', '64', '--json', str(path),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found = json.loads(path.read_text())
        assert found['options']['threads'] == 1
        assert [part['name'] for part in found['parts']] == ['machine', 'data', 'gpu']
        for part in found['parts']:
            assert f'== {part["name"]} ==' in done.stdout
        ours, theirs, whole = found['parts'][1]['rows']
        assert set(ours['ratios']) == {theirs['way'], whole['way']}
        assert len(ours['values']) == len(theirs['values']) == 2
        assert {'sample a pair', 'CropPair', 'GeneratePolarTarget'} <= set(ours['split'])
        assert {'PairSampling', 'CropLikeSiamFC', 'SeqShiftScaleAug'} <= set(theirs['split'])
        assert set(whole['split']) - set(theirs['split']) == {'SeqColorAug', 'SeqBlurAug'}

    @pytest.mark.parametrize(
        ('options', 'message'),
        [
            (['--repeats', '0'], '--repeats must be at least 1'),
            (['--only', 'nothing'], 'invalid choice'),
            (['--checkpoint', 'tiny'], '--checkpoint takes MODEL=FILE'),
            (['--nanotrack-head', 'head.onnx'], 'NanoTrack is two files'),
            (['--data', 'no/such/folder'], 'there is no no/such/folder'),
        ],
    )
    def test_refuses_wrong_options(self, options, message, capsys):
        from benchmarks.speed.__main__ import parse_args

        with pytest.raises(SystemExit) as error:
            parse_args(options)
        assert error.value.code == 2
        assert message in capsys.readouterr().err
