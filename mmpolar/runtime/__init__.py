"""Tracking without PyTorch: needs NumPy, OpenCV and ONNX Runtime only."""

from mmpolar.runtime.model_folder import ModelFolderError, ModelManifest
from mmpolar.runtime.onnx_engine import OnnxEngine
from mmpolar.runtime.runtime_tracker import RuntimeTracker

__all__ = ['ModelFolderError', 'ModelManifest', 'OnnxEngine', 'RuntimeTracker']
