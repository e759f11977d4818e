"""Detections in the hardest negatives of a pool, collected while it is scored."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from mmengine.structures import BaseDataElement
from numpy.typing import NDArray

from mmpolar.mining.scoring.detection_features import DetectionFeatures
from mmpolar.structures.crop import invert, transform_box

#: Detections that are kept of an image, highest first; more would hide the image.
MAX_DETECTIONS = 8


@dataclass(frozen=True)
class SampleDetections:
    """The highest-scoring detections of one negative.

    Attributes:
        img_path: Its image file; None if unknown.
        bboxes: x1, y1, x2, y2 in pixels of the image, shape (D, 4), highest score first.
        scores: Shape (D,).
        label: Number of the class of the highest one; None if unknown.
        feature: What the detector sees in the highest one, (F,) float32; None if it was not kept.
    """

    img_path: str | None
    bboxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    label: int | None = None
    feature: NDArray[np.float32] | None = None

    @classmethod
    def from_sample(cls, sample: BaseDataElement) -> 'SampleDetections':
        """The predictions of a detector or a tracker, the highest ``MAX_DETECTIONS``.

        Boxes in the search crop of a pair are mapped to the search frame.
        """
        predictions = sample.get('pred_instances', sample.get('pred_track_instances'))
        bboxes, scores, label = np.zeros((0, 4)), np.zeros(0), None
        if predictions is not None and 'bboxes' in predictions and 'scores' in predictions:
            scores = predictions.scores.double().cpu().numpy()
            highest = np.argsort(-scores, kind='stable')[:MAX_DETECTIONS]
            scores = scores[highest]
            bboxes = predictions.bboxes.double().cpu().numpy()[highest]
            if 'labels' in predictions and len(highest):
                label = int(predictions.labels[int(highest[0])])
        return cls(*_in_image(sample, bboxes), scores, label)


class HardestSamples:
    """Keeps the detections of the highest-scoring negatives, and of no others.

    Args:
        limit: How many negatives to keep, at least 0.
        tie_ranks: Rank of each negative of the pool among those of equal score, shape (P,);
            lower ranks are kept.
        features: Gives a feature of each that is kept; None for none.
    """

    def __init__(
        self,
        limit: int,
        tie_ranks: NDArray[np.int64],
        features: DetectionFeatures | None = None,
    ) -> None:
        self._limit = limit
        self._tie_ranks = tie_ranks
        self._features = features
        self._heap: list[tuple[float, int, int, SampleDetections]] = []

    def add(
        self, indices: Iterable[int], scores: Iterable[float], samples: Iterable[BaseDataElement]
    ) -> None:
        """Add a batch of negatives: their indices in the pool, their scores, their samples."""
        for position, (index, score, sample) in enumerate(
            zip(indices, scores, samples, strict=True)
        ):
            rank = (score, -int(self._tie_ranks[index]))
            if len(self._heap) < self._limit:
                heapq.heappush(self._heap, (*rank, index, self._detections(position, sample)))
            elif self._heap and rank > self._heap[0][:2]:
                heapq.heapreplace(self._heap, (*rank, index, self._detections(position, sample)))

    def _detections(self, position: int, sample: BaseDataElement) -> SampleDetections:
        found = SampleDetections.from_sample(sample)
        if self._features is None:
            return found
        box = found.bboxes[0] if len(found.bboxes) else None
        return replace(found, feature=self._features.pooled(position, sample, box))

    def detections(self) -> dict[int, SampleDetections]:
        """The kept detections by index in the pool."""
        return {index: detections for *_, index, detections in self._heap}


def _in_image(
    sample: BaseDataElement, bboxes: NDArray[np.float64]
) -> tuple[str | None, NDArray[np.float64]]:
    """Path of the image that predicted boxes (D, 4) lie in, and the boxes in its pixels."""
    if 'search_matrix' not in sample:
        return sample.get('img_path'), bboxes
    to_frame = invert(np.array(sample.search_matrix))
    return sample.search_img_path, transform_box(bboxes, to_frame).astype(np.float64)
