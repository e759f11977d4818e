"""What goes into and comes out of the graphs of a model folder."""

from collections.abc import Mapping

import numpy as np
import onnxruntime
from numpy.typing import NDArray

#: Inputs of the template graph: crops, and for a refinement head where the target is in them.
TEMPLATE_INPUT = 'template'
TARGET_MAP_INPUT = 'target_map'
#: Output of the template graph that only the contour graph takes, for a refinement head.
PROTOTYPES = 'prototypes'
#: Input of the search graph for crops; it also takes the kernels.
SEARCH_INPUT = 'search'
#: Outputs of the search graph that say where a target is.
ANSWERS = ('scores', 'ltrb')
#: Inputs of the contour graph: locations, and what a refinement head needs besides the maps.
LOCATIONS = 'locations'
MIDDLE = 'middle'
#: Maps that go from the search graph to the contour graph: combined features of the regression and
#: of the classification branch, and fine maps of the backbone, which are numbered.
COMBINED = 'combined'
OTHER_COMBINED = 'combined_cls'
FINE_MAP = 'fine_'

#: Inputs of the graph of the mask stage, in order, and its outputs.
MASK_INPUTS = ('crops', 'priors', 'reference_keys', 'reference_masks')
MASK_OUTPUTS = ('logits', 'quality', 'keys')


def run_graph(
    session: onnxruntime.InferenceSession, feed: Mapping[str, NDArray]
) -> dict[str, NDArray[np.float32]]:
    """All outputs of a graph by name.

    Args:
        session: The graph.
        feed: Its inputs by name.
    """
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))


def contour_feed(
    maps: Mapping[str, NDArray[np.float32]],
    prototypes: NDArray[np.float32] | None,
    locations: NDArray[np.int64],
    search_size: int,
) -> dict[str, NDArray]:
    """What the contour graph takes, for one location of each target.

    Args:
        maps: Outputs of the search graph by name, arrays (T, ...).
        prototypes: Output of the template graph, (T, C, 2, 1); None without a refinement head.
        locations: A location of each target, counted row by row, (T,).
        search_size: Side of the search crops in pixels.

    Returns:
        Arrays by name of the input.
    """
    read = {name: value for name, value in maps.items() if name not in ANSWERS}
    feed = {LOCATIONS: locations} | read
    if prototypes is None:
        return feed
    middle = np.array(search_size // 2, dtype=np.int64)
    return feed | {PROTOTYPES: prototypes, MIDDLE: middle, 'ltrb': maps['ltrb']}
