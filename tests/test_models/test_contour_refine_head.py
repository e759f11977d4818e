import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from plain_sampling import slow_sample

from mmpolar.models.heads import ContourRefineHead, OceanMaps
from mmpolar.models.heads.contour_refine_head import BORDER, RayTargets
from mmpolar.models.layers.locations import pick_locations
from mmpolar.structures.polar import ray_directions
from mmpolar.structures.target import draw_target

#: A search crop whose maps of all strides are symmetric about its middle pixel.
SEARCH = 65
CHANNELS, STRIDES, N_RAYS, N_SAMPLES, SIZE = (2, 3), (2, 4), 8, 5, 5


def make_head(**options):
    """A small head whose batch norms are not the identity, in test mode."""
    torch.manual_seed(0)
    config = dict(
        in_channels=CHANNELS,
        strides=STRIDES,
        combined_channels=4,
        feat_channels=6,
        match_channels=4,
        match_groups=2,
        dilations=(1, 2),
        n_rays=N_RAYS,
        n_samples=N_SAMPLES,
    )
    head = ContourRefineHead(**config | options)
    for module in head.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.bias, -0.2, 0.4)
    return head.eval()


def make_maps(n=2, seed=1):
    """Maps of random features, as of a backbone with these strides."""
    generator = torch.Generator().manual_seed(seed)
    fine = tuple(
        torch.randn(n, channels, (SEARCH - 1) // stride + 1, (SEARCH - 1) // stride + 1,
                    generator=generator)
        for channels, stride in zip(CHANNELS, STRIDES, strict=True)
    )  # fmt: skip
    combined = torch.randn(n, 4, SIZE, SIZE, generator=generator)
    return OceanMaps(None, None, None, None, combined, SEARCH, fine)


