import cv2
import numpy as np
import pytest

from mmpolar.structures.polar import (
    MIN_RADIUS,
    decode_points,
    encode_radii,
    mask_to_box,
    mass_center,
    polar_ceiling,
    polar_centerness,
    rasterize_polygon,
    ray_directions,
)

CROSSINGS = ['farthest', 'nearest']
BOX = np.array([[19.5, 9.5], [39.5, 9.5], [39.5, 19.5], [19.5, 19.5]])


def box_mask(shape=(32, 64)):
    mask = np.zeros(shape, dtype=np.uint8)
    mask[10:20, 20:40] = 1
    return mask


def smooth_noise(rng, shape, sigma):
    noise = cv2.GaussianBlur(rng.normal(size=shape), (0, 0), sigma)
    return noise / noise.std()


def blob_mask(seed):
    """Concave components with holes, cut by the border."""
    return smooth_noise(np.random.default_rng(seed), (96, 120), 6) > 0.1


def star_polygon(rng, center, mean_radius, vertices=360):
    """Star shape whose radius varies smoothly with the angle."""
    angles = 2 * np.pi * np.arange(vertices) / vertices
    radii = np.full(vertices, 1.0)
    for order in range(1, 7):
        radii += 0.3 / order * rng.uniform(-1, 1) * np.cos(order * angles + rng.uniform(0, 7))
    radii *= mean_radius
    return np.asarray(center) + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def random_shapes():
    rng = np.random.default_rng(7)
    shapes = [
        rasterize_polygon(star_polygon(rng, (70, 60), 40), (128, 150)),
        rasterize_polygon(star_polygon(rng, (64, 64), 30), (128, 128)),
        rasterize_polygon(star_polygon(rng, (8, 50), 40), (100, 128)),
        smooth_noise(rng, (96, 120), 5) > 0,
        smooth_noise(rng, (90, 128), 9) > -0.4,
        smooth_noise(rng, (128, 60), 3) > 1,
    ]
    return [np.asarray(shape, dtype=np.uint8) for shape in shapes]


def march_rays(mask, poles, n_rays, step=0.05):
    """First and last change between inside and outside along finely stepped rays; NaN without one."""
    reach = 2 * np.hypot(*mask.shape)
    steps = np.arange(0, reach, step)
    padded = np.pad(mask, 1)
    first = np.full((len(poles), n_rays), np.nan)
    last = first.copy()
    for p, pole in enumerate(poles):
        for k in range(n_rays):
            angle = 2 * np.pi * k / n_rays
            column = np.floor(pole[0] + steps * np.cos(angle) + 1.5).astype(int)
            row = np.floor(pole[1] + steps * np.sin(angle) + 1.5).astype(int)
            row = np.clip(row, 0, padded.shape[0] - 1)
            column = np.clip(column, 0, padded.shape[1] - 1)
            changes = np.flatnonzero(np.diff(padded[row, column].astype(int)))
            if changes.size:
                first[p, k], last[p, k] = steps[changes[[0, -1]]] + step / 2
    return first, last


def unit_edges(mask):
    """Every unit edge between a pixel that is inside and one that is not, as (x0, y0, x1, y1)."""
    padded = np.pad(mask > 0, 1)
    edges = []
    for i in range(1, padded.shape[0] - 1):
        for j in range(1, padded.shape[1] - 1):
            if not padded[i, j]:
                continue
            x, y = j - 1, i - 1
            if not padded[i, j - 1]:
                edges.append((x - 0.5, y - 0.5, x - 0.5, y + 0.5))
            if not padded[i, j + 1]:
                edges.append((x + 0.5, y - 0.5, x + 0.5, y + 0.5))
            if not padded[i - 1, j]:
                edges.append((x - 0.5, y - 0.5, x + 0.5, y - 0.5))
            if not padded[i + 1, j]:
                edges.append((x - 0.5, y + 0.5, x + 0.5, y + 0.5))
    return edges


