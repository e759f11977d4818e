"""False alarms in videos over the recall of videos."""

import os
from collections.abc import Mapping
from itertools import cycle

from mmpolar.evaluation.functional import VideoCurve, VideoPoint
from mmpolar.visualization.pr_curves import MARKERS, draw_steps, label_axis, two_panels

#: What each panel shows: the value, and its axis.
_PANELS = (
    ('false_alarms_per_hour', 'false alarms per hour'),
    ('false_alarms_per_1k_videos', 'false alarms per 1,000 videos'),
)


def plot_video_curves(
    curves: Mapping[str, VideoCurve],
    out: str | os.PathLike,
    marks: Mapping[str, tuple[VideoPoint, Mapping[str, tuple[float, float]]]] | None = None,
) -> None:
    """Draw false alarms per hour and per 1,000 videos over the recall of videos.

    Args:
        curves: Name of a detector to its curve, at least one, of videos some of which have a target; an
            only one may have the name ''.
        out: Image to write, .png; its folder is made.
        marks: Name of a point to the point and its intervals, each marked in both panels.

    Raises:
        ValueError: If there is no curve.
    """
    with two_panels(curves, out) as axes:
        for axis, (value, title) in zip(axes, _PANELS, strict=True):
            for name, curve in curves.items():
                draw_steps(axis, curve.recall, getattr(curve, value), name)
            for marker, (name, (point, intervals)) in zip(
                cycle(MARKERS), (marks or {}).items(), strict=False
            ):
                height = getattr(point, value)
                low, high = intervals[value]
                axis.errorbar(
                    point.recall,
                    height,
                    [[max(height - low, 0)], [max(high - height, 0)]],
                    marker=marker,
                    mfc='none',
                    capsize=3,
                    ls='',
                    label=name,
                )
            label_axis(axis, title)
            axis.set_xlabel('recall of videos')
            # Logarithmic, yet with room for none at all.
            axis.set_yscale('symlog', linthresh=1)
            axis.set_ylim(bottom=0)