def make_rays(n=2, poles=3, seed=2):
    """Poles, boxes, coarse radii and true radii at random, one of them without weight."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(*shape, generator=generator)

    weight = torch.ones(n, poles)
    weight[0, -1] = 0
    return RayTargets(
        poles=uniform(16, 48, n, poles, 2),
        ltrb=uniform(4, 24, n, poles, 4),
        coarse=uniform(4, 24, n, poles, N_RAYS),
        radii=uniform(2, 30, n, poles, N_RAYS),
        weight=weight,
    )


def make_prototypes(head, n=2, seed=3):
    return torch.randn(n, head.match.out_channels, 2, 1,
                       generator=torch.Generator().manual_seed(seed))  # fmt: skip


def run(head, maps, rays, prototypes=None):
    """Logits and reaches of rays; prototypes at random."""
    prototypes = make_prototypes(head, len(rays.poles)) if prototypes is None else prototypes
    with torch.no_grad():
        return head(maps, prototypes, rays.poles, rays.ltrb, rays.coarse)


def slow_reach(head, ltrb, direction):
    """Length of a ray: somewhat beyond the box, whose nearest side it meets first."""
    left, top, right, bottom = ltrb
    cos, sin = direction.tolist()
    to_x = math.inf if cos == 0 else (right if cos > 0 else left) / abs(cos)
    to_y = math.inf if sin == 0 else (bottom if sin > 0 else top) / abs(sin)
    return head.reach * min(to_x, to_y) + head.margin


def slow_place(head, maps, prototypes, sample, x, y):
    """Features of one place of a search crop, and how similar it looks to the prototypes."""
    fine = torch.cat(
        [
            slow_sample(level[sample], x / stride, y / stride)
            for level, stride in zip(maps.fine_features, head.strides, strict=True)
        ]
    )
    # Ocean's grid: the middle cell lies on the middle pixel.
    size = maps.reg_features.shape[-1]
    col, row = ((v - maps.search_size // 2) / head.stride + size // 2 for v in (x, y))
    combined = slow_sample(maps.reg_features[sample], col, row)
    matched = head.match.weight[:, :, 0, 0] @ fine
    groups = torch.arange(len(matched)).chunk(head.match_groups)
    similarity = [
        F.cosine_similarity(matched[group], prototypes[sample, group, kind, 0], dim=0)
        for group in groups
        for kind in (0, 1)
    ]
    return torch.cat([fine, combined]), torch.stack(similarity)


def slow_logits(head, maps, prototypes, rays):
    """The head place by place; only its convolutions are its own."""
    count = rays.poles.shape[1]
    logits = torch.zeros(*rays.coarse.shape, len(head.shares))
    for sample, pole in np.ndindex(len(rays.poles), count):
        grid = []
        for ray, direction in enumerate(ray_directions(head.n_rays)):
            length = slow_reach(head, rays.ltrb[sample, pole].tolist(), direction)
            for number in range(len(head.shares)):
                share = (number + 0.5) / len(head.shares)
                x, y = (rays.poles[sample, pole].numpy() + share * length * direction).tolist()
                features, similarity = slow_place(head, maps, prototypes, sample, x, y)
                offset = share * length - rays.coarse[sample, pole, ray].item()
                place = torch.tensor([share, share * length / 32, offset / length])
                grid.append((features, torch.cat([similarity, place])))
        shape = (1, -1, head.n_rays, len(head.shares))
        features, rest = (torch.stack(part, 1).reshape(shape) for part in zip(*grid, strict=True))
        mixed = head.mix(torch.cat([head.embed(features), rest], 1))
        logits[sample, pole] = head.inside_pred(head.blocks(mixed))[0, 0]
    return logits


@pytest.mark.parametrize('size', [5, 6])
def test_logits_equal_loops_over_places(size):
    """For maps with a middle cell and without: the combined map has a grid of its own."""
    head, maps, rays = make_head(), make_maps(), make_rays()
    generator = torch.Generator().manual_seed(size)
    maps = maps._replace(reg_features=torch.randn(2, 4, size, size, generator=generator))
    prototypes = make_prototypes(head)
    logits, reach = run(head, maps, rays, prototypes)
    with torch.no_grad():
        expected = slow_logits(head, maps, prototypes, rays)
    assert logits.shape == (2, 3, N_RAYS, N_SAMPLES)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
    for sample, pole in np.ndindex(2, 3):
        lengths = [
            slow_reach(head, rays.ltrb[sample, pole].tolist(), direction)
            for direction in ray_directions(N_RAYS)
        ]
        np.testing.assert_allclose(reach[sample, pole], lengths, rtol=1e-5)


def test_poles_do_not_see_one_another():
    head, maps, rays = make_head(), make_maps(), make_rays()
    logits, _ = run(head, maps, rays)
    for pole in range(3):
        alone = RayTargets(*(part[:, pole : pole + 1] for part in rays))
        torch.testing.assert_close(run(head, maps, alone)[0], logits[:, pole : pole + 1])


def test_moving_maps_and_poles_together_changes_nothing():
    """By a whole cell of the coarsest map; the rays stay inside."""
    head, maps = make_head(), make_maps()
    maps = maps._replace(reg_features=torch.randn(2, 4, 9, 9))
    rays = make_rays()._replace(poles=torch.full((2, 3, 2), 26.5), ltrb=torch.full((2, 3, 4), 5.0))
    moved = maps._replace(
        fine_features=tuple(
            level.roll((-8 // stride, 8 // stride), (2, 3))
            for level, stride in zip(maps.fine_features, STRIDES, strict=True)
        ),
        reg_features=maps.reg_features.roll((-1, 1), (2, 3)),
    )
    expected, _ = run(head, maps, rays)
    got, _ = run(head, moved, rays._replace(poles=rays.poles + torch.tensor([8.0, -8.0])))
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(run(head, moved, rays)[0], expected, atol=1e-2)


def test_mirroring_everything_mirrors_the_rays():
    """With kernels that weigh the rays on both sides alike."""
    head, maps, rays = make_head(), make_maps(), make_rays()
    for block in head.blocks:
        kernel = block.conv.conv.weight.data
        kernel.copy_((kernel + kernel.flip(2)) / 2)
    mirrored_ray = (N_RAYS // 2 - torch.arange(N_RAYS)) % N_RAYS
    mirrored_maps = maps._replace(
        fine_features=tuple(level.flip(3) for level in maps.fine_features),
        reg_features=maps.reg_features.flip(3),
    )
    mirrored = rays._replace(
        poles=torch.stack([SEARCH - 1 - rays.poles[..., 0], rays.poles[..., 1]], -1),
        ltrb=rays.ltrb[..., [2, 1, 0, 3]],
        coarse=rays.coarse[:, :, mirrored_ray],
    )
    logits, reach = run(head, maps, rays)
    got, got_reach = run(head, mirrored_maps, mirrored)
    torch.testing.assert_close(got_reach, reach[:, :, mirrored_ray])
    torch.testing.assert_close(got, logits[:, :, mirrored_ray], atol=1e-4, rtol=1e-4)


def test_radii_are_the_integral_of_being_inside():
    head = make_head()
    reach = torch.tensor([[[10.0, 20.0]]])
    # Surely inside up to a place, surely outside from there on.
    logits = torch.full((1, 1, 2, N_SAMPLES), -100.0)
    logits[..., 0, :2] = 100
    logits[..., 1, :5] = 100
    torch.testing.assert_close(head.radii(logits, reach), torch.tensor([[[4.0, 20.0]]]))
    logits = torch.randn(2, 3, N_RAYS, N_SAMPLES)
    reach = torch.rand(2, 3, N_RAYS) * 30
    got = head.radii(logits, reach)
    for place in np.ndindex(2, 3, N_RAYS):
        cell = reach[place].item() / N_SAMPLES
        expected = sum(cell / (1 + math.exp(-logit)) for logit in logits[place].tolist())
        assert got[place].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize('loss_inside_weight', [1.0, 0.25])
def test_losses_equal_loops_over_rays_and_places(loss_inside_weight):
    head = make_head(loss_inside_weight=loss_inside_weight)
    maps, rays, prototypes = make_maps(), make_rays(), make_prototypes(make_head())
    logits, reach = run(head, maps, rays, prototypes)
    polar, entropy = 0.0, 0.0
    for pole in np.argwhere(rays.weight.numpy() > 0):
        longer, shorter, terms = 0.0, 0.0, []
        for ray in range(N_RAYS):
            true, length = rays.radii[(*pole, ray)].item(), reach[(*pole, ray)].item()
            cell, found = length / N_SAMPLES, 0.0
            for number in range(N_SAMPLES):
                probability = 1 / (1 + math.exp(-logits[(*pole, ray, number)].item()))
                found += cell * probability
                # The share of this cell that the true radius covers.
                covered = max(0.0, min(true, (number + 1) * cell) - number * cell) / cell
                terms.append(
                    -covered * math.log(probability) - (1 - covered) * math.log(1 - probability)
                )
            longer, shorter = longer + max(true, found), shorter + min(true, found)
        polar += math.log(longer / shorter)
        entropy += sum(terms) / len(terms)
    count = rays.weight.sum().item()
    got = head.loss(maps, prototypes, rays)
    assert set(got) == {'loss_refine', 'loss_inside'}
    assert got['loss_refine'].item() == pytest.approx(polar / count, rel=1e-4)
    assert got['loss_inside'].item() == pytest.approx(
        loss_inside_weight * entropy / count, rel=1e-4
    )


def test_what_a_pole_without_weight_says_does_not_count():
    head, maps, rays = make_head(), make_maps(), make_rays()
    prototypes = make_prototypes(head)
    expected = head.loss(maps, prototypes, rays)
    changed = rays._replace(radii=rays.radii.clone())
    changed.radii[0, -1] = 500
    torch.testing.assert_close(head.loss(maps, prototypes, changed), expected)
    changed.radii[1, -1] = 500
    assert head.loss(maps, prototypes, changed)['loss_refine'] > expected['loss_refine']


def slow_prototypes(head, fine, target_map):
    """Mean features over target and background, cell by cell of each map."""
    size = target_map.shape[-1]
    rows, cols = np.nonzero(target_map)
    y, x = np.mgrid[:size, :size]
    distance = np.maximum(abs(y[..., None] - rows), abs(x[..., None] - cols)).min(-1)
    kinds = np.stack([target_map, distance > BORDER // 2]).astype(float)
    means = []
    for level, stride in zip(fine, head.strides, strict=True):
        total, weight = np.zeros((len(level), 2)), np.zeros(2)
        # A cell stands for the pixels that are nearer to it than to others, and half a stride more.
        reach = stride // 2
        for row, col in np.ndindex(*level.shape[1:]):
            window = kinds[
                :,
                max(row * stride - reach, 0) : row * stride + reach + 1,
                max(col * stride - reach, 0) : col * stride + reach + 1,
            ]
            share = window.mean((1, 2))
            weight += share
            total += level[:, row, col, None].numpy() * share
        means.append(total / np.maximum(weight, 1e-7))
    mean = torch.tensor(np.concatenate(means), dtype=torch.float32)
    return head.match.weight[:, :, 0, 0] @ mean


def template_features(n, size, strides):
    generator = torch.Generator().manual_seed(size)
    return [
        torch.randn(n, channels, math.ceil(size / s), math.ceil(size / s), generator=generator)
        for channels, s in zip(CHANNELS, strides, strict=True)
    ]


@pytest.mark.parametrize('strides', [(2, 4), (1, 8)])
@pytest.mark.parametrize('size', [31, 45])
def test_prototypes_are_masked_means_at_each_stride(strides, size):
    head = make_head(strides=strides)
    fine = template_features(2, size, strides)
    rng = np.random.default_rng(size)
    target_map = np.zeros((2, size, size), np.uint8)
    target_map[0] = draw_target(np.array([0.3, 0.2, 0.6, 0.5]) * size, size)
    target_map[1, 10:17, 3:19] = rng.integers(0, 2, (7, 16))
    with torch.no_grad():
        got = head.encode_template(fine, torch.from_numpy(target_map))
        assert got.shape == (2, 4, 2, 1)
        for sample in range(2):
            levels = [level[sample] for level in fine]
            expected = slow_prototypes(head, levels, target_map[sample])
            torch.testing.assert_close(got[sample, :, :, 0], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('value', [0, 1])
def test_template_without_target_or_without_background_gives_finite_losses(value):
    head, maps, rays = make_head(), make_maps(), make_rays()
    fine = template_features(2, 31, STRIDES)
    prototypes = head.encode_template(fine, torch.full((2, 31, 31), value, dtype=torch.uint8))
    assert (prototypes[:, :, value] == 0).all()
    assert (prototypes[:, :, 1 - value] != 0).any()
    losses = head.loss(maps, prototypes, rays)
    sum(losses.values()).backward()
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert all(torch.isfinite(parameter.grad).all() for parameter in head.parameters())


def losses_of(head, rays):
    """Losses whose gradient goes through template, fine and combined maps, and those maps."""
    inputs = [*make_maps().fine_features, make_maps().reg_features]
    inputs += template_features(2, 31, STRIDES)
    inputs = [features.requires_grad_() for features in inputs]
    maps = make_maps()._replace(fine_features=tuple(inputs[:2]), reg_features=inputs[2])
    target_map = torch.zeros(2, 31, 31, dtype=torch.uint8)
    target_map[:, 11:20, 12:22] = 1
    prototypes = head.encode_template(inputs[3:], target_map)
    return head.loss(maps, prototypes, rays), inputs


@pytest.mark.parametrize('name', ['loss_refine', 'loss_inside'])
def test_gradient_reaches_every_parameter_and_every_map(name):
    head = make_head().train()
    losses, inputs = losses_of(head, make_rays())
    losses[name].backward()
    for parameter_name, parameter in head.named_parameters():
        assert parameter.grad.abs().sum() > 0, parameter_name
    assert all(features.grad.abs().sum() > 0 for features in inputs)


def test_losses_are_zero_with_a_gradient_when_no_pole_counts():
    head = make_head().train()
    rays = make_rays()
    losses, inputs = losses_of(head, rays._replace(weight=torch.zeros_like(rays.weight)))
    sum(losses.values()).backward()
    assert [loss.item() for loss in losses.values()] == [0, 0]
    for tensor in [*head.parameters(), *inputs]:
        assert tensor.grad is not None
        assert (tensor.grad == 0).all()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_gives_finite_losses_near_the_exact_ones(dtype):
    head = make_head()
    exact, _ = losses_of(head, make_rays())
    with torch.autocast('cpu', dtype):
        losses, inputs = losses_of(head, make_rays())
    sum(losses.values()).backward()
    for name, loss in losses.items():
        assert loss.item() == pytest.approx(exact[name].item(), rel=0.03)
    for tensor in [*head.parameters(), *inputs]:
        assert torch.isfinite(tensor.grad).all()


def test_prototypes_of_strong_features_are_finite_in_float16():
    """ImageNet's features of EfficientNet-Lite0 sum up to 61,000 over a template."""
    head = make_head()
    fine = [torch.full((1, channels, 64, 64), 20.0) for channels in CHANNELS]
    target_map = torch.zeros(1, 127, 127, dtype=torch.uint8)
    target_map[:, 60:66, 60:66] = 1
    with torch.autocast('cpu', torch.float16):
        prototypes = head.encode_template(fine[:1] + [fine[1][..., ::2, ::2]], target_map)
    assert torch.isfinite(prototypes).all()


