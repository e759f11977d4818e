_base_ = [
    '../_base_/models/ocean-polar-refine_effnet-lite0.py',
    '../_base_/models/mask-stage_effnet-lite0.py',
    '../_base_/datasets/natural_composites.py',
    '../_base_/datasets/natural_sets.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/options/ema.py',
    '../_base_/default_runtime.py',
]

# What two CPU cores do in an hour and a half with --amp: the heads learn on ImageNet's features, which
# then follow at a tenth of the rate. `focus` gives hard negatives more weight: in the mean over all
# negative locations a single peak would hardly count.
model = dict(
    head=dict(loss_cls=dict(focus=1.0)),
    mask_stage=_base_.packaged_mask_stage,
    test_cfg=_base_.packaged_score)
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))
train_dataloader = dict(
    dataset=dict(positives=_base_.natural_sets, negatives=_base_.natural_sets))
custom_hooks = [
    dict(
        type='BackboneUnfreezeHook',
        schedule=[
            dict(epoch=6, modules=['stages.2', 'stages.3', 'stages.4'])
        ]),
    _base_.ema_hook,
    _base_.mining_hook,
]
max_epochs = 18
train_cfg = dict(max_epochs=max_epochs, val_interval=6)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [dict(warm_up, end=100), dict(cosine, T_max=max_epochs, end=max_epochs)]
