# Ocean as published (ResNet-50, 256 channels, towers of four), with a polar contour head.
model = dict(
    type='Ocean',
    # Ocean's published network takes BGR images in 0..255.
    data_preprocessor=dict(type='TrackDataPreprocessor'),
    backbone=dict(type='SiamResNet50', out_indices=(2, )),
    neck=dict(
        type='AdjustNeck',
        in_channels=[1024],
        out_channels=256,
        template_cells=7),
    head=dict(
        type='OceanHead',
        in_channels=256,
        feat_channels=256,
        num_convs=4,
        stride=8,
        search_size=255,
        positive_radius=2,
        with_align=True,
        loss_cls=dict(type='BalancedBCELoss', loss_weight=1.0),
        loss_bbox=dict(type='LTRBIoULoss', loss_weight=1.2),
        loss_align_weight=1.0),
    mask_head=dict(
        type='PolarContourHead',
        in_channels=256,
        num_convs=4,
        n_rays=36,
        feature='reg',
        centerness_weight=True,
        loss_polar=dict(type='PolarIoULoss', loss_weight=1.0)),
    # Published for VOT2019.
    test_cfg=dict(
        penalty_k=0.062,
        window_influence=0.38,
        lr=0.765,
        score_ratio=0.94,
        small_target_search_size=271,
        min_size=10))
