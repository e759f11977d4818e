"""Draws the diagrams of the documentation: python docs/draw_diagrams.py"""

from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

mpl.use('Agg')

FOLDER = Path(__file__).resolve().parent / 'images'
INK = '#1f2933'
# Fill of a box by what it does.
IMAGE, NETWORK, HEAD, RESULT, MINING = '#dbeafe', '#e5e7eb', '#fde7c7', '#d1fadf', '#fbd5d5'
HEIGHT = 0.62
Point = tuple[float, float]


class Diagram:
    """Boxes with arrows on a grid; x and y are the centres of boxes, y grows downwards.

    Args:
        width: Width of the drawing in units of the grid.
        height: Height of the drawing.
    """

    def __init__(self, width: float, height: float) -> None:
        self.figure, self.axes = plt.subplots(figsize=(width * 0.8, height * 0.8))
        self.axes: Axes
        self.axes.set(xlim=(0, width), ylim=(height, 0))
        self.axes.axis('off')
        self.boxes: dict[str, tuple[float, float, float, float]] = {}

    def box(
        self, name: str, text: str, at: Point, fill: str, width: float = 2.2, lines: int = 1
    ) -> None:
        """Draw a box; the first line of its text is bold if there are more."""
        height = HEIGHT + 0.3 * (lines - 1)
        x, y = at
        self.boxes[name] = (x, y, width / 2, height / 2)
        corner = (x - width / 2, y - height / 2)
        style = 'round,pad=0,rounding_size=0.1'
        patch = FancyBboxPatch(corner, width, height, style, facecolor=fill, edgecolor=INK, lw=1)
        self.axes.add_patch(patch)
        title, *rest = text.split('\n')
        offset = 0.15 * len(rest)
        self.axes.text(
            x, y - offset, title, ha='center', va='center', color=INK, fontsize=9, weight='bold'
        )
        for number, line in enumerate(rest, 1):
            self.axes.text(
                x,
                y - offset + 0.3 * number,
                line,
                ha='center',
                va='center',
                color=INK,
                fontsize=7.5,
            )

    def arrow(
        self, start: str, end: str, label: str = '', sides: str = 'rl', shift: Point = (0, -0.14)
    ) -> None:
        """Draw an arrow between sides of two boxes, each of l, r, t (top) and b (bottom)."""
        a, b = self._side(start, sides[0]), self._side(end, sides[1])
        style = dict(arrowstyle='-|>', mutation_scale=10, color=INK, lw=1, shrinkA=0, shrinkB=0)
        if a[0] != b[0] and a[1] != b[1]:
            vertical = sides[0] in 'tb'
            angles = (90, 0) if vertical else (0, 90)
            if (sides[1] in 'tb') == vertical:
                style['connectionstyle'] = 'arc3,rad=0'
            else:
                style['connectionstyle'] = f'angle,angleA={angles[0]},angleB={angles[1]},rad=4'
        self.axes.add_patch(FancyArrowPatch(a, b, **style))
        if label:
            x, y = (a[0] + b[0]) / 2 + shift[0], (a[1] + b[1]) / 2 + shift[1]
            self.axes.text(x, y, label, ha='center', va='center', color=INK, fontsize=7)

    def note(self, text: str, at: Point, size: float = 10, weight: str = 'bold') -> None:
        """Write a text, from its left end."""
        self.axes.text(*at, text, ha='left', va='center', color=INK, fontsize=size, weight=weight)

    def save(self, name: str) -> None:
        """Write the drawing into the folder of the images."""
        self.figure.savefig(FOLDER / name, dpi=130, bbox_inches='tight', pad_inches=0.08)
        plt.close(self.figure)

    def _side(self, name: str, side: str) -> Point:
        x, y, half_width, half_height = self.boxes[name]
        dx, dy = dict(l=(-1, 0), r=(1, 0), t=(0, -1), b=(0, 1))[side]
        return x + dx * half_width, y + dy * half_height


