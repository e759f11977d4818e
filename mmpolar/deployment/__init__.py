"""Export of trackers to ONNX, their quantisation, and what it costs."""

from mmpolar.deployment.export_onnx import ExportMismatchError, export_onnx

__all__ = ['ExportMismatchError', 'export_onnx']