def meet_edges(edges, pole, angle, eps=1e-7):
    """Distances at which one ray meets closed segments, by solving a 2 x 2 system for each."""
    c, s = np.cos(angle), np.sin(angle)
    distances = []
    for x0, y0, x1, y1 in edges:
        px, py, ex, ey = x0 - pole[0], y0 - pole[1], x1 - x0, y1 - y0
        determinant = ex * s - ey * c
        if abs(determinant) < eps:
            if abs(px * s - py * c) < eps:
                along = sorted([px * c + py * s, (x1 - pole[0]) * c + (y1 - pole[1]) * s])
                distances += [*along, min(max(0, along[0]), along[1])]
        elif -eps <= (py * c - px * s) / determinant <= 1 + eps:
            distances.append((ex * py - ey * px) / determinant)
    return [max(0.0, d) for d in distances if d > -eps]


def even_odd_mask(polygons, size):
    """For each pixel count the edges to the right of its centre."""
    mask = np.zeros(size, dtype=np.uint8)
    for y in range(size[0]):
        for x in range(size[1]):
            for polygon in polygons:
                for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
                    if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
                        mask[y, x] ^= 1
    return mask


def iou(a, b):
    return np.count_nonzero((a > 0) & (b > 0)) / np.count_nonzero((a > 0) | (b > 0))


# Rays


@pytest.mark.parametrize('n_rays', [3, 4, 7, 36, 72])
def test_ray_directions_are_unit_vectors_at_equal_angles(n_rays):
    directions = ray_directions(n_rays)
    assert directions.shape == (n_rays, 2)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, atol=1e-12)
    angles = np.arctan2(directions[:, 1], directions[:, 0]) % (2 * np.pi)
    np.testing.assert_allclose(angles, 2 * np.pi * np.arange(n_rays) / n_rays, atol=1e-12)


def test_ray_directions_are_exact_along_axes_and_read_only():
    directions = ray_directions(36)
    assert directions[[0, 9, 18, 27]].tolist() == [[1, 0], [0, 1], [-1, 0], [0, -1]]
    with pytest.raises(ValueError, match='read-only'):
        directions[0, 0] = 2


# Encoding: exact values


@pytest.mark.parametrize('crossing', CROSSINGS)
@pytest.mark.parametrize('target', [box_mask(), box_mask() > 0, BOX, [BOX]])
def test_encode_box_gives_exact_distances(target, crossing):
    pole = np.array([29.5, 14.5])
    radii, valid = encode_radii(target, pole[None], 36, crossing)
    assert radii.dtype == np.float32
    assert valid.dtype == bool
    assert valid.all()
    assert radii[0, [0, 9, 18, 27]].tolist() == [10, 5, 10, 5]
    cos, sin = np.abs(ray_directions(36)).T
    with np.errstate(divide='ignore'):
        expected = np.minimum(10 / cos, 5 / sin)
    np.testing.assert_allclose(radii[0], expected, rtol=1e-6)


@pytest.mark.parametrize('crossing', CROSSINGS)
@pytest.mark.parametrize('pole', [(20, 10), (31.7, 18.2), (39.4, 9.6)])
def test_encode_box_from_off_centre_poles(pole, crossing):
    directions = ray_directions(35)
    with np.errstate(divide='ignore'):
        to_sides = np.concatenate([(BOX[2] - pole) / directions, (BOX[0] - pole) / directions], 1)
    expected = np.where(to_sides > 0, to_sides, np.inf).min(axis=1)
    for target in (box_mask(), BOX):
        radii, valid = encode_radii(target, np.array([pole]), 35, crossing)
        assert valid.all()
        np.testing.assert_allclose(radii[0], expected, rtol=1e-6)


def test_encode_box_from_outside_tells_near_from_far_side():
    poles = np.array([[9.5, 14.5]])
    far, far_valid = encode_radii(box_mask(), poles, 36, 'farthest')
    near, near_valid = encode_radii(box_mask(), poles, 36, 'nearest')
    assert (far[0, 0], near[0, 0]) == (30, 10)
    np.testing.assert_array_equal(far_valid, near_valid)
    assert np.flatnonzero(far_valid[0]).tolist() == [
        0,
        1,
        2,
        34,
        35,
    ]  # tan(20 deg) < 5 / 10 < tan(30)
    assert (far[~far_valid] == np.float32(MIN_RADIUS)).all()


