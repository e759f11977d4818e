# Ocean on EfficientNet-Lite0: strides 8 and 16 merged at stride 8, 96 channels.
model = dict(
    type='Ocean',
    data_preprocessor=dict(
        type='TrackDataPreprocessor',
        mean=[127.0, 127.0, 127.0],
        std=[128.0, 128.0, 128.0],
        bgr_to_rgb=True),
    backbone=dict(
        type='EfficientNetLite0',
        out_indices=(2, 4),
        frozen_stages=2,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained', checkpoint='efficientnet-lite://lite0')),
    neck=dict(
        type='AdjustNeck',
        in_channels=[40, 112],
        out_channels=96,
        template_cells=8),
    head=dict(
        type='OceanHead',
        in_channels=96,
        feat_channels=96,
        num_convs=2,
        stride=8,
        search_size=255,
        positive_radius=2,
        with_align=True,
        # Half of a target's usual side in the search crop is 32 px.
        box_bias=3.47,
        loss_cls=dict(type='BalancedBCELoss', loss_weight=1.0),
        loss_bbox=dict(type='LTRBIoULoss', loss_weight=1.2),
        loss_align_weight=1.0),
    mask_head=dict(
        type='PolarContourHead',
        in_channels=96,
        num_convs=2,
        n_rays=36,
        feature='reg',
        centerness_weight=True,
        loss_polar=dict(type='PolarIoULoss', loss_weight=1.0)),
    test_cfg=dict(
        penalty_k=0.05,
        window_influence=0.2,
        lr=0.7,
        score_ratio=0.7,
        small_target_search_size=287,
        min_size=4))