@pytest.mark.parametrize('dtype', [None, torch.bfloat16, torch.float16])
def test_the_strength_of_prototypes_does_not_count(dtype):
    head, maps, rays = make_head(), make_maps(), make_rays()
    prototypes = make_prototypes(head)
    with torch.no_grad(), torch.autocast('cpu', dtype, enabled=dtype is not None):
        expected, strong = (
            run(head, maps, rays, prototypes * strength)[0] for strength in (1, 1e5)
        )
    assert torch.isfinite(strong).all()
    torch.testing.assert_close(strong, expected, atol=1e-4 if dtype is None else 0.02, rtol=0.02)


def scene_of(n=2, positives=8, preferred=5, size=9):
    """Maps of a score map, each location of which has numbers of its own."""
    generator = torch.Generator().manual_seed(positives)
    order = torch.stack([torch.randperm(size**2, generator=generator) for _ in range(n)])
    positive = torch.zeros(n, size**2, dtype=torch.bool)
    positive.scatter_(1, order[:, :positives], True)
    wanted = torch.zeros(n, size**2)
    # Some that the classifier wants have no true radii: preferring them would be wrong.
    wanted.scatter_(1, order[:, positives - preferred : positives + 3], 1.0)
    numbers = torch.arange(n * size**2).reshape(n, 1, size, size).float()
    axis = torch.arange(size) * 8.0
    return dict(
        locations=(axis, axis[:, None]),
        ltrb=1000 + numbers.expand(-1, 4, -1, -1),
        true_ltrb=(2000 + numbers).expand(-1, 4, -1, -1).permute(0, 2, 3, 1),
        coarse=3000 + numbers.expand(-1, N_RAYS, -1, -1),
        radii=4000 + numbers.expand(-1, N_RAYS, -1, -1),
        positive=positive.reshape(n, size, size),
        preferred=wanted.reshape(n, size, size),
    )


