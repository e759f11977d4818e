"""Scores of any detector in, lists of picks for its training out.

Without PyTorch and OpenMMLab.
"""

from mmpolar.mining.lists.coco_list import read_coco, write_coco
from mmpolar.mining.lists.pick_table import read_picks, write_picks
from mmpolar.mining.lists.score_table import read_scores
from mmpolar.mining.lists.yolo_list import write_yolo

__all__ = ['read_coco', 'read_picks', 'read_scores', 'write_coco', 'write_picks', 'write_yolo']
