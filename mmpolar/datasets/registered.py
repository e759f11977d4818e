"""Importing this registers all datasets, samplers and transforms, so that configs find them by name."""

from importlib import import_module

from mmpolar.datasets import MODULES, samplers, transforms

__all__ = ['samplers', 'transforms']

for name in sorted(set(MODULES.values())):
    import_module(f'mmpolar.datasets.{name}')
