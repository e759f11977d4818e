_base_ = [
    '../_base_/models/ocean-polar_effnet-lite0.py',
    '../_base_/datasets/synthetic.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/default_runtime.py',
]

# A short training, a few minutes on two CPU cores: the ImageNet features stay as they are.
model = dict(backbone=dict(frozen_stages=5))
train_dataloader = dict(dataset=dict(samples_per_epoch=480))
optim_wrapper = dict(optimizer=dict(lr=2e-3))
