_base_ = [
    '../_base_/models/mask-stage_effnet-lite0.py',
    '../_base_/datasets/natural_sets.py',
    '../_base_/options/ema.py',
    '../_base_/default_runtime.py',
]

# The mask stage alone, on groups of three views of one target.
n_rays = 72
# Training on smaller crops than those of tracking costs half the time; larger ones in tracking show more.
train_crop_size = 192
data_root = _base_.sets_root

model = _base_.mask_stage

train_pipeline = [
    dict(type='LoadViews'),
    dict(type='CropViews', size=train_crop_size, context=_base_.mask_stage.params.context),
    dict(type='CompositeViews'),
    dict(type='RecolorViews'),
    dict(type='SimulatePriors', context=_base_.mask_stage.params.context, n_rays=n_rays),
    dict(type='PackViews'),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='EpochPairSampler'),
    dataset=dict(
        type='MaskCropDataset',
        samples_per_epoch=1600,
        num_views=3,
        frame_range=20,
        datasets=_base_.masked_sets,
        quotas=_base_.masked_quotas,
        pipeline=train_pipeline))

# 105 epochs of 1,600 groups of three: half a million crops.
max_epochs = 105
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
    clip_grad=dict(max_norm=5))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=200),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.01,
        by_epoch=True,
        begin=0,
        T_max=max_epochs,
        end=max_epochs,
        convert_to_iter_based=True),
]
custom_hooks = [_base_.ema_hook]