@pytest.mark.parametrize('crossing', CROSSINGS)
@pytest.mark.parametrize('offset', [(0, 0), (21.3, -30.2)])
def test_encode_disc_matches_circle(offset, crossing):
    radius, center = 60.0, np.array([70.0, 66.0])
    angles = 2 * np.pi * np.arange(20000) / 20000
    polygon = center + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    yy, xx = np.mgrid[:140, :150]
    mask = np.hypot(xx - center[0], yy - center[1]) <= radius
    toward = ray_directions(36) @ np.array(offset)
    expected = -toward + np.sqrt(toward**2 + radius**2 - np.dot(offset, offset))
    exact, _ = encode_radii(polygon, (center + offset)[None], 36, crossing)
    np.testing.assert_allclose(exact[0], expected, atol=1e-4)
    pixels, _ = encode_radii(mask, (center + offset)[None], 36, crossing)
    np.testing.assert_allclose(pixels[0], expected, atol=1)


# Encoding: against slow references


def test_encode_agrees_with_ray_marching_on_random_shapes():
    rng = np.random.default_rng(1)
    agree = {crossing: [] for crossing in CROSSINGS}
    for mask in random_shapes():
        inside = np.argwhere(mask)[:, ::-1]
        poles = np.concatenate(
            [
                inside[rng.integers(len(inside), size=12)],
                rng.uniform(-20, 150, size=(6, 2)),
                mass_center(mask)[None],
            ]
        )
        first, last = march_rays(mask, poles, 36)
        for crossing, expected in (('farthest', last), ('nearest', first)):
            radii, valid = encode_radii(mask, poles, 36, crossing)
            same = np.where(np.isnan(expected), ~valid, valid & (np.abs(radii - expected) <= 1))
            agree[crossing].append(same)
    for crossing in CROSSINGS:
        assert np.concatenate(agree[crossing]).mean() >= 0.99


@pytest.mark.parametrize('n_rays', [5, 8, 12, 36])
@pytest.mark.parametrize('seed', range(4))
def test_encode_equals_intersection_with_every_pixel_edge(seed, n_rays):
    """Poles on pixel centres, pixel corners, edges and elsewhere: rays graze corners and run along edges."""
    rng = np.random.default_rng(seed)
    mask = (rng.random((7, 9)) < 0.5).astype(np.uint8)
    poles = np.concatenate(
        [
            rng.integers(-1, 9, size=(6, 2)),
            rng.integers(-1, 9, size=(6, 2)) + 0.5,
            rng.integers(-1, 9, size=(3, 2)) + [0.5, 0.2],
            rng.uniform(-2, 10, size=(6, 2)),
        ]
    )
    edges = unit_edges(mask)
    far, far_valid = encode_radii(mask, poles, n_rays, 'farthest')
    near, near_valid = encode_radii(mask, poles, n_rays, 'nearest')
    for p, pole in enumerate(poles):
        for k in range(n_rays):
            distances = meet_edges(edges, pole, 2 * np.pi * k / n_rays)
            assert far_valid[p, k] == near_valid[p, k] == bool(distances)
            expected = (max(distances), min(distances)) if distances else (0, 0)
            got = (far[p, k], near[p, k])
            np.testing.assert_allclose(got, np.maximum(expected, MIN_RADIUS), atol=1e-5)


def test_encode_polygon_equals_intersection_with_every_edge():
    rng = np.random.default_rng(5)
    polygons = [star_polygon(rng, (30, 30), 20, 40), rng.uniform(0, 60, size=(9, 2))]
    edges = [(*a, *b) for p in polygons for a, b in zip(p, np.roll(p, -1, axis=0), strict=True)]
    poles = np.concatenate([rng.uniform(-5, 65, size=(12, 2)), polygons[0][:3]])
    far, valid = encode_radii(polygons, poles, 16, 'farthest')
    near, _ = encode_radii(polygons, poles, 16, 'nearest')
    for p, pole in enumerate(poles):
        for k in range(16):
            distances = meet_edges(edges, pole, 2 * np.pi * k / 16)
            assert valid[p, k] == bool(distances)
            if distances:
                np.testing.assert_allclose(far[p, k], max(max(distances), MIN_RADIUS), atol=1e-4)
                np.testing.assert_allclose(near[p, k], max(min(distances), MIN_RADIUS), atol=1e-4)


