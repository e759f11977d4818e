_base_ = '../ocean_polar/ocean-polar_effnet-lite0_natural.py'

# What python -m benchmarks.ablations changes arm by arm: a schedule that is short enough to be
# repeated for every arm and seed, on a backbone that stays as it is. Negatives are mined after a third
# and after two thirds of it.
max_epochs = 6
pairs_per_epoch = 1024

# Without mask stage: its masks would hide what an arm does to the contour.
model = dict(backbone=dict(frozen_stages=5), mask_stage=None)
train_dataloader = dict(
    dataset=dict(
        num_composites=pairs_per_epoch,
        positives=dict(samples_per_epoch=pairs_per_epoch),
        negatives=dict(length=1200),
    )
)
custom_hooks = [
    _base_.ema_hook,
    dict(_base_.mining_hook, num_picks=300, begin=2, interval=2),
]

optim_wrapper = dict(type='Bfloat16OptimWrapper')
train_cfg = dict(max_epochs=max_epochs)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [dict(warm_up, end=30), dict(cosine, T_max=max_epochs, end=max_epochs)]
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1), logger=dict(interval=16))
log_processor = dict(window_size=16)
