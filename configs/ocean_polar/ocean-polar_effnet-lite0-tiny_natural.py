_base_ = './ocean-polar_effnet-lite0_natural.py'

# For small devices: fewer stages of the backbone, 64 channels, depth-wise heads and no object-aware
# branch. A quarter of the multiplications of its larger sibling.
model = dict(
    backbone=dict(out_indices=(1, 2, 3), frozen_stages=2),
    neck=dict(in_channels=[40, 80], out_channels=64),
    head=dict(
        in_channels=64, feat_channels=64, depthwise=True, with_align=False),
    mask_head=dict(in_channels=64, depthwise=True),
    refine_head=dict(
        in_channels=[24, 40],
        strides=[4, 8],
        combined_channels=64,
        feat_channels=32,
        match_channels=16,
        dilations=(1, 3),
        n_samples=12),
    mask_stage=dict(
        params=dict(
            crop_size=160,
            binary_references=False,
            presence=dict(
                bias=-0.168,
                score=0.2214,
                confidence=-0.4223,
                likeness=-11.44,
                contrast=12.26,
                completeness=5.578,
                quality=0.87,
                color=5.154,
                online=1.996))),
    test_cfg=dict(
        score_slope=1.26, score_offset=-1.82, lost_score=0.28, found_score=0.9,
        online_share=0.4))
custom_hooks = [
    dict(
        type='BackboneUnfreezeHook',
        schedule=[dict(epoch=3, modules=['stages.2', 'stages.3'])]),
    _base_.ema_hook,
    _base_.mining_hook,
]
max_epochs = 10
train_cfg = dict(max_epochs=max_epochs)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up, dict(cosine, T_max=max_epochs, end=max_epochs)]