def test_encode_sees_both_ends_of_a_spike_along_the_ray():
    spike = np.array([[0, 0], [4, 0], [4, 2], [9, 2], [4, 2], [4, 4], [0, 4]], dtype=float)
    poles = np.array([[2.0, 2.0], [6.0, 2.0]])
    far, _ = encode_radii(spike, poles, 4, 'farthest')
    near, _ = encode_radii(spike, poles, 4, 'nearest')
    np.testing.assert_allclose(far[:, [0, 2]], [[7, 2], [3, 6]])
    np.testing.assert_allclose(near[:, [0, 2]], [[2, 2], [MIN_RADIUS, MIN_RADIUS]])


# Encoding: invariants


@pytest.mark.parametrize('crossing', CROSSINGS)
def test_encode_mask_equals_encode_of_its_box_polygon_and_blocks_do_not_matter(crossing):
    rng = np.random.default_rng(3)
    noise = (rng.random((150, 150)) < 0.5).astype(np.uint8)  # more edges than one block holds
    poles = rng.uniform(-10, 160, size=(40, 2))
    together, _ = encode_radii(noise, poles, 7, crossing)
    singly = [encode_radii(noise, pole[None], 7, crossing)[0][0] for pole in poles]
    np.testing.assert_allclose(together, singly, atol=1e-4)
    poles = rng.uniform(0, 64, size=(5000, 2))  # more poles than one block holds
    np.testing.assert_allclose(
        encode_radii(box_mask(), poles, 6, crossing)[0],
        encode_radii(BOX, poles, 6, crossing)[0],
        atol=1e-5,
    )


@pytest.mark.parametrize('crossing', CROSSINGS)
@pytest.mark.parametrize('seed', range(3))
def test_encode_follows_scale_translation_and_quarter_turn(seed, crossing):
    mask = blob_mask(seed)
    poles = np.random.default_rng(seed).uniform(-5, 110, size=(50, 2))
    radii, valid = encode_radii(mask, poles, 36, crossing)

    tripled = np.kron(mask, np.ones((3, 3), dtype=bool))
    scaled, scaled_valid = encode_radii(tripled, 3 * poles + 1, 36, crossing)
    np.testing.assert_array_equal(scaled_valid, valid)
    np.testing.assert_allclose(scaled[valid], 3 * radii[valid], rtol=1e-5, atol=3 * MIN_RADIUS)

    moved = encode_radii(np.pad(mask, ((4, 0), (11, 2))), poles + [11, 4], 36, crossing)
    np.testing.assert_allclose(moved[0], radii, atol=1e-4)
    np.testing.assert_array_equal(moved[1], valid)

    turned_poles = np.stack([mask.shape[0] - 1 - poles[:, 1], poles[:, 0]], axis=1)
    turned = encode_radii(np.rot90(mask, -1), turned_poles, 36, crossing)
    np.testing.assert_allclose(turned[0], np.roll(radii, 9, axis=1), atol=1e-4)
    np.testing.assert_array_equal(turned[1], np.roll(valid, 9, axis=1))


@pytest.mark.parametrize('seed', range(3))
def test_encode_every_ray_from_inside_meets_the_contour_and_nearest_is_not_farther(seed):
    mask = blob_mask(seed)
    poles = np.argwhere(mask)[::17, ::-1]
    far, far_valid = encode_radii(mask, poles, 36, 'farthest')
    near, near_valid = encode_radii(mask, poles, 36, 'nearest')
    assert far_valid.all()
    assert near_valid.all()
    assert (near <= far).all()
    assert (near < far - 1).any()
    assert near.min() >= 0.5  # a pixel's centre is half a pixel from its sides


def test_encode_even_rays_are_a_subset_of_twice_as_many():
    mask, poles = blob_mask(0), np.array([[40.3, 50.1], [-3.0, 20.5]])
    odd, _ = encode_radii(mask, poles, 9)
    even, _ = encode_radii(mask, poles, 18)
    np.testing.assert_allclose(odd, even[:, ::2], atol=1e-4)


