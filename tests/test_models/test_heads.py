import math

import pytest
import torch

from mmpolar.models.heads import OceanHead, OceanMaps, PolarContourHead
from mmpolar.models.layers.locations import pick_locations

SIZE, STRIDE, SEARCH = 25, 8, 255


@pytest.fixture
def head():
    torch.manual_seed(0)
    return OceanHead(in_channels=8, feat_channels=8, num_convs=1)


def maps_of(ltrb, cls_logits=None, align_logits=None):
    features = torch.zeros(len(ltrb), 8, SIZE, SIZE)
    if cls_logits is None:
        cls_logits = torch.zeros(len(ltrb), 1, SIZE, SIZE)
    return OceanMaps(cls_logits, align_logits, ltrb, features, features)


def location(index):
    return (index - SIZE // 2) * STRIDE + SEARCH // 2


@pytest.mark.parametrize(('template', 'crop'), [(7, 31), (8, 32), (7, 35)])
@pytest.mark.parametrize('with_align', [True, False])
@pytest.mark.parametrize('depthwise', [True, False])
def test_head_gives_maps_of_one_size(template, crop, with_align, depthwise):
    head = OceanHead(8, 16, num_convs=2, with_align=with_align, depthwise=depthwise).eval()
    kernels = head.encode_template(torch.randn(2, 8, template, template))
    maps = head(kernels, torch.randn(2, 8, crop, crop), 8 * (crop - 1) + 7)
    size = crop - template + 1
    assert maps.cls_logits.shape == (2, 1, size, size)
    assert maps.ltrb.shape == (2, 4, size, size)
    assert (maps.ltrb > 0).all()
    assert (maps.align_logits is not None) == with_align
    scores = maps.scores(0.7)
    assert scores.shape == (2, size, size)
    assert ((scores >= 0) & (scores <= 1)).all()


def test_center_labels_match_the_published_rule(head):
    generator = torch.Generator().manual_seed(0)
    centers = 127 + 64 * (2 * torch.rand(20, 2, generator=generator) - 1)
    boxes = torch.cat([centers - 20, centers + 20], 1)
    got = head.center_labels(torch.zeros(1, SIZE, SIZE), boxes)
    for index, (x, y) in enumerate(((boxes[:, :2] + boxes[:, 2:]) / 2).tolist()):
        center_row = SIZE // 2 + int((y - SEARCH // 2) / STRIDE)
        center_col = SIZE // 2 + int((x - SEARCH // 2) / STRIDE)
        for row in range(SIZE):
            for col in range(SIZE):
                near = abs(row - center_row) + abs(col - center_col) <= 2
                assert got[index, row, col] == float(near)


def test_box_targets_match_loops_and_decode_to_the_box(head):
    boxes = torch.tensor([[90.0, 70.0, 160.0, 140.0], [127.0, 119.0, 135.0, 127.0]])
    target, inside = head.box_targets(torch.zeros(2, SIZE, SIZE), boxes)
    for n, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        for row in range(SIZE):
            for col in range(SIZE):
                x, y = location(col), location(row)
                expected = [x - x1, y - y1, x2 - x, y2 - y]
                assert target[n, row, col].tolist() == expected
                assert bool(inside[n, row, col]) == (min(expected) > 0)
    decoded = head.boxes_in_crop(target.permute(0, 3, 1, 2))
    torch.testing.assert_close(decoded, boxes[:, :, None, None].expand_as(decoded))


def test_perfect_boxes_and_labels_cost_nothing(head):
    boxes = torch.tensor([[90.0, 70.0, 160.0, 140.0]])
    target, _ = head.box_targets(torch.zeros(1, SIZE, SIZE), boxes)
    labels = head.center_labels(torch.zeros(1, SIZE, SIZE), boxes)
    ltrb = target.permute(0, 3, 1, 2).clamp(min=0.1)
    logits = (labels * 60 - 30)[:, None]
    losses = head.loss(maps_of(ltrb, logits), boxes, torch.ones(1))
    assert losses['loss_bbox'].item() == pytest.approx(0, abs=1e-6)
    assert losses['loss_cls'].item() == pytest.approx(0, abs=1e-6)


def test_align_labels_are_the_ious_of_the_predicted_boxes(head):
    # Every location predicts a box of 64x64 around itself; the target is such a box around the
    # middle location.
    ltrb = torch.full((1, 4, SIZE, SIZE), 32.0)
    boxes = torch.tensor([[95.0, 95.0, 159.0, 159.0]])
    logits = torch.zeros(1, 1, SIZE, SIZE)
    loss = head.loss(maps_of(ltrb, None, logits), boxes, torch.ones(1))['loss_align']
    # With logits of zero the loss is log 2 whatever the labels; their slope tells the labels.
    assert loss.item() == pytest.approx(math.log(2))
    logits.requires_grad_()
    head.loss(maps_of(ltrb, None, logits), boxes, torch.ones(1))['loss_align'].backward()
    labels = 0.5 - logits.grad[0, 0] * SIZE**2
    for row in range(SIZE):
        for col in range(SIZE):
            dx, dy = abs(location(col) - 127), abs(location(row) - 127)
            inter = (64 - dx) * (64 - dy)
            iou = (inter + 1) / (2 * 64 * 64 - inter + 1) if max(dx, dy) < 32 else 0.0
            assert labels[row, col].item() == pytest.approx(iou, abs=1e-5)


def test_negative_pairs_train_classification_only(head):
    ltrb = torch.full((2, 4, SIZE, SIZE), 30.0, requires_grad=True)
    logits = torch.zeros(2, 1, SIZE, SIZE, requires_grad=True)
    align = torch.zeros(2, 1, SIZE, SIZE, requires_grad=True)
    boxes = torch.tensor([[95.0, 95.0, 159.0, 159.0]] * 2)
    losses = head.loss(maps_of(ltrb, logits, align), boxes, torch.tensor([1.0, 0.0]))
    sum(losses.values()).backward()
    assert ltrb.grad[0].abs().sum() > 0
    assert ltrb.grad[1].abs().sum() == 0
    assert (logits.grad[1] > 0).all()
    assert (align.grad[1] > 0).all()


def test_a_batch_of_negative_pairs_has_finite_losses(head):
    kernels = head.encode_template(torch.randn(2, 8, 7, 7))
    maps = head(kernels, torch.randn(2, 8, 31, 31))
    losses = head.loss(maps, torch.tensor([[95.0, 95.0, 159.0, 159.0]] * 2), torch.zeros(2))
    sum(losses.values()).backward()
    assert losses['loss_bbox'].item() == 0
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert all(torch.isfinite(p.grad).all() for p in head.parameters() if p.grad is not None)


def polar_maps(channels=8):
    torch.manual_seed(1)
    cls_features = torch.randn(2, channels, SIZE, SIZE)
    reg_features = torch.randn(2, channels, SIZE, SIZE)
    return OceanMaps(torch.zeros(2, 1, SIZE, SIZE), None, None, cls_features, reg_features)


@pytest.mark.parametrize('n_rays', [18, 36, 72])
def test_polar_head_starts_at_its_initial_radius(n_rays):
    head = PolarContourHead(8, num_convs=1, n_rays=n_rays, initial_radius=40.0).eval()
    radii = head(polar_maps())
    assert radii.shape == (2, n_rays, SIZE, SIZE)
    assert (radii > 0).all()
    assert radii.median().item() == pytest.approx(40.0, rel=0.2)


@pytest.mark.parametrize('depthwise', [False, True])
@pytest.mark.parametrize('num_convs', [1, 4])
def test_radii_of_some_locations_are_those_of_the_whole_map(num_convs, depthwise):
    """In corners and at edges too, beyond which a convolution sees zeros in every layer."""
    head = PolarContourHead(8, num_convs, n_rays=12, depthwise=depthwise).eval()
    for norm in head.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(norm.running_mean, -1, 1)
            torch.nn.init.uniform_(norm.bias, -1, 1)
    torch.nn.init.normal_(head.radius_pred.weight, std=0.3)
    maps = polar_maps()
    maps = maps._replace(reg_features=maps.reg_features.to(memory_format=torch.channels_last))
    locations = torch.stack([torch.arange(SIZE**2), torch.randperm(SIZE**2)])
    with torch.no_grad():
        expected = pick_locations(head(maps), locations)
        assert expected.std() > 1
        torch.testing.assert_close(head(maps, locations), expected, rtol=1e-4, atol=1e-4)
        one = locations[:, 7:8]
        torch.testing.assert_close(head(maps, one), expected[:, 7:8], rtol=1e-4, atol=1e-4)


def test_polar_head_sits_on_the_features_it_is_told_to():
    maps = polar_maps()
    for feature, other in (('reg', 'cls_features'), ('cls', 'reg_features')):
        head = PolarContourHead(8, num_convs=1, feature=feature).eval()
        changed = maps._replace(**{other: torch.zeros_like(maps.cls_features)})
        torch.testing.assert_close(head(maps), head(changed))
        used = dict(reg='reg_features', cls='cls_features')[feature]
        changed = maps._replace(**{used: torch.zeros_like(maps.cls_features)})
        assert not torch.allclose(head(maps), head(changed))


def test_polar_loss_weighs_locations_by_centerness():
    radii = torch.full((2, 36, SIZE, SIZE), 10.0)
    target = torch.full((2, 36, SIZE, SIZE), 10.0)
    target[0, :, 3, 4] = 20.0
    positive = torch.zeros(2, SIZE, SIZE, dtype=torch.bool)
    positive[0, 3, 4] = positive[1, 5, 5] = True
    centerness = torch.zeros(2, SIZE, SIZE)
    centerness[0, 3, 4], centerness[1, 5, 5] = 0.25, 0.75
    weighted = PolarContourHead(8, num_convs=0, centerness_weight=True)
    plain = PolarContourHead(8, num_convs=0, centerness_weight=False)
    got = [h.loss(radii, target, positive, centerness)['loss_polar'] for h in (weighted, plain)]
    assert got[0].item() == pytest.approx(0.25 * math.log(2), rel=1e-5)
    assert got[1].item() == pytest.approx(0.5 * math.log(2), rel=1e-5)


def test_polar_loss_without_positive_locations_is_zero_and_has_gradients():
    head = PolarContourHead(8, num_convs=1)
    radii = head(polar_maps())
    nothing = torch.zeros(2, SIZE, SIZE)
    loss = head.loss(radii, torch.ones_like(radii), nothing.bool(), nothing)['loss_polar']
    loss.backward()
    assert loss.item() == 0
    assert all(parameter.grad is not None for parameter in head.parameters())


def test_polar_head_rejects_unknown_options():
    with pytest.raises(ValueError, match='n_rays'):
        PolarContourHead(n_rays=2)
    with pytest.raises(ValueError, match='feature'):
        PolarContourHead(feature='both')
