"""Normalisation of the groups of crops that train a mask stage."""

from torch import Tensor

from mmpolar.models.data_preprocessors.track_data_preprocessor import TrackDataPreprocessor
from mmpolar.registry import MODELS


@MODELS.register_module()
class MaskCropPreprocessor(TrackDataPreprocessor):
    """Normalise crops, and bring maps from 0..255 to 0..1.

    Arguments are those of :class:`TrackDataPreprocessor`.
    """

    def forward(self, data: dict[str, dict[str, Tensor]], training: bool = False) -> dict:
        """Prepare a batch.

        Args:
            data: ``inputs``: ``img`` (B, V, 3, X, X) uint8 BGR, and maps in uint8.
            training: Not used.

        Returns:
            ``inputs`` in float32 on the model's device, and ``data_samples``, None.
        """
        inputs = {key: value.to(self.device) for key, value in data['inputs'].items()}
        maps = {key: value.float() / 255 for key, value in inputs.items() if key != 'img'}
        return dict(inputs=dict(img=self.normalize(inputs['img']), **maps), data_samples=None)