# Encoding: special masks and poles


@pytest.mark.parametrize('crossing', CROSSINGS)
@pytest.mark.parametrize('n_rays', [8, 9])
def test_encode_empty_mask_is_min_radius_and_invalid(n_rays, crossing):
    radii, valid = encode_radii(
        np.zeros((5, 6), bool), np.array([[2, 2], [9, 9]]), n_rays, crossing, min_radius=0.25
    )
    assert radii.shape == valid.shape == (2, n_rays)
    assert (radii == 0.25).all()
    assert not valid.any()


def test_encode_single_pixel():
    mask = np.zeros((5, 6), dtype=np.uint8)
    mask[3, 4] = 255
    radii, valid = encode_radii(mask, np.array([[4, 3]]), 36)
    assert valid.all()
    np.testing.assert_allclose(radii[0], 0.5 / np.abs(ray_directions(36)).max(axis=1), rtol=1e-6)


def test_encode_full_image_and_one_pixel_image():
    radii, _ = encode_radii(np.ones((11, 21), np.uint8), np.array([[10, 5]]), 4)
    assert radii[0].tolist() == [10.5, 5.5, 10.5, 5.5]
    radii, _ = encode_radii(np.ones((1, 1), bool), np.array([[0, 0]]), 4)
    assert radii[0].tolist() == [0.5, 0.5, 0.5, 0.5]


def test_encode_hole_and_second_component_count_as_contour():
    mask = np.zeros((9, 30), dtype=np.uint8)
    mask[1:8, 2:12] = 1
    mask[4, 6:8] = 0  # hole over x in [5.5, 7.5]
    mask[3:6, 20:25] = 1  # component over x in [19.5, 24.5]
    poles = np.array([[3.0, 4.0], [7.0, 4.0]])
    near, _ = encode_radii(mask, poles, 4, 'nearest')
    far, _ = encode_radii(mask, poles, 4, 'farthest')
    assert near[:, 0].tolist() == [2.5, 0.5]
    assert far[:, 0].tolist() == [21.5, 17.5]
    assert near[:, 2].tolist() == [1.5, 1.5]
    assert far[:, 2].tolist() == [1.5, 5.5]


def test_encode_pole_on_the_contour_is_at_distance_zero_and_valid():
    poles = np.array([[39.5, 14.5], [39.5, 9.5], [30.0, 9.5]])
    near, valid = encode_radii(box_mask(), poles, 36, 'nearest')
    assert valid.all()
    assert (near == np.float32(MIN_RADIUS)).all()
    far, valid = encode_radii(box_mask(), poles, 36, 'farthest')
    assert valid.all()
    assert far[0, 18] == 20
    assert far[0, 0] == np.float32(MIN_RADIUS)
    assert far[1, [9, 18]].tolist() == [10, 20]  # along the sides that meet at the corner
    assert far[2, [0, 18]].tolist() == [9.5, 10.5]


def test_encode_no_poles_gives_empty_arrays():
    radii, valid = encode_radii(box_mask(), np.zeros((0, 2)), 36)
    assert radii.shape == valid.shape == (0, 36)


def test_encode_leaves_inputs_alone_and_takes_views():
    mask = np.asfortranarray(np.pad(box_mask(), 2))[2:-2, 2:-2]
    before = mask.copy()
    poles = np.array([[29.5, 14.5]], dtype=np.float32)
    np.testing.assert_array_equal(encode_radii(mask, poles)[0], encode_radii(box_mask(), poles)[0])
    np.testing.assert_array_equal(
        encode_radii(mask[:, ::-1], poles)[0], encode_radii(box_mask()[:, ::-1].copy(), poles)[0]
    )
    np.testing.assert_array_equal(mask, before)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(n_rays=2), 'at least 3'),
        (dict(n_rays=36.0), 'integer'),
        (dict(crossing='first'), "'first'"),
        (dict(min_radius=0), 'min_radius'),
        (dict(min_radius=np.nan), 'min_radius'),
        (dict(poles=np.array([[np.nan, 1]])), 'poles'),
        (dict(poles=np.array([[np.inf, 1]])), 'poles'),
        (dict(poles=np.array([1.0, 2.0])), r'\(2,\)'),
        (dict(target=np.ones((3, 4, 1), np.uint8)), r'\(3, 4, 1\)'),
        (dict(target=np.ones((0, 4), np.uint8)), r'\(0, 4\)'),
        (dict(target=np.ones((4, 5))), 'bool or uint8'),
        (dict(target=-np.ones((4, 5), np.int64)), 'bool or uint8'),
        (dict(target=BOX[:2]), 'V >= 3'),
        (dict(target=[]), 'no polygon'),
        (dict(target=[BOX, BOX[:1]]), 'V >= 3'),
        (dict(target=BOX * np.nan), 'NaN'),
    ],
)
def test_encode_rejects_bad_input(change, message):
    arguments = dict(target=box_mask(), poles=np.array([[29.5, 14.5]]))
    with pytest.raises(ValueError, match=message):
        encode_radii(**{**arguments, **change})


