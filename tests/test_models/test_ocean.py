import time

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import BaseDataElement, InstanceData
from small_export import state_of

from mmpolar.models import Ocean, TrackDataPreprocessor
from mmpolar.models.trackers import TorchEngine
from mmpolar.registry import MODELS
from mmpolar.structures.polar import decode_points, encode_radii
from mmpolar.tracking import SingleTargetTracker
from mmpolar.utils.torch_threads import torch_threads

SIZE, N_RAYS = 25, 12


def tiny_ocean(**changes):
    """An Ocean on two stages of EfficientNet-Lite0, narrow and without pretrained weights."""
    torch.manual_seed(0)
    config = dict(
        type='Ocean',
        data_preprocessor=dict(
            type='TrackDataPreprocessor', mean=[127.0] * 3, std=[128.0] * 3, bgr_to_rgb=True
        ),
        backbone=dict(type='EfficientNetLite0', out_indices=(2,)),
        neck=dict(type='AdjustNeck', in_channels=[40], out_channels=8, template_cells=8),
        head=dict(type='OceanHead', in_channels=8, feat_channels=8, num_convs=1, box_bias=3.5),
        mask_head=dict(type='PolarContourHead', in_channels=8, num_convs=1, n_rays=N_RAYS),
    )
    return MODELS.build(config | changes)


def tracker_of(model):
    return SingleTargetTracker(TorchEngine(model))


