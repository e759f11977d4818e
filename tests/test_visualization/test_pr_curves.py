import cv2
import numpy as np
import pytest

from mmpolar.evaluation.functional import point_for_recall, pr_curve
from mmpolar.visualization import plot_pr_curves


def curve_of(separation, seed=0):
    rng = np.random.default_rng(seed)
    has_target = np.arange(600) < 150
    return pr_curve(rng.normal(size=600) + separation * has_target, has_target)


def test_image_shows_curves_and_marks(tmp_path):
    curves = {'mined': curve_of(3), 'no negatives': curve_of(1)}
    plain, marked = tmp_path / 'new' / 'plain.png', tmp_path / 'marked.png'
    plot_pr_curves(curves, plain)
    marks = {f'{name}, recall 0.9': point_for_recall(c, 0.9) for name, c in curves.items()}
    plot_pr_curves(curves, marked, marks)
    images = [cv2.imread(str(path)) for path in (plain, marked)]
    for image in images:
        assert image.shape[1] > image.shape[0] > 400
        assert 0.01 < (image != 255).any(axis=-1).mean() < 0.5
    assert any((a != b).any() for a, b in zip(*images, strict=True))


def test_curve_without_a_name_needs_no_legend(tmp_path):
    named, unnamed = tmp_path / 'named.png', tmp_path / 'unnamed.png'
    plot_pr_curves({'detector': curve_of(2)}, named)
    plot_pr_curves({'': curve_of(2)}, unnamed)
    # Without a legend the panels reach to the right border.
    assert right_border(unnamed) > right_border(named)


def right_border(path):
    """Column of the rightmost frame of a panel."""
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    columns = np.flatnonzero((image < 60).mean(axis=0) > 0.5)
    return columns.max()


def test_no_curve_is_refused(tmp_path):
    with pytest.raises(ValueError, match='no curve to draw'):
        plot_pr_curves({}, tmp_path / 'out.png')
