# Mined hard negatives, stitched: the network, the data and the schedule of the experiment that
# python -m benchmarks.hard_negatives runs. It replaces the source of the negatives.
# YOLOX's head on the last map with stride 16 of EfficientNet-Lite0, small enough for one CPU core.
_base_ = ['../_base_/default_runtime.py']

default_scope = 'mmdet'
custom_imports = dict(imports=['mmpolar'], allow_failed_imports=False)

# tools/dataset_converters/make_hard_negative_data.py makes this folder.
data_root = 'data/hard_negative/'
classes = ('target', )
composite_side = 256
test_side = 160
updates_per_round = 80
rounds = 4  # the first without mining: the network knows nothing yet
batch_size = 8
num_picks = 256
keep_rounds = 2  # earlier hard negatives stay in training

model = dict(
    type='YOLOX',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[127.0, 127.0, 127.0],
        std=[128.0, 128.0, 128.0],
        bgr_to_rgb=True,
        pad_size_divisor=32,
        pad_value=114),
    backbone=dict(
        type='mmpolar.EfficientNetLite0',
        out_indices=(4, ),
        frozen_stages=4,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained', checkpoint='efficientnet-lite://lite0')),
    neck=dict(
        type='ChannelMapper',
        in_channels=[112],
        kernel_size=1,
        out_channels=64,
        norm_cfg=dict(type='BN', momentum=0.03, eps=0.001),
        act_cfg=dict(type='Swish')),
    bbox_head=dict(
        type='YOLOXHead',
        num_classes=1,
        in_channels=64,
        feat_channels=64,
        stacked_convs=2,
        strides=(16, ),
        # The loss of the invention: loss_reg + w1 * loss_cls + w2 * loss_conf.
        loss_bbox=dict(
            type='IoULoss',
            mode='square',
            eps=1e-16,
            reduction='sum',
            loss_weight=5.0),
        loss_cls=dict(
            type='CrossEntropyLoss',
            use_sigmoid=True,
            reduction='sum',
            loss_weight=1.0),
        loss_obj=dict(
            type='CrossEntropyLoss',
            use_sigmoid=True,
            reduction='sum',
            loss_weight=1.0)),
    train_cfg=dict(assigner=dict(type='SimOTAAssigner', center_radius=2.5)),
    test_cfg=dict(score_thr=0.001, nms=dict(type='nms', iou_threshold=0.65)))

train_dataloader = dict(
    batch_size=batch_size,
    num_workers=0,
    sampler=dict(type='mmpolar.EpochPairSampler', seed=0),
    dataset=dict(
        type='mmpolar.CompositeDataset',
        num_composites=updates_per_round * batch_size,
        num_positives=2,
        num_negatives=2,
        seed=0,
        positives=dict(
            type='CocoDataset',
            data_root=data_root,
            ann_file='train.json',
            data_prefix=dict(img=''),
            metainfo=dict(classes=classes),
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='LoadAnnotations', with_bbox=True),
                dict(type='RandomFlip', prob=0.5),
            ]),
        negatives=dict(
            type='mmpolar.ImageFolderDataset',
            data_root=data_root,
            data_prefix=dict(img='train/negatives'),
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='RandomFlip', prob=0.5),
            ]),
        pipeline=[
            dict(
                type='mmpolar.StitchComposite',
                img_scale=(composite_side, composite_side),
                scale_range=(0.8, 1.5)),
            dict(type='YOLOXHSVRandomAug'),
            dict(type='PackDetInputs'),
        ]))
custom_hooks = [
    dict(
        type='mmpolar.HardNegativeMiningHook',
        num_picks=num_picks,
        keep_rounds=keep_rounds,
        begin=1,
        batch_size=16),
]

optim_wrapper = dict(
    type='mmpolar.Bfloat16OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.002, weight_decay=0.05),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
    clip_grad=dict(max_norm=20.0))
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=rounds)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=20),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.05,
        by_epoch=True,
        begin=0,
        T_max=rounds,
        end=rounds,
        convert_to_iter_based=True),
]

test_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CocoDataset',
        data_root=data_root,
        ann_file='test.json',
        data_prefix=dict(img=''),
        metainfo=dict(classes=classes),
        test_mode=True,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=(test_side, test_side), keep_ratio=True),
            dict(
                type='Pad',
                size=(test_side, test_side),
                pad_val=dict(img=(114.0, 114.0, 114.0))),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='PackDetInputs'),
        ]))
test_cfg = dict()
test_evaluator = dict(
    type='mmpolar.ImageLevelMetric', precision=[0.8, 0.9], recall=[0.8, 0.9])

default_hooks = dict(
    checkpoint=dict(type='mmpolar.AtomicCheckpointHook', interval=rounds),
    logger=dict(type='LoggerHook', interval=updates_per_round // 4))
log_processor = dict(window_size=updates_per_round // 4)
