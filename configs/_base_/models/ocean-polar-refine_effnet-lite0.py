# As ocean-polar_effnet-lite0.py, with 72 rays that are measured again on the fine maps (strides 2, 4
# and 8) of the backbone once a location is selected.
_base_ = './ocean-polar_effnet-lite0.py'

model = dict(
    backbone=dict(out_indices=(0, 1, 2, 4)),
    mask_head=dict(n_rays=72),
    refine_head=dict(
        type='ContourRefineHead',
        in_channels=[16, 24, 40],
        strides=[2, 4, 8],
        combined_channels=96,
        feat_channels=48,
        n_rays=72,
        n_samples=16,
        loss_polar=dict(type='PolarIoULoss', loss_weight=1.0)),
    # Head and outline measure the box apart; their mean was better than the head's on sequences
    # with boxes only, on which no other choice was made but that of the window.
    test_cfg=dict(window_influence=0.3, contour_share=0.5))
