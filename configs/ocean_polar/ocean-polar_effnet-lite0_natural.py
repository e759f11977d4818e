_base_ = [
    '../_base_/models/ocean-polar_effnet-lite0.py',
    '../_base_/datasets/natural.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/default_runtime.py',
]

optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))
