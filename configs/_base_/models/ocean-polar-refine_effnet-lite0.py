# As ocean-polar_effnet-lite0.py, with 72 rays, whose radii are measured again at the selected location
# on the fine maps (strides 2, 4 and 8) of the backbone.
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
        n_samples=16,
        loss_polar=dict(type='PolarIoULoss', loss_weight=1.0)),
    # The box is the mean of the head's and the contour's: it was better than the head's alone on
    # sequences with boxes only, on which nothing else but the window was chosen.
    test_cfg=dict(window_influence=0.3, contour_share=0.5))
