"""Frames that come faster than they are tracked, and many videos that share one network."""

from mmpolar.tracking.streams.frame_queue import POLICIES, FrameQueue, QueuedFrame
from mmpolar.tracking.streams.stream import StreamFrame, StreamReport
from mmpolar.tracking.streams.stream_pool import StreamPool

__all__ = ['POLICIES', 'FrameQueue', 'QueuedFrame', 'StreamFrame', 'StreamPool', 'StreamReport']
