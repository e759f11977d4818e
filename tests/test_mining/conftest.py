"""Fixtures of tiny datasets."""

from tiny_data import data, rectangle, shared_data

__all__ = ['data', 'rectangle', 'shared_data']
