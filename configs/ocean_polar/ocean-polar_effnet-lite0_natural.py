_base_ = [
    '../_base_/models/ocean-polar_effnet-lite0.py',
    '../_base_/datasets/natural.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/default_runtime.py',
]

# What two CPU cores can do in an hour or so: the ImageNet features stay as they are. With --amp the
# processors that compute in bfloat16 are about twice as fast.
model = dict(backbone=dict(frozen_stages=5))
train_dataloader = dict(dataset=dict(samples_per_epoch=2000))
max_epochs = 28
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.01,
        by_epoch=True,
        begin=0,
        T_max=max_epochs,
        end=max_epochs,
        convert_to_iter_based=True),
]