def cells_of(targets):
    """Row and column of each pole."""
    cells = (targets.poles / 8).round().long()
    return cells[..., 1], cells[..., 0]


def test_drawn_poles_carry_the_values_of_their_locations():
    torch.manual_seed(0)
    head, scene = make_head(num_poles=4, box_jitter=0.0), scene_of()
    boxes = []
    for _ in range(30):
        targets = head.sample_targets(**scene)
        assert targets.poles.shape == (2, 4, 2)
        rows, cols = cells_of(targets)
        for sample, pole in np.ndindex(2, 4):
            number = sample * 81 + rows[sample, pole] * 9 + cols[sample, pole]
            assert (targets.coarse[sample, pole] == 3000 + number).all()
            assert (targets.radii[sample, pole] == 4000 + number).all()
            box = targets.ltrb[sample, pole].unique() - number
            assert len(box) == 1
            boxes.append(box.item())
    # Half of the boxes are predicted ones and half true ones.
    assert set(boxes) == {1000, 2000}
    assert 0.4 < np.mean(np.array(boxes) == 1000) < 0.6


def test_poles_are_positive_and_different_when_there_are_enough():
    torch.manual_seed(0)
    head, scene = make_head(num_poles=4), scene_of(positives=6, preferred=0)
    seen = torch.zeros(2, 9, 9)
    for _ in range(60):
        targets = head.sample_targets(**scene)
        assert (targets.weight == 1).all()
        rows, cols = cells_of(targets)
        for sample in range(2):
            assert scene['positive'][sample, rows[sample], cols[sample]].all()
            assert len(set(zip(rows[sample].tolist(), cols[sample].tolist(), strict=True))) == 4
            seen[sample, rows[sample], cols[sample]] += 1
    assert (seen[scene['positive']] > 20).all()


