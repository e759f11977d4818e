# Goes on from the packaged tracker on plain pairs of your own data: inherit this, and name them. See
# docs/your_data.md.
_base_ = [
    '../_base_/models/ocean-polar-refine_effnet-lite0.py',
    '../_base_/models/mask-stage_effnet-lite0.py',
    '../_base_/datasets/natural.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/options/ema.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(frozen_stages=5),
    mask_stage=_base_.packaged_mask_stage,
    test_cfg=_base_.packaged_score)
*crop_and_recolor, polar_target, pack = _base_.train_pipeline
train_pipeline = [
    *crop_and_recolor,
    dict(type='DrawTemplateTarget', mask_prob=0.5),
    polar_target,
    pack,
]
train_dataloader = dict(dataset=dict(samples_per_epoch=2000, pipeline=train_pipeline))
custom_hooks = [_base_.ema_hook]
max_epochs = 28
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up, dict(cosine, T_max=max_epochs, end=max_epochs)]
# None starts from ImageNet's features instead, and wants more pairs.
load_from = 'mmpolar://ocean-polar_effnet-lite0_natural'
