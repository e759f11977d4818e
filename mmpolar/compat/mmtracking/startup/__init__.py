"""The folder that ``python -m mmpolar.compat.mmtracking`` puts on ``PYTHONPATH``."""