# Decoding


def test_decode_points_by_hand():
    points = decode_points(
        np.array([[1.0, 2.0], [0.0, 0.0]]), np.array([[1, 2, 3, 4], [0, 0, 1, 1]])
    )
    assert points.dtype == np.float32
    assert points[0].tolist() == [[2, 2], [1, 4], [-2, 2], [1, -2]]
    assert points[1].tolist() == [[0, 0], [0, 0], [-1, 0], [0, -1]]


def test_decode_points_keeps_leading_shape_and_inverts_encode():
    poles = np.array([[[25.0, 12.0], [35.0, 18.0]]])
    radii = encode_radii(box_mask(), poles[0], 36)[0][None]
    points = decode_points(poles, radii)
    assert points.shape == (1, 2, 36, 2)
    off_sides = np.minimum(np.abs(points - BOX[0]), np.abs(points - BOX[2])).min(axis=-1)
    np.testing.assert_allclose(off_sides, 0, atol=1e-4)  # every point lies on a side
    assert decode_points(poles[0, 0], radii[0, 0]).shape == (36, 2)


@pytest.mark.parametrize(
    ('poles', 'radii', 'message'),
    [
        (np.zeros((2, 2)), np.ones((3, 8)), 'shape'),
        (np.zeros(3), np.ones(8), 'shape'),
        (np.zeros(2), np.ones(2), 'at least 3'),
        (np.zeros(2), -np.ones(8), 'not negative'),
        (np.zeros(2), np.full(8, np.nan), 'finite'),
        (np.array([0, np.nan]), np.ones(8), 'poles'),
        (np.zeros(2), np.float64(3), 'shape'),
    ],
)
def test_decode_points_rejects_bad_input(poles, radii, message):
    with pytest.raises(ValueError, match=message):
        decode_points(poles, radii)


# Rasterising


@pytest.mark.parametrize('seed', range(6))
def test_rasterize_equals_per_pixel_even_odd(seed):
    rng = np.random.default_rng(seed)
    crossing_itself = rng.uniform(-10, 40, size=(7, 2))  # also leaves the frame
    on_lattice = rng.integers(-2, 30, size=(6, 2)).astype(float)
    cases = [[crossing_itself], [on_lattice], [crossing_itself, on_lattice]]
    for polygons in cases:
        mask = rasterize_polygon(polygons, (25, 31))
        assert mask.dtype == np.uint8
        np.testing.assert_array_equal(mask, even_odd_mask(polygons, (25, 31)))


def test_rasterize_box_polygon_gives_its_mask_and_neighbours_share_no_pixel():
    np.testing.assert_array_equal(rasterize_polygon(BOX, (32, 64)), box_mask())
    through_centres = BOX + 0.5
    mask = rasterize_polygon(through_centres, (32, 64))
    beside = rasterize_polygon(through_centres + [20, 0], (32, 64))
    assert mask.sum() == beside.sum() == 200
    assert not (mask & beside).any()


