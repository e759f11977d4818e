import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from mmpolar.models.losses.mask_loss import MaskLoss, near_boundary
from mmpolar.models.segmentors.mask_stage import MaskStage, StageReference, compare, mask_iou

SIZE = 64
CELLS = SIZE // 2


@pytest.fixture(scope='module')
def stage():
    torch.manual_seed(0)
    backbone = dict(type='mmpolar.EfficientNetLite0', out_indices=(0, 1, 2, 4, 6), norm_eval=True)
    return MaskStage(backbone, params=dict(crop_size=SIZE)).eval()


def batch(groups=2, views=3, seed=0):
    make = torch.Generator().manual_seed(seed)
    masks = torch.zeros(groups, views, CELLS, CELLS)
    masks[..., 8:24, 10:20] = 1
    return dict(
        img=torch.randn(groups, views, 3, SIZE, SIZE, generator=make),
        priors=torch.rand(groups, views, 2, CELLS, CELLS, generator=make),
        reference_masks=masks,
        gt_masks=masks.clone(),
    )


def no_reference(count=1):
    cells = (SIZE // 8) ** 2
    return StageReference(torch.zeros(count, 48, cells), torch.zeros(count, 1, CELLS, CELLS))


def slow_compare(keys, reference_keys, inside, sharpness):
    """One cell at a time, in plain numbers."""
    rows = []
    for query in keys.T:
        similarity = reference_keys.T @ query
        weights = np.exp(sharpness * (similarity - similarity.max()))
        rows.append(
            (
                ((similarity + 1) * inside).max(),
                ((similarity + 1) * (1 - inside)).max(),
                (weights * inside).sum() / weights.sum(),
            )
        )
    return np.array(rows).T


@pytest.mark.parametrize('seed', range(3))
def test_compare_matches_a_cell_by_cell_computation(seed):
    rng = np.random.default_rng(seed)
    keys = F.normalize(torch.from_numpy(rng.normal(size=(2, 6, 12))), dim=1)
    reference = F.normalize(torch.from_numpy(rng.normal(size=(2, 6, 16))), dim=1)
    mask = torch.from_numpy(rng.random((2, 1, 16, 16)))
    got = compare(keys, reference, mask, torch.tensor(5.0), (3, 4))
    assert got.shape == (2, 3, 3, 4)
    for n in range(2):
        inside = mask[n, 0].numpy().reshape(4, 4, 4, 4).mean((1, 3)).ravel()
        expected = slow_compare(keys[n].numpy(), reference[n].numpy(), inside, 5.0)
        np.testing.assert_allclose(got[n].flatten(1).numpy(), expected, atol=1e-9)


def test_the_gradient_of_compare_is_that_of_plain_maxima():
    rng = np.random.default_rng(0)
    mask = torch.from_numpy(rng.random((2, 1, 16, 16)))
    inside = F.avg_pool2d(mask, 4).flatten(2)
    keys, reference = (
        F.normalize(torch.from_numpy(rng.normal(size=(2, 6, cells))), dim=1).requires_grad_()
        for cells in (12, 16)
    )
    upstream = torch.from_numpy(rng.normal(size=(2, 3, 3, 4)))
    compare(keys, reference, mask, torch.tensor(5.0), (3, 4)).backward(upstream)
    got = keys.grad.clone(), reference.grad.clone()
    keys.grad = reference.grad = None
    similarity = keys.transpose(1, 2) @ reference
    plain = torch.stack(
        [
            ((similarity + 1) * inside).amax(2),
            ((similarity + 1) * (1 - inside)).amax(2),
            ((5.0 * similarity).softmax(2) * inside).sum(2),
        ],
        1,
    )
    plain.backward(upstream.flatten(2))
    torch.testing.assert_close(got, (keys.grad, reference.grad), atol=1e-12, rtol=1e-9)


def test_under_autocast_cells_are_compared_in_float32():
    torch.manual_seed(0)
    keys = F.normalize(torch.randn(1, 24, 16), dim=1)
    mask = torch.rand(1, 1, 16, 16)
    expected = compare(keys, keys, mask, torch.tensor(20.0), (4, 4))
    with torch.autocast('cpu', torch.bfloat16):
        got = compare(keys, keys, mask, torch.tensor(20.0), (4, 4))
    assert got.dtype == torch.float32
    assert torch.equal(got, expected)


def test_a_reference_with_an_empty_mask_says_nothing():
    keys = F.normalize(torch.randn(1, 6, 16), dim=1)
    got = compare(keys, keys, torch.zeros(1, 1, 16, 16), torch.tensor(5.0), (4, 4))
    assert not got.any()


def test_identical_crops_are_most_alike_in_place():
    keys = F.normalize(torch.randn(1, 24, 16), dim=1)
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., :8] = 1
    target, background, share = compare(keys, keys, mask, torch.tensor(20.0), (4, 4))[0]
    assert (target[:, :2] > background[:, :2]).all()
    assert (target[:, 2:] < background[:, 2:]).all()
    assert (share[:, :2] > 0.5).all()
    assert (share[:, 2:] < 0.5).all()


