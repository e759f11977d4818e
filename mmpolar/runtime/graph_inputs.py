"""What goes into and comes out of the graphs of a model folder."""

from collections.abc import Mapping

import numpy as np
import onnxruntime
from numpy.typing import NDArray

#: Inputs of the template graph: crops, and with a refinement graph where the target is in them.
TEMPLATE_INPUT = 'template'
TARGET_MAP_INPUT = 'target_map'
#: Output of the template graph that only the refinement graph takes.
PROTOTYPES = 'prototypes'
#: Input of the search graph for crops; it also takes the kernels.
SEARCH_INPUT = 'search'
#: Inputs of the refinement graph that come before the fine maps.
REFINE_INPUTS = (PROTOTYPES, 'poles', 'middle', 'ltrb', 'coarse', 'combined')
FINE_MAP = 'fine_'


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


def refine_feed(
    maps: Mapping[str, NDArray[np.float32]],
    prototypes: NDArray[np.float32],
    locations: NDArray[np.integer],
    search_size: int,
    stride: int,
) -> dict[str, NDArray]:
    """What the refinement graph takes, for one location of each target.

    Args:
        maps: Outputs of the search graph by name, arrays (T, ...).
        prototypes: Output of the template graph, (T, C, 2, 1).
        locations: A location of each target, counted row by row, (T,).
        search_size: Side of the search crops in pixels.
        stride: Pixels between two locations.

    Returns:
        Arrays by name of the input.
    """
    targets, size = np.arange(len(locations)), maps['radii'].shape[-1]
    rows, cols = np.divmod(locations, size)
    middle = search_size // 2
    poles = (np.stack([cols, rows], axis=1) - size // 2) * stride + middle
    values = (
        prototypes,
        poles.astype(np.float32),
        np.array(middle, dtype=np.int64),
        maps['ltrb'][targets, :, rows, cols],
        maps['radii'][targets, :, rows, cols],
        maps['combined'],
    )
    fine = {name: value for name, value in maps.items() if name.startswith(FINE_MAP)}
    return dict(zip(REFINE_INPUTS, values, strict=True)) | fine