def test_preferred_poles_come_first():
    torch.manual_seed(0)
    head, scene = make_head(num_poles=4), scene_of(positives=10, preferred=3)
    wanted = (scene['preferred'] > 0) & scene['positive']
    assert (wanted.sum((1, 2)) == 3).all()
    for _ in range(20):
        targets = head.sample_targets(**scene)
        assert (targets.weight == 1).all()
        drawn = torch.zeros_like(wanted)
        rows, cols = cells_of(targets)
        drawn[torch.arange(2)[:, None], rows, cols] = True
        assert (drawn & wanted).sum() == wanted.sum()


@pytest.mark.parametrize('positives', [0, 1, 3])
def test_what_only_fills_up_has_no_weight(positives):
    torch.manual_seed(0)
    targets = make_head(num_poles=4).sample_targets(**scene_of(positives=positives, preferred=0))
    assert targets.weight.tolist() == [[1.0] * positives + [0.0] * (4 - positives)] * 2


def test_locations_outside_the_true_box_get_the_predicted_one():
    torch.manual_seed(0)
    scene = scene_of()
    scene['true_ltrb'] = scene['true_ltrb'].clone()
    scene['true_ltrb'][..., 2] = -1
    head = make_head(box_jitter=0.0)
    for _ in range(10):
        targets = head.sample_targets(**scene)
        assert (targets.ltrb < 2000).all()
        assert (targets.ltrb > 0).all()


