"""Report of how well images with a target are told from images without one."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmpolar.evaluation.functional import OperatingPoint, PRCurve
from mmpolar.utils.atomic_write import atomic_table
from mmpolar.utils.tables import write_json


@dataclass(frozen=True)
class ImageLevelReport:
    """What was found in one evaluation.

    Attributes:
        score_thr: Threshold at which an image is flagged.
        labels: Class labels that count as targets; None for all.
        counts: Numbers of images with a target, without one, and left out.
        metrics: Value of each metric.
        curve: Precision over recall; None where the images are of one kind.
        marks: Points of the curve to mark in its plot, by name.
    """

    score_thr: float
    labels: Sequence[int] | None
    counts: Mapping[str, int]
    metrics: Mapping[str, float]
    curve: PRCurve | None
    marks: Mapping[str, OperatingPoint]

    def write(self, path: Path, images: Sequence[Mapping[str, Any]]) -> None:
        """Write the report, and beside it the scores of the images.

        Args:
            path: The report, ``*.json``; its folder is made. Beside it go the score of each image,
                highest first, as ``.csv``.
            images: ``image`` (its name), ``has_target`` and ``score`` of each image.
        """
        curve = self.curve
        content = dict(
            score_thr=self.score_thr,
            labels=self.labels,
            counts=self.counts,
            metrics=self.metrics,
            curve=None if curve is None else {k: v.tolist() for k, v in vars(curve).items()},
            marks={name: vars(point) for name, point in self.marks.items()},
        )
        content['figures'] = content['metrics']  # the key's old name, for one release
        write_json(path, content)
        with atomic_table(path.with_suffix('.csv')) as writer:
            writer.writerow(['image', 'has_target', 'score'])
            for image in sorted(images, key=lambda image: -image['score']):
                writer.writerow([image['image'], int(image['has_target']), image['score']])


def read_pr_curve(path: str | os.PathLike) -> tuple[PRCurve, dict[str, OperatingPoint]]:
    """Read the curve of a report back, and the points that are marked in it.

    Args:
        path: What :meth:`ImageLevelReport.write` wrote.

    Raises:
        ValueError: If the file is no such report, or its images were of one kind.
    """
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
        curve = content['curve'] and PRCurve(
            **{name: _numbers(values) for name, values in content['curve'].items()}
        )
        marks = {  # reports of the last release name none
            name: OperatingPoint(*_numbers(point.values()).tolist())
            for name, point in content.get('marks', {}).items()
        }
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f'{path} is no report of ImageLevelMetric ({error!r}); give the file that its out_file '
            'names'
        ) from error
    if curve is None:
        raise ValueError(
            f'{path} has no curve: the images were all with a target, or all without one'
        )
    return curve, marks


def _numbers(values: Any) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
