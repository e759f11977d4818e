"""Samplers: which sample, in which order, on which rank."""

from mmpolar.datasets.samplers.epoch_pair_sampler import EpochPairSampler
from mmpolar.datasets.samplers.video_sampler import VideoSampler

__all__ = ['EpochPairSampler', 'VideoSampler']
