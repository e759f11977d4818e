_base_ = [
    'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
    '../_base_/datasets/hard_negative.py',
]

model = dict(roi_head=dict(bbox_head=dict(num_classes=1)))

train_dataloader = dict(
    batch_size=2,
    sampler=dict(_delete_=True, type='mmpolar.EpochPairSampler'),
    # Composites are of one size: there is nothing to sort by ratio.
    batch_sampler=None,
    dataset=dict(
        _delete_=True,
        num_positives=1,
        num_negatives=1,
        pipeline=[
            dict(type='mmpolar.OverlayComposite', img_scale=(1000, 800)),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackDetInputs'),
        ],
        **_base_.train_set))
val_dataloader = dict(
    dataset=dict(_delete_=True, pipeline=_base_.test_pipeline, **_base_.test_set))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, **_base_.image_level)
test_evaluator = val_evaluator

# An epoch is a mining round and what is learnt from it.
train_cfg = dict(type='mmpolar.GroupTrainLoop')
custom_hooks = [
    dict(type='mmpolar.HardNegativeMiningHook', num_picks=1000),
    dict(type='mmpolar.ConvergenceHook', window=2000, tolerance=0.01, max_alarm_share=0.001),
]
default_hooks = dict(
    guard=dict(type='mmpolar.TrainingGuardHook'),
    checkpoint=dict(
        type='mmpolar.AtomicCheckpointHook',
        max_keep_ckpts=3,
        save_best='image/average_precision',
        rule='greater'))

# As in the inherited config for each image of a batch, which is 16 there.
optim_wrapper = dict(optimizer=dict(lr=0.02 / 8))
auto_scale_lr = dict(base_batch_size=2)
