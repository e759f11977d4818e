"""Tracks of a dataset that share an image or a class."""

import numpy as np

from mmpolar.datasets.base_track_dataset import BaseTrackDataset
from mmpolar.datasets.track import Track


class TrackRelations:
    """Which tracks of a dataset share an image, and which show objects of one class."""

    def __init__(self, dataset: BaseTrackDataset) -> None:
        by_video: dict[str, list[int]] = {}
        by_class: dict[int, list[int]] = {}
        for track_id in range(dataset.num_videos):
            track = dataset.get_track(track_id)
            by_video.setdefault(track.frames[0], []).append(track_id)
            if track.category is not None:
                by_class.setdefault(track.category, []).append(track_id)
        self._by_video = {key: np.array(ids) for key, ids in by_video.items() if len(ids) > 1}
        self._by_class = {key: np.array(ids) for key, ids in by_class.items()}

    def in_same_images(self, track: Track) -> np.ndarray:
        """Tracks of the same video, shape (K,)."""
        ids = self._by_video.get(track.frames[0], np.empty(0, dtype=np.int64))
        return ids[ids != track.sample_idx]

    def of_same_class(self, track: Track) -> np.ndarray:
        """Tracks of the same class, shape (K,)."""
        return self._by_class.get(track.category, np.empty(0, dtype=np.int64))
