import cv2
import numpy as np
import pytest

from mmpolar.visualization.result_plots import ResultCurve, ResultPanel, plot_results

X = np.linspace(0, 1, 21)


def panel(title='success', mark=None, **metrics):
    curves = [
        ResultCurve(name, mean, np.clip(2 * mean - X, 0, 1)) for name, mean in metrics.items()
    ]
    return ResultPanel(title, 'overlap', 'share of frames', X, curves, mark)


def drawn(path):
    image = cv2.imread(str(path))
    return image, (image != 255).any(axis=-1)


def has_color(image, rgb):
    return (np.abs(image.astype(int) - rgb[::-1]).max(axis=-1) < 12).sum() > 100


def test_panels_stand_side_by_side_and_in_rows(tmp_path):
    one, four = tmp_path / 'new' / 'one.png', tmp_path / 'four.png'
    plot_results([panel(ours=0.6, theirs=0.4)], one)
    plot_results([panel(ours=0.6)] * 4, four, columns=3, title='a data set')
    small, large = drawn(one)[0].shape, drawn(four)[0].shape
    assert large[1] == pytest.approx(3 * small[1], abs=3)
    assert large[0] == pytest.approx(2 * small[0], abs=3)
    # The places that are left over stay empty.
    assert not drawn(four)[1][-small[0] + 40 :, -small[1] :].any()


def test_a_tracker_keeps_its_colour_in_panels_that_lack_others(tmp_path):
    plot_results([panel(first=0.5, second=0.6), panel(second=0.7)], tmp_path / 'plot.png')
    image, _ = drawn(tmp_path / 'plot.png')
    left, right = np.array_split(image, 2, axis=1)
    blue, orange = (31, 119, 180), (255, 127, 14)
    assert has_color(left, blue)
    assert has_color(left, orange)
    assert not has_color(right, blue)
    assert has_color(right, orange)


def test_legend_ranks_by_the_value(monkeypatch, tmp_path):
    legends = []
    from matplotlib.axes import Axes

    original = Axes.legend

    def keep(axis, *args, **kwargs):
        legends.append([text.get_text() for text in original(axis, *args, **kwargs).get_texts()])

    monkeypatch.setattr(Axes, 'legend', keep)
    metrics = dict(worst=0.1, best=0.9, none=float('nan'), middle=0.5)
    plot_results([panel(**metrics)], tmp_path / 'plot.png')
    assert legends == [['best [.900]', 'middle [.500]', 'worst [.100]', 'none [-]']]


def test_formats_for_papers(tmp_path):
    plot_results([panel(ours=0.6, mark=0.5)], tmp_path / 'plot.pdf')
    assert (tmp_path / 'plot.pdf').read_bytes().startswith(b'%PDF')


def test_nothing_to_draw_is_refused(tmp_path):
    for panels in ([], [panel()]):
        with pytest.raises(ValueError, match='no curve to draw'):
            plot_results(panels, tmp_path / 'plot.png')