def disc_sample(present=True, with_mask=True, center=(130.0, 120.0), radius=30.0):
    """A training pair whose target is a disc in the search crop."""
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:255, :255]
    mask = ((cols - center[0]) ** 2 + (rows - center[1]) ** 2 <= radius**2).astype(np.uint8)
    search = rng.integers(0, 120, (3, 255, 255), dtype=np.uint8)
    search[:, mask > 0] += 100
    template = rng.integers(0, 120, (3, 127, 127), dtype=np.uint8)
    template[:, 33:94, 33:94] += 100
    box = [center[0] - radius, center[1] - radius, center[0] + radius, center[1] + radius]
    sample = DetDataSample()
    sample.gt_instances = InstanceData(bboxes=torch.tensor([[33.0, 33, 94, 94]]),
                                       labels=torch.tensor([1]))  # fmt: skip
    sample.search_gt_instances = InstanceData(
        bboxes=torch.tensor([box]), labels=torch.tensor([int(present)])
    )
    if present and with_mask:
        axis = (np.arange(SIZE) - SIZE // 2) * 8 + 127
        x, y = np.meshgrid(axis, axis)
        poles = np.stack([x.ravel(), y.ravel()], -1).astype(np.float64)
        radii, _ = encode_radii(mask, poles, N_RAYS)
        sample.polar_targets = BaseDataElement(
            radii=torch.from_numpy(radii.T.reshape(N_RAYS, SIZE, SIZE).copy()),
            positive=torch.from_numpy(mask[y, x] > 0),
            centerness=torch.ones(SIZE, SIZE),
        )
    inputs = dict(img=torch.from_numpy(template)[None], search_img=torch.from_numpy(search)[None])
    return dict(inputs=inputs, data_samples=sample)


def batch(model, samples):
    data = dict(
        inputs={
            key: [sample['inputs'][key] for sample in samples] for key in ('img', 'search_img')
        },
        data_samples=[sample['data_samples'] for sample in samples],
    )
    return model.data_preprocessor(data, training=True)


def moving_disc(frames=6, size=(240, 320), radius=20, step=(6, 3)):
    """Frames of a bright textured disc that moves over a dark background, and its boxes."""
    rng = np.random.default_rng(1)
    background = rng.integers(0, 60, (*size, 3), dtype=np.uint8)
    texture = rng.integers(150, 255, (*size, 3), dtype=np.uint8)
    rows, cols = np.mgrid[: size[0], : size[1]]
    for index in range(frames):
        x, y = 100 + step[0] * index, 90 + step[1] * index
        mask = (cols - x) ** 2 + (rows - y) ** 2 <= radius**2
        frame = np.where(mask[..., None], texture, background)
        yield (
            frame,
            np.array([x - radius - 0.5, y - radius - 0.5, x + radius + 0.5, y + radius + 0.5]),
        )


def test_loss_names_every_term_and_all_are_finite():
    model = tiny_ocean().train()
    samples = [disc_sample(), disc_sample(with_mask=False), disc_sample(present=False)]
    losses = model(**batch(model, samples), mode='loss')
    assert set(losses) == {'loss_cls', 'loss_bbox', 'loss_align', 'loss_polar'}
    assert all(loss.ndim == 0 and torch.isfinite(loss) for loss in losses.values())
    sum(losses.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_one_backward_pass_trains_tracker_and_contour_jointly():
    model = tiny_ocean().train()
    model(**batch(model, [disc_sample()] * 2), mode='loss')['loss_polar'].backward()
    assert model.backbone.stem.conv.weight.grad.abs().sum() > 0
    assert model.head.reg_combination.weight.grad.abs().sum() > 0


@pytest.mark.parametrize('sample', [disc_sample(with_mask=False), disc_sample(present=False)])
def test_samples_without_a_mask_are_skipped_by_the_polar_loss(sample):
    model = tiny_ocean().train()
    losses = model(**batch(model, [sample] * 2), mode='loss')
    assert losses['loss_polar'].item() == 0
    assert losses['loss_cls'].item() > 0


def test_negative_pairs_do_not_train_the_boxes():
    model = tiny_ocean().train()
    losses = model(**batch(model, [disc_sample(present=False)] * 2), mode='loss')
    assert losses['loss_bbox'].item() == 0


def test_polar_targets_of_other_rays_are_refused():
    model = tiny_ocean(
        mask_head=dict(type='PolarContourHead', in_channels=8, num_convs=1, n_rays=24)
    )
    with pytest.raises(ValueError, match='GeneratePolarTarget'):
        model(**batch(model, [disc_sample()]), mode='loss')


def test_a_few_steps_fit_boxes_scores_and_contours():
    model = tiny_ocean().train()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    data = batch(model, [disc_sample(), disc_sample(center=(110.0, 140.0), radius=24.0)])
    history = []
    for _ in range(20):
        losses = model(**data, mode='loss')
        history.append({name: loss.item() for name, loss in losses.items()})
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    for name, share in dict(loss_cls=0.8, loss_bbox=0.6, loss_align=0.6, loss_polar=0.5).items():
        assert history[-1][name] < share * history[0][name], name


def test_tensor_mode_gives_maps_of_every_location():
    model = tiny_ocean().eval()
    maps, radii = model(batch(model, [disc_sample()])['inputs'], mode='tensor')
    assert maps.ltrb.shape == (1, 4, SIZE, SIZE)
    assert radii.shape == (1, N_RAYS, SIZE, SIZE)
    with pytest.raises(ValueError, match='mode'):
        model({}, mode='train')


def test_track_before_init_is_an_error():
    with pytest.raises(RuntimeError, match='init'):
        tracker_of(tiny_ocean().eval()).step(np.zeros((100, 100, 3), np.uint8))


def test_tracker_answers_every_frame_with_box_score_contour_and_mask():
    model = tiny_ocean().eval()
    tracker = tracker_of(model)
    for index, (frame, box) in enumerate(moving_disc()):
        result = tracker.init(frame, box) if index == 0 else tracker.step(frame)
        assert result.box.shape == (4,)
        assert result.box.dtype == np.float32
        assert np.isfinite(result.box).all()
        assert 0 <= result.score <= 1
        assert result.polygon.shape == (N_RAYS, 2)
        assert result.mask.shape == frame.shape[:2]
        assert set(np.unique(result.mask)) <= {0, 1}
        if index == 0:
            np.testing.assert_allclose(result.box, box)
            assert result.score == 1


def test_tracker_does_not_change_its_frames_and_repeats_itself():
    model = tiny_ocean().eval()
    tracker = tracker_of(model)
    runs = []
    for _ in range(2):
        results = []
        for index, (frame, box) in enumerate(moving_disc(4)):
            before = frame.copy()
            results.append(tracker.init(frame, box) if index == 0 else tracker.step(frame))
            np.testing.assert_array_equal(frame, before)
        runs.append(results)
    for first, second in zip(*runs, strict=True):
        np.testing.assert_array_equal(first.box, second.box)
        np.testing.assert_array_equal(first.mask, second.mask)


def test_tracker_lives_through_frames_that_change_size():
    model = tiny_ocean().eval()
    tracker = tracker_of(model)
    (first, box), (second, _) = list(moving_disc(2))
    tracker.init(first, box)
    for frame in (second[:150, :200], np.pad(second, ((0, 40), (0, 60), (0, 0))), second[:20, :20]):
        result = tracker.step(np.ascontiguousarray(frame))
        assert result.mask.shape == frame.shape[:2]
        center = (result.box[:2] + result.box[2:]) / 2
        assert (center >= 0).all()
        assert (center <= [frame.shape[1], frame.shape[0]]).all()


def test_tracker_without_a_mask_head_gives_boxes_only():
    model = tiny_ocean(mask_head=None).eval()
    tracker = tracker_of(model)
    (frame, box), (second, _) = list(moving_disc(2))
    assert tracker.init(frame, box).polygon is None
    assert tracker.step(second).mask is None


def test_small_targets_are_searched_in_a_larger_region():
    model = tiny_ocean(test_cfg=dict(small_target_search_size=287)).eval()
    tracker = tracker_of(model)
    frame, _ = next(moving_disc(1))
    tracker.init(frame, [100, 100, 110, 110])
    assert state_of(tracker).search_size == 287
    assert tracker.step(frame).polygon is not None
    tracker.init(frame, [100, 100, 150, 150])
    assert state_of(tracker).search_size == 255


def test_predict_walks_a_video_as_init_and_track_do():
    model = tiny_ocean().eval()
    tracker = tracker_of(model)
    expected = []
    for index, (frame, box) in enumerate(moving_disc(4)):
        expected.append(tracker.init(frame, box) if index == 0 else tracker.step(frame))
    for index, (frame, box) in enumerate(moving_disc(4)):
        sample = DetDataSample(metainfo=dict(frame_id=index, video_id=0, video_length=4))
        sample.gt_instances = InstanceData(bboxes=torch.from_numpy(box)[None].float())
        image = torch.from_numpy(frame).permute(2, 0, 1)[None]
        begin = time.perf_counter()
        (got,) = model.test_step(dict(inputs=dict(img=[image]), data_samples=[sample]))
        assert 0 < got.track_seconds < time.perf_counter() - begin
        instances = got.pred_track_instances
        np.testing.assert_allclose(instances.bboxes[0], expected[index].box, atol=1e-4)
        np.testing.assert_array_equal(instances.masks[0], expected[index].mask)
        assert instances.polygons.shape == (1, N_RAYS, 2)
        assert instances.scores.shape == (1,)


def test_predict_computes_with_one_thread_and_leaves_the_rest_to_others():
    model, seen = tiny_ocean().eval(), []
    model.head.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    frame, box = next(moving_disc(1))
    sample = DetDataSample(metainfo=dict(frame_id=0, video_id=0, video_length=1))
    sample.gt_instances = InstanceData(bboxes=torch.from_numpy(box)[None].float())
    inputs = dict(img=[torch.from_numpy(frame).permute(2, 0, 1)[None]])
    with torch_threads(2):
        model.test_step(dict(inputs=inputs, data_samples=[sample]))
        assert torch.get_num_threads() == 2
    assert set(seen) == {1}


def test_predict_without_a_target_in_the_first_frame_names_the_image():
    model = tiny_ocean().eval()
    sample = DetDataSample(metainfo=dict(frame_id=0, img_path='videos/dog/00000.jpg'))
    sample.gt_instances = InstanceData(bboxes=torch.zeros(0, 4))
    image = torch.zeros(1, 3, 100, 100, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r'videos/dog/00000\.jpg'):
        model.test_step(dict(inputs=dict(img=[image]), data_samples=[sample]))


def test_test_batches_hold_one_frame():
    model = tiny_ocean().eval()
    image = torch.zeros(1, 3, 50, 50, dtype=torch.uint8)
    with pytest.raises(ValueError, match='batch_size=1'):
        model.test_step(dict(inputs=dict(img=[image, image]), data_samples=[]))


def decided_ocean(**changes):
    """A tracker whose scores differ clearly from location to location, which untrained ones do not."""
    model = tiny_ocean(**changes).eval()
    with torch.no_grad():
        for layer in (model.head.cls_pred, model.head.align_pred):
            layer.weight.normal_(0, 20)
    return model


def pairs_to_score(count, search_size=255):
    """Pairs of crops that differ, collated as for a test batch."""
    rng = np.random.default_rng(5)
    images = {
        key: [torch.from_numpy(rng.integers(0, 255, (1, 3, size, size), dtype=np.uint8))
              for _ in range(count)]
        for key, size in (('img', 127), ('search_img', search_size))
    }  # fmt: skip
    samples = [DetDataSample(metainfo=dict(sample_idx=i)) for i in range(count)]
    return dict(inputs=images, data_samples=samples)


@pytest.mark.parametrize('search_size', [255, 287])
@pytest.mark.parametrize('with_mask_head', [True, False])
def test_pairs_are_scored_at_the_best_location_of_their_maps(search_size, with_mask_head):
    """Against a search location by location through the maps of each pair alone."""
    changes = dict(test_cfg=dict(score_ratio=0.6)) | (
        {} if with_mask_head else dict(mask_head=None)
    )
    model = decided_ocean(**changes)
    data = pairs_to_score(3, search_size)
    samples = model.test_step(data)
    for index, sample in enumerate(samples):
        crops = [model.data_preprocessor.normalize(data['inputs'][key][index])
                 for key in ('img', 'search_img')]  # fmt: skip
        with torch.no_grad():
            maps, radii = model.correlate(*crops)
        best = (-1.0, None, None)
        size = maps.ltrb.size(-1)
        for row in range(size):
            for col in range(size):
                score = 0.6 * maps.cls_logits[0, 0, row, col].sigmoid()
                score = float(score + 0.4 * maps.align_logits[0, 0, row, col].sigmoid())
                best = max(best, (score, row, col))
        score, row, col = best
        x, y = ((i - size // 2) * 8 + search_size // 2 for i in (col, row))
        left, top, right, bottom = maps.ltrb[0, :, row, col].tolist()
        found = sample.pred_track_instances
        assert found.scores.tolist() == pytest.approx([score], abs=1e-5)
        expected = [x - left, y - top, x + right, y + bottom]
        assert found.bboxes[0].tolist() == pytest.approx(expected, abs=1e-2)
        assert found.labels.tolist() == [0]
        if not with_mask_head:
            assert 'polygons' not in found
            continue
        outline = decode_points(np.array([x, y]), radii[0, :, row, col].numpy())
        np.testing.assert_allclose(found.polygons[0], outline, atol=1e-2)


def test_pairs_score_the_same_in_any_batch():
    model = decided_ocean()
    data = pairs_to_score(5)
    together = [sample.pred_track_instances for sample in model.test_step(data)]
    assert len({round(float(found.scores), 7) for found in together}) == 5
    for index, found in enumerate(together):
        alone = dict(
            inputs={key: [images[index]] for key, images in data['inputs'].items()},
            data_samples=[DetDataSample()],
        )
        (sample,) = model.test_step(alone)
        for key in ('bboxes', 'scores', 'polygons'):
            torch.testing.assert_close(
                sample.pred_track_instances[key], found[key], rtol=1e-4, atol=1e-3
            )


def test_scoring_pairs_leaves_the_tracker_in_its_video():
    model = tiny_ocean().eval()
    tracker = tracker_of(model)
    frames = list(moving_disc(3))
    tracker.init(*frames[0])
    expected = tracker.step(frames[1][0])
    tracker.init(*frames[0])
    model.test_step(pairs_to_score(2))
    np.testing.assert_array_equal(tracker.step(frames[1][0]).box, expected.box)


def test_scores_of_a_diverged_model_are_handed_on_as_they_are():
    """Whoever reads the scores says which pair it is."""
    model = tiny_ocean().eval()
    with torch.no_grad():
        model.head.cls_pred.bias.fill_(torch.nan)
        model.mask_head.radius_pred.bias.fill_(torch.nan)
    samples = model.test_step(pairs_to_score(2))
    assert all(torch.isnan(sample.pred_track_instances.scores).all() for sample in samples)


def test_preprocessor_normalises_pairs_in_testing_too():
    model = tiny_ocean()
    data = pairs_to_score(2)
    prepared = model.data_preprocessor(data, training=False)['inputs']
    for key, images in data['inputs'].items():
        expected = (torch.stack(images).float().flip(2) - 127) / 128
        torch.testing.assert_close(prepared[key], expected)


@pytest.mark.parametrize('bgr_to_rgb', [True, False])
def test_crops_are_normalised_alike_bit_for_bit(bgr_to_rgb):
    crops = np.random.default_rng(0).integers(0, 256, (3, 21, 30, 3), dtype=np.uint8)
    before = crops.copy()
    preprocessor = TrackDataPreprocessor((123.7, 116.3, 103.5), (58.4, 57.1, 57.4), bgr_to_rgb)
    got = preprocessor.normalize_crops(crops)
    assert got.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(got, preprocessor.normalize(torch.from_numpy(crops).permute(0, 3, 1, 2)))
    np.testing.assert_array_equal(crops, before)


def test_preprocessor_normalises_pairs_and_leaves_frames_alone():
    model = tiny_ocean()
    sample = disc_sample()
    data = batch(model, [sample])
    template = sample['inputs']['img'].float()
    torch.testing.assert_close(data['inputs']['img'][0], (template.flip(1) - 127) / 128)
    frame = torch.zeros(1, 3, 40, 50, dtype=torch.uint8)
    prepared = model.data_preprocessor(dict(inputs=dict(img=[frame]), data_samples=[None]))
    assert prepared['inputs']['img'].dtype == torch.uint8
    assert prepared['inputs']['img'].data_ptr() == frame.data_ptr()


@pytest.mark.parametrize(
    ('name', 'n_rays'),
    [
        ('ocean-polar_r50', 36),
        ('ocean-polar_effnet-lite0', 36),
        ('ocean-polar-refine_effnet-lite0', 72),
    ],
)
def test_model_configs_build_and_track(name, n_rays):
    config = Config.fromfile(f'configs/_base_/models/{name}.py').model
    config.backbone.pop('init_cfg', None)
    model = MODELS.build(config).eval()
    tracker = tracker_of(model)
    assert isinstance(model, Ocean)
    (frame, box), (second, _) = list(moving_disc(2))
    tracker.init(frame, box)
    assert tracker.step(second).polygon.shape == (n_rays, 2)


def test_bfloat16_agrees_with_float32():
    model = tiny_ocean().eval()
    inputs = batch(model, [disc_sample()])['inputs']
    with torch.no_grad():
        expected, radii = model(inputs)
        with torch.autocast('cpu', torch.bfloat16):
            got, radii_half = model(inputs)
    torch.testing.assert_close(got.ltrb, expected.ltrb, rtol=0.05, atol=0.5)
    torch.testing.assert_close(radii_half, radii, rtol=0.05, atol=0.5)
    torch.testing.assert_close(got.scores(0.5), expected.scores(0.5), rtol=0.05, atol=0.02)
