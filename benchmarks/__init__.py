"""The laboratory: what measures this package, runs its experiments and writes its result pages.

Each module with a command line starts as ``python -m benchmarks.<name>`` from the root of a checkout;
none of them is installed.
"""
