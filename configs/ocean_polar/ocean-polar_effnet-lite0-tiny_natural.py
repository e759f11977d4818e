_base_ = './ocean-polar_effnet-lite0_natural.py'

# For small devices: fewer stages of the backbone, 64 channels, depth-wise heads and no object-aware
# branch. A quarter of the multiplications of its larger sibling.
model = dict(
    backbone=dict(out_indices=(2, 3), frozen_stages=4),
    neck=dict(in_channels=[40, 80], out_channels=64),
    head=dict(
        in_channels=64, feat_channels=64, depthwise=True, with_align=False),
    mask_head=dict(in_channels=64, depthwise=True))
