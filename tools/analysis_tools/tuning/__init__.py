"""The parts of tune_tracker.py, one a module."""
