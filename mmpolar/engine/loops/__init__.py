"""Training loops that a config names."""

from mmpolar.engine.loops.group_train_loop import GroupTrainLoop

__all__ = ['GroupTrainLoop']
