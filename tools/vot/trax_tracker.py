"""A tracker process that the VOT toolkit starts and talks to in the TraX protocol. See ``--help``."""

import argparse
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

try:
    import trax
    from trax import Image, ImageChannel, Region, Server, TraxStatus
    from trax.server import Request
except ImportError as error:
    sys.exit(f'error: {error}; install the TraX protocol with: pip install vot-trax')

from mmpolar.cli.arguments import tool_parser
from mmpolar.cli.engine_arguments import add_engine_arguments, build_tracker, check_engine_arguments
from mmpolar.cli.errors import report_error
from mmpolar.structures import vot_region as regions
from mmpolar.structures.vot_region import region_box, region_mask, result_confidence, result_region
from mmpolar.tracking import Tracker
from mmpolar.utils.image import read_image

DESCRIPTION = """\
A tracker process for the VOT toolkit (vot-toolkit). The toolkit starts it, hands over frames and targets
in the TraX protocol on standard input and output, and asks for the targets' boxes or masks; you do not
start it yourself. tools/vot/register_tracker.py writes the file that tells the toolkit how."""
EPILOG = """\
what it does
  A target may be given as rectangle, polygon or mask. In the frame in which it is given the answer is
  what was given; later it is a rectangle (--region box) or the inside of the contour (--region mask),
  with the score as the property "confidence". For a lost target the answer is its last rectangle or an
  empty mask, with confidence 0. Several targets are tracked at once, and more of them
  may come in later frames.

the whole story: docs/vot.md
"""
#: Kinds of regions in which a target may be given.
GIVEN_REGIONS = (Region.RECTANGLE, Region.POLYGON, Region.MASK)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve one client; returns the exit status."""
    args = parse_args(argv)
    try:
        tracker = build_tracker(args)
    except (FileNotFoundError, ValueError) as error:
        return report_error(error)
    serve(tracker, args.region)
    return 0


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG)
    add_engine_arguments(parser)
    args = parser.parse_args(argv)
    check_engine_arguments(args, parser)
    return args


def serve(tracker: Tracker, kind: str) -> None:
    """Answer the client's requests until it ends the session.

    Args:
        tracker: Tracks the targets.
        kind: What to answer with, ``'box'`` or ``'mask'``.

    Raises:
        ValueError: If a target cannot be used; the client is told why.
        trax.TraxException: If the client is gone or does not speak TraX.
    """
    with Server(
        GIVEN_REGIONS,
        [Image.PATH],
        [ImageChannel.COLOR],
        tracker_name='mmpolar',
        tracker_description='Ocean with polar contours',
        tracker_family='Siamese',
        multiobject=True,
    ) as server:
        while True:
            request = server.wait()
            if request.type == TraxStatus.QUIT:
                return
            server.status(answer(tracker, request, kind))


def answer(tracker: Tracker, request: Request, kind: str) -> list[tuple[Region, dict]]:
    """Regions and properties of all targets in the frame of a request.

    Args:
        tracker: Tracks the targets; starts with those of the request.
        request: A frame, and the targets that are given in it.
        kind: What to answer with, ``'box'`` or ``'mask'``.

    Returns:
        An answer a target, in the order in which they were given.
    """
    frame = read_image(request.image[ImageChannel.COLOR].path())
    given = request.objects or []
    targets = [to_target(from_trax(region), frame.shape[:2]) for region, _ in given]
    if request.type == TraxStatus.INITIALIZE:
        tracker.init(frame, targets)
        found = []
    else:
        found = tracker.step(frame)
        for target in targets:
            tracker.add(frame, target)
    answers = [
        (to_trax(result_region(result, kind)), dict(confidence=result_confidence(result)))
        for result in found
    ]
    return answers + [(region, {}) for region, _ in given]


def from_trax(region: Region) -> regions.Region:
    """A target's region as the client gave it."""
    if isinstance(region, trax.Rectangle):
        return regions.Rectangle(*region.bounds())
    if isinstance(region, trax.Polygon):
        return regions.Polygon(np.array(list(region)))
    return regions.MaskRegion(*region.offset(), region.array())


def to_target(region: regions.Region, frame_size: tuple[int, int]) -> NDArray:
    """A region as a tracker takes it: a mask (H, W), or the box (4,) around anything else."""
    if isinstance(region, regions.MaskRegion):
        return region_mask(region, frame_size)
    return region_box(region)


def to_trax(region: regions.Rectangle | regions.MaskRegion) -> Region:
    """A region as the client takes it; an empty mask is a single zero."""
    if isinstance(region, regions.Rectangle):
        return trax.Rectangle.create(region.x, region.y, region.width, region.height)
    mask = region.mask if region.mask.size else np.zeros((1, 1), np.uint8)
    return trax.Mask.create(mask, region.x, region.y)


if __name__ == '__main__':
    sys.exit(main())
