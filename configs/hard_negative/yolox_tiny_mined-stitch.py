_base_ = [
    'mmdet::yolox/yolox_tiny_8xb8-300e_coco.py',
    '../_base_/datasets/hard_negative.py',
]

# loss = loss_reg + w1 * loss_cls + w2 * loss_conf
w1, w2 = 1.0, 1.0
model = dict(
    bbox_head=dict(
        num_classes=1, loss_cls=dict(loss_weight=w1), loss_obj=dict(loss_weight=w2)))

img_scale = (640, 640)
train_dataloader = dict(
    batch_size=8,
    sampler=dict(_delete_=True, type='mmpolar.EpochPairSampler'),
    dataset=dict(
        _delete_=True,
        num_positives=2,
        num_negatives=2,
        pipeline=[
            dict(type='mmpolar.StitchComposite', img_scale=img_scale),
            dict(type='YOLOXHSVRandomAug'),
            dict(type='RandomFlip', prob=0.5),
            dict(type='FilterAnnotations', min_gt_bbox_wh=(4, 4), keep_empty=False),
            dict(type='PackDetInputs'),
        ],
        **_base_.train_set))
val_dataloader = dict(
    dataset=dict(_delete_=True, pipeline=_base_.test_pipeline, **_base_.test_set))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, **_base_.image_level)
test_evaluator = val_evaluator

# An epoch is a mining round and what is learnt from it.
max_epochs = 30
train_cfg = dict(type='mmpolar.GroupTrainLoop', max_epochs=max_epochs, val_interval=1)
custom_hooks = [
    dict(type='mmpolar.HardNegativeMiningHook', num_picks=1000, use_ema=True),
    dict(type='mmpolar.ConvergenceHook', window=500, tolerance=0.01, max_alarm_share=0.001),
    # Of YOLOX's own hooks YOLOXModeSwitchHook is left out: it takes the mosaic away in the last
    # epochs, and the negatives with it, and adds a fourth loss.
    dict(type='SyncNormHook', priority=48),
    dict(
        type='EMAHook',
        ema_type='ExpMomentumEMA',
        momentum=0.0001,
        update_buffers=True,
        priority=49),
]
default_hooks = dict(
    guard=dict(type='mmpolar.TrainingGuardHook'),
    checkpoint=dict(
        type='mmpolar.AtomicCheckpointHook',
        interval=1,
        save_best='image/average_precision',
        rule='greater'))

# As stock YOLOX for each image of a batch, which is 64 there.
base_lr = 0.01 / 8
optim_wrapper = dict(optimizer=dict(lr=base_lr))
param_scheduler = [
    dict(
        type='mmdet.QuadraticWarmupLR',
        by_epoch=True,
        begin=0,
        end=1,
        convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        eta_min=base_lr * 0.05,
        by_epoch=True,
        begin=1,
        T_max=max_epochs - 1,
        end=max_epochs,
        convert_to_iter_based=True),
]
auto_scale_lr = dict(base_batch_size=8)