def test_rasterize_clips_at_the_frame():
    rng = np.random.default_rng(2)
    polygon = star_polygon(rng, (20, 16), 40)
    large = rasterize_polygon(polygon + 100, (240, 250))
    np.testing.assert_array_equal(rasterize_polygon(polygon, (32, 40)), large[100:132, 100:140])
    for offset in ([500, 0], [-500, 0], [0, 500], [0, -500], [1e9, 1e9]):
        assert not rasterize_polygon(polygon + offset, (32, 40)).any()
    around = np.array([[-1e6, -1e6], [1e6, -1e6], [1e6, 1e6], [-1e6, 1e6]])
    assert rasterize_polygon(around, (32, 40)).all()


def test_rasterize_polygons_without_area_are_empty():
    assert not rasterize_polygon(np.full((5, 2), 3.0), (8, 8)).any()
    assert not rasterize_polygon(np.array([[1.0, 1], [5, 5], [3, 3]]), (8, 8)).any()


def test_rasterize_several_polygons_cut_holes():
    inner = (BOX - [29.5, 14.5]) / 2 + [29.5, 14.5]
    mask = rasterize_polygon([BOX, inner], (32, 64))
    expected = box_mask()
    expected[12:17, 25:35] = 0
    np.testing.assert_array_equal(mask, expected)


def test_rasterize_area_is_unbiased():
    rng = np.random.default_rng(4)
    polygon = star_polygon(rng, (30, 30), 16, 36)
    x, y = polygon.T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    areas = [rasterize_polygon(polygon + rng.random(2), (64, 64)).sum() for _ in range(300)]
    assert np.mean(areas) == pytest.approx(area, rel=2e-3)


@pytest.mark.parametrize(
    ('polygon', 'size', 'message'),
    [
        (BOX * [1, np.nan], (8, 8), 'NaN'),
        (BOX[:2], (8, 8), 'V >= 3'),
        (np.zeros((0, 2)), (8, 8), 'V >= 3'),
        ([], (8, 8), 'no polygon'),
        (BOX, (0, 8), 'at least 1'),
        (BOX, (8.0, 8), 'size'),
        (BOX, (8, 8, 3), 'size'),
    ],
)
def test_rasterize_rejects_bad_input(polygon, size, message):
    with pytest.raises(ValueError, match=message):
        rasterize_polygon(polygon, size)


# Round trips


@pytest.mark.parametrize('crossing', CROSSINGS)
@pytest.mark.parametrize('seed', range(4))
def test_star_shape_survives_the_round_trip(seed, crossing):
    center = np.array([[80.0, 75.0]])
    mask = rasterize_polygon(star_polygon(np.random.default_rng(seed), center[0], 50), (160, 160))
    radii, valid = encode_radii(mask, center, 180, crossing)
    assert valid.all()
    back = rasterize_polygon(decode_points(center, radii)[0], mask.shape)
    assert iou(mask, back) > 0.98


@pytest.mark.parametrize('seed', range(3))
def test_radii_of_a_polygon_survive_the_round_trip(seed):
    """A polygon with one vertex on each ray is its own encoding."""
    rng = np.random.default_rng(seed)
    pole, radii = rng.uniform(40, 60, size=(1, 2)), rng.uniform(20, 40, size=(1, 36))
    points = decode_points(pole, radii)[0].astype(np.float64)
    for crossing in CROSSINGS:
        np.testing.assert_allclose(encode_radii(points, pole, 36, crossing)[0], radii, atol=1e-4)


# Centerness


def test_polar_centerness_by_hand():
    radii = np.array([[[4, 4, 4, 4], [1, 2, 3, 4]], [[0, 1, 1, 1], [0, 0, 0, 0]]])
    centerness = polar_centerness(radii)
    assert centerness.dtype == np.float32
    assert centerness.tolist() == [[1, 0.5], [0, 0]]
    assert polar_centerness(np.array([9.0, 16.0])) == pytest.approx(0.75)


def test_polar_centerness_ignores_scale_and_peaks_at_the_centre():
    poles = np.array([[29.5, 14.5], [25.0, 14.5], [21.0, 11.0]])
    radii, _ = encode_radii(box_mask(), poles, 36)
    centerness = polar_centerness(radii)
    assert centerness[0] > centerness[1] > centerness[2] > 0
    np.testing.assert_allclose(polar_centerness(radii * 3.7), centerness, rtol=1e-6)