def draw_network() -> None:
    """The network: what it computes for a frame, with the names of the classes."""
    d = Diagram(16.2, 5.6)
    d.box('template', 'template\n127 x 127, first frame', (1.3, 1.0), IMAGE, lines=2)
    d.box('search', 'search crop\n255 x 255, each frame', (1.3, 3.4), IMAGE, lines=2)
    d.box('backbone', 'backbone\none for both crops', (4.2, 2.2), NETWORK, 2.1, lines=2)
    d.box('neck', 'neck\nstride 8', (6.5, 2.2), NETWORK, 1.5, lines=2)
    d.box(
        'combination',
        'feature combination\n3 depth-wise correlations,\ndilations (1,1) (2,1) (1,2),\nlearned weights',
        (9.2, 2.2), NETWORK, 2.7, lines=4,
    )  # fmt: skip
    d.box('scores', 'OceanHead: scores\nlocation, object-aware', (12.4, 0.8), HEAD, 2.7, lines=2)
    d.box('boxes', 'OceanHead: boxes\nl, t, r, b', (12.4, 2.2), HEAD, 2.7, lines=2)
    d.box('radii', 'PolarContourHead\nn radii at a location', (12.4, 3.6), HEAD, 2.7, lines=2)
    d.box(
        'refine', 'ContourRefineHead\nn radii again, at strides 2, 4, 8', (12.4, 5.0), HEAD, 3.0,
        lines=2,
    )  # fmt: skip
    d.box('select', 'select\none location', (15.2, 0.8), RESULT, 1.6, lines=2)
    d.box('box', 'box, score', (15.2, 2.2), RESULT, 1.6)
    d.box('polygon', 'polygon\nmask', (15.2, 5.0), RESULT, 1.6, lines=2)
    d.arrow('template', 'backbone', sides='rt')
    d.arrow('search', 'backbone', sides='rb')
    d.arrow('backbone', 'neck')
    d.arrow('neck', 'combination')
    for head in ('scores', 'radii'):
        d.arrow('combination', head, sides='tl' if head == 'scores' else 'bl')
    d.arrow('combination', 'boxes')
    d.arrow('scores', 'select')
    d.arrow('boxes', 'box')
    d.arrow('select', 'box', sides='bt')
    d.arrow('radii', 'refine', sides='bt')
    d.arrow('backbone', 'refine', 'fine features', sides='bl', shift=(0.4, 1.02))
    d.arrow('refine', 'polygon')
    d.arrow('box', 'polygon', 'at that location', sides='bt', shift=(-0.72, -0.05))
    d.save('network.png')


def draw_data_flow() -> None:
    """The data: a training pair, a mined negative, and a frame that is tracked."""
    d = Diagram(16.5, 7.1)
    d.note('A training pair and a mined negative', (0.1, 0.3))
    d.box('tracks', 'track datasets\nDavisDataset, CocoTrackDataset ...', (1.9, 2.1), IMAGE, 3.4, 2)
    d.box('positives', 'TrackPairDataset\nframes of one target', (5.9, 1.2), IMAGE, 2.7, 2)
    d.box('negatives', 'NegativePairDataset\nthe pool', (5.9, 3.0), MINING, 2.7, 2)
    d.box('composite', 'CompositeDataset\ncrops: CropPair', (9.6, 2.1), NETWORK, 2.5, 2)
    d.box(
        'transforms',
        'transforms\nPairComposite, PairPhotometric,\nDrawTemplateTarget,\nGeneratePolarTarget,\nPackPairInputs',
        (12.75, 2.1), NETWORK, 3.1, 5,
    )  # fmt: skip
    d.box('loss', 'Ocean.loss', (15.5, 2.1), HEAD, 1.6)
    d.box(
        'hook', 'HardNegativeMiningHook\nscores the whole pool, picks the K\nhighest scores each round',
        (9.6, 4.4), MINING, 3.4, 3,
    )  # fmt: skip
    d.arrow('tracks', 'positives', sides='tl')
    d.arrow('tracks', 'negatives', sides='bl')
    d.arrow('positives', 'composite')
    d.arrow('negatives', 'composite')
    d.arrow('composite', 'transforms')
    d.arrow('transforms', 'loss')
    d.arrow('negatives', 'hook', sides='bl')
    d.arrow('loss', 'hook', 'the model, in test mode', sides='br', shift=(-0.2, 0.83))
    d.arrow('hook', 'composite', 'picks', sides='tb', shift=(0.35, 0))
    d.note('A frame', (0.1, 5.6))
    d.box('frame', 'frame', (1.0, 6.5), IMAGE, 1.6)
    d.box('crop', 'crop\naround the last box', (3.6, 6.5), NETWORK, 2.2, 2)
    d.box('engine', 'TrackEngine.search\nPyTorch or ONNX Runtime', (6.8, 6.5), HEAD, 2.8, 2)
    d.box('selection', 'select\na location, update the state', (10.0, 6.5), NETWORK, 2.6, 2)
    d.box('contours', 'TrackEngine.contours\nradii at that location', (13.0, 6.5), HEAD, 2.7, 2)
    d.box('result', 'TrackResult', (15.5, 6.5), RESULT, 1.6)
    for start, end in zip(
        ('frame', 'crop', 'engine', 'selection', 'contours'),
        ('crop', 'engine', 'selection', 'contours', 'result'),
        strict=True,
    ):
        d.arrow(start, end)
    d.save('data_flow.png')


if __name__ == '__main__':
    draw_network()
    draw_data_flow()