def test_each_crop_is_decoded_with_the_next_two_of_its_group(stage):
    inputs = batch()
    with torch.no_grad():
        logits = stage(inputs)
        features = stage.encode(inputs['img'][1])
        references = [
            StageReference(
                features.keys[[(1 + slot) % 3]],
                inputs['reference_masks'][1, [(1 + slot) % 3]][:, None],
            )
            for slot in (1, 2)
        ]
        alone = stage.encode(inputs['img'][1, 1:2])
        priors = torch.cat([inputs['priors'][1, 1:2], references[1].mask], 1)
        expected, quality = stage.decode(alone, priors, references)
    assert logits.shape == (2, 3, CELLS, CELLS)
    assert quality.shape == (1,)
    torch.testing.assert_close(logits[1, 1], expected[0], atol=1e-4, rtol=1e-4)


def test_stage_works_without_references_and_at_other_sizes(stage):
    with torch.no_grad():
        features = stage.encode(torch.randn(1, 3, SIZE, SIZE))
        logits, _ = stage.decode(
            features, torch.zeros(1, 3, CELLS, CELLS), [no_reference(), no_reference()]
        )
        assert logits.shape == (1, CELLS, CELLS)
        assert stage(dict(batch(1), img=torch.randn(1, 3, 3, SIZE, SIZE))).isfinite().all()


@pytest.mark.parametrize(
    ('never', 'unseen'),
    [
        ('reference_prob', 'references'),
        ('contour_prior_prob', 'contour'),
        ('recent_prior_prob', 'recent'),
    ],
)
def test_what_training_never_gave_changes_no_answer(stage, never, unseen):
    other = copy.deepcopy(stage)
    setattr(other, never, 0.0)
    inputs = batch(groups=1, views=1)
    features = other.encode(inputs['img'][0])
    known = StageReference(features.keys, inputs['reference_masks'][0, :, None])
    priors = torch.rand(1, 3, CELLS, CELLS, generator=torch.Generator().manual_seed(1))
    without = priors.clone()
    without[:, {'contour': 1, 'recent': 2}.get(unseen, 3) :][:, :1] = 0
    references = [no_reference()] * 2 if unseen == 'references' else [known] * 2
    with torch.no_grad():
        given = stage.decode(features, priors, [known] * 2)[0]
        got = other.decode(features, priors, [known] * 2)[0]
        expected = stage.decode(features, without, references)[0]
    assert torch.equal(got, expected)
    assert not torch.equal(got, given)


def test_training_lowers_the_loss():
    torch.manual_seed(0)
    backbone = dict(type='mmpolar.EfficientNetLite0', out_indices=(0, 1, 2, 4, 6), norm_eval=True)
    model = MaskStage(backbone, params=dict(crop_size=SIZE)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    inputs, history = batch(), []
    for _ in range(14):
        losses = model(inputs, mode='loss')
        total = sum(value for name, value in losses.items() if name.startswith('loss'))
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        history.append(total.item())
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert history[-1] < 0.8 * history[0]


def test_bad_options_are_refused():
    backbone = dict(type='mmpolar.EfficientNetLite0', out_indices=(0, 1, 2, 4, 6))
    with pytest.raises(ValueError, match='one number a level'):
        MaskStage(backbone, in_channels=(16, 24))
    with pytest.raises(ValueError, match='multiple of 32'):
        MaskStage(backbone, params=dict(crop_size=150))
    with pytest.raises(ValueError, match='begin with 2'):
        MaskStage(backbone, strides=(4, 8, 16, 32, 64))
    with pytest.raises(ValueError, match='mode must be'):
        MaskStage(backbone)(batch(), mode='train')


def test_mask_loss_matches_its_formula():
    logits = torch.tensor([[[2.0, -1.0], [0.5, -3.0]]])
    target = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    p, t = logits.sigmoid().numpy(), target.numpy()
    entropy = -(t * np.log(p) + (1 - t) * np.log(1 - p))
    losses = MaskLoss(2.0, 3.0, 0.5, boundary_width=1)(logits, target)
    assert losses['loss_pixel'].item() == pytest.approx(2 * entropy.mean(), rel=1e-5)
    dice = 1 - (2 * (p * t).sum() + 1) / ((p**2).sum() + (t**2).sum() + 1)
    assert losses['loss_dice'].item() == pytest.approx(3 * dice, rel=1e-5)
    assert losses['loss_boundary'].item() == pytest.approx(0.5 * entropy.mean(), rel=1e-5)


def test_near_boundary_matches_distances():
    mask = torch.zeros(1, 12, 12)
    mask[0, 3:9, 4:10] = 1
    inside = mask[0].numpy() > 0.5
    expected = np.zeros((12, 12))
    for r in range(12):
        for c in range(12):
            window = inside[max(r - 2, 0) : r + 3, max(c - 2, 0) : c + 3]
            expected[r, c] = window.any() and not window.all()
    np.testing.assert_array_equal(near_boundary(mask, 2)[0].numpy(), expected)


def test_empty_masks_have_a_finite_loss_and_iou_one():
    losses = MaskLoss()(torch.full((1, 8, 8), -4.0, requires_grad=True), torch.zeros(1, 8, 8))
    assert all(value.isfinite() for value in losses.values())
    assert losses['loss_boundary'] == 0
    assert mask_iou(torch.full((1, 8, 8), -4.0), torch.zeros(1, 8, 8)).tolist() == [1]
