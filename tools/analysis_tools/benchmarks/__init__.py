"""The parts of benchmark.py, one a module."""