@pytest.mark.parametrize('radii', [[-1.0, 2], [np.nan, 1], [np.inf, 1], [], 3.0])
def test_polar_centerness_rejects_bad_input(radii):
    with pytest.raises(ValueError, match='radii'):
        polar_centerness(np.array(radii))


# Masks


@pytest.mark.parametrize('dtype', [bool, np.uint8])
def test_mask_to_box_and_mass_center_by_hand(dtype):
    mask = box_mask().astype(dtype)
    box = mask_to_box(mask)
    assert box.dtype == np.float32
    assert box.tolist() == [19.5, 9.5, 39.5, 19.5]
    assert mass_center(mask).tolist() == [29.5, 14.5]


def test_mask_functions_take_narrow_masks_and_any_non_zero_value():
    for shape in [(7, 2), (2, 7), (1, 1), (7, 1), (1, 7)]:
        mask = np.zeros(shape, dtype=np.uint8)
        mask[-1, -1] = 200
        y, x = np.array(shape) - 1
        assert mask_to_box(mask).tolist() == [x - 0.5, y - 0.5, x + 0.5, y + 0.5]
        assert mass_center(mask).tolist() == [x, y]


@pytest.mark.parametrize('seed', range(3))
def test_mass_center_is_the_mean_of_pixel_centres(seed):
    mask = blob_mask(seed)
    np.testing.assert_allclose(mass_center(mask), np.argwhere(mask).mean(axis=0)[::-1], rtol=1e-12)


def test_empty_mask_has_no_box_and_no_centre():
    assert mask_to_box(np.zeros((4, 5), np.uint8)) is None
    with pytest.raises(ValueError, match='empty'):
        mass_center(np.zeros((4, 5), np.uint8))


@pytest.mark.parametrize('function', [mask_to_box, mass_center, lambda m: polar_ceiling(m, 36)])
@pytest.mark.parametrize('mask', [np.ones((4, 5)), np.ones(4, bool), np.ones((0, 3), bool)])
def test_mask_functions_reject_what_is_not_a_mask(function, mask):
    with pytest.raises(ValueError, match='a mask must'):
        function(mask)


# Ceiling


def test_polar_ceiling_of_a_disc_grows_with_the_rays_to_almost_one():
    yy, xx = np.mgrid[:140, :140]
    disc = np.hypot(xx - 70, yy - 68) <= 60
    ceilings = [polar_ceiling(disc, n) for n in (4, 8, 36, 72)]
    assert ceilings == sorted(ceilings)
    np.testing.assert_allclose(
        ceilings[:2], [2 / np.pi, 2**1.5 / np.pi], atol=0.02
    )  # n/2pi sin(2pi/n)
    assert ceilings[-1] > 0.98


def test_polar_ceiling_is_the_iou_of_mask_and_decoded_encoding():
    mask = blob_mask(1)
    for crossing in CROSSINGS:
        for pole in (mass_center(mask), np.array([-10.0, 300.0])):
            radii, _ = encode_radii(mask, pole[None], 36, crossing)
            decoded = rasterize_polygon(decode_points(pole[None], radii)[0], mask.shape)
            assert polar_ceiling(mask, 36, crossing, pole) == pytest.approx(iou(mask, decoded))
    assert polar_ceiling(mask, 36) == polar_ceiling(mask, 36, 'farthest', mass_center(mask))


def test_polar_ceiling_of_a_box_with_rays_through_its_corners_is_one():
    mask = np.zeros((40, 40), dtype=np.uint8)
    mask[5:35, 5:35] = 1
    assert polar_ceiling(mask, 8) == 1


def test_polar_ceiling_with_the_pole_outside_is_poor_but_defined():
    mask = box_mask()
    outside = polar_ceiling(mask, 36, pole=np.array([9.5, 14.5]))
    assert 0 < outside < polar_ceiling(mask, 36)


def test_polar_ceiling_rejects_empty_masks_and_several_poles():
    with pytest.raises(ValueError, match='empty'):
        polar_ceiling(np.zeros((4, 5), bool), 36, pole=np.array([1, 1]))
    with pytest.raises(ValueError, match='one point'):
        polar_ceiling(box_mask(), 36, pole=np.zeros((2, 2)))
