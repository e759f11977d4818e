"""Fixtures of tiny data sets."""

from tiny_data import data, rectangle, shared_data

__all__ = ['data', 'rectangle', 'shared_data']
