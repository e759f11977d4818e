"""Tracking without PyTorch: needs NumPy, OpenCV and ONNX Runtime only."""

from mmpolar.runtime.model_folder import ModelFolderError, ModelManifest
from mmpolar.runtime.tracker import RuntimeTracker

__all__ = ['ModelFolderError', 'ModelManifest', 'RuntimeTracker']