def test_sides_of_the_boxes_are_jittered_one_by_one():
    torch.manual_seed(0)
    head, scene = make_head(num_poles=8, box_jitter=0.12), scene_of(positives=20)
    scene['ltrb'] = torch.full_like(scene['ltrb'], 50.0)
    scene['true_ltrb'] = torch.full_like(scene['true_ltrb'], 50.0)
    logs = torch.cat([(head.sample_targets(**scene).ltrb / 50).log() for _ in range(40)])
    assert logs.mean().abs() < 0.01
    assert logs.std().item() == pytest.approx(0.12, rel=0.05)
    sides = np.corrcoef(logs.flatten(0, 1).T.numpy())
    assert abs(sides[~np.eye(4, dtype=bool)]).max() < 0.15


def test_no_gradient_flows_into_boxes_and_coarse_radii():
    scene = scene_of()
    scene['ltrb'] = scene['ltrb'].clone().requires_grad_()
    scene['coarse'] = scene['coarse'].clone().requires_grad_()
    targets = make_head().sample_targets(**scene)
    assert not any(part.requires_grad for part in targets)


def test_pick_locations_counts_row_by_row():
    maps = torch.arange(24.0).reshape(2, 2, 2, 3)
    got = pick_locations(maps, torch.tensor([[4, 0], [5, 5]]))
    assert got.tolist() == [[[4, 10], [0, 6]], [[17, 23], [17, 23]]]


def test_maps_and_strides_must_come_in_pairs():
    with pytest.raises(ValueError, match='in_channels has 2 maps but strides 3'):
        make_head(strides=(2, 4, 8))
    with pytest.raises(ValueError, match='n_rays must be at least 3'):
        make_head(n_rays=2)


def test_comparisons_must_share_the_channels_evenly():
    with pytest.raises(ValueError, match='match_groups'):
        make_head(match_channels=6, match_groups=4)
