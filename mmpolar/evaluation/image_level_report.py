"""Report of how well images with a target are told from images without one."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmpolar.evaluation.functional import OperatingPoint, PRCurve
from mmpolar.evaluation.sequence_report import nan_to_none
from mmpolar.visualization import plot_pr_curves


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
        """Write the report, and beside it the scores and the plot of the curve.

        Args:
            path: The report, ``*.json``; its folder is made. Beside it go the score of each image,
                highest first, as ``.csv`` and, where there is a curve, its plot as ``.png``.
            images: ``image`` (its name), ``has_target`` and ``score`` of each image.
        """
        curve = self.curve
        content = dict(
            score_thr=self.score_thr,
            labels=self.labels,
            counts=self.counts,
            metrics=nan_to_none(self.metrics),
            curve=None if curve is None else {k: v.tolist() for k, v in vars(curve).items()},
        )
        content['figures'] = content['metrics']  # the key's old name, for one release
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1), encoding='utf-8')
        with path.with_suffix('.csv').open('w', newline='', encoding='utf-8') as file:
            writer = csv.writer(file)
            writer.writerow(['image', 'has_target', 'score'])
            for image in sorted(images, key=lambda image: -image['score']):
                writer.writerow([image['image'], int(image['has_target']), image['score']])
        if curve is not None:
            plot_pr_curves({'': curve}, path.with_suffix('.png'), self.marks)
