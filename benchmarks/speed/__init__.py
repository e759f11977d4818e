"""Speed and memory: parts of ``python -m benchmarks.speed``, one a module."""
