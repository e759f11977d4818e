_base_ = [
    './mask-stage_effnet-lite0_natural.py',
    '../_base_/datasets/open_sets.py',
]

# The same mask stage on data whose terms are stated alone. Its sets are few, so its training is shorter: 44
# epochs of 800 groups of three, 105,600 crops.
train_dataloader = dict(dataset=dict(_base_.open_sets, samples_per_epoch=800))
max_epochs = 44
train_cfg = dict(max_epochs=max_epochs)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [
    dict(warm_up, end=100),
    dict(cosine, T_max=max_epochs, end=max_epochs),
]
