_base_ = [
    '../_base_/models/ocean-polar_r50.py',
    '../_base_/datasets/natural.py',
    '../_base_/datasets/natural_sets.py',
    '../_base_/schedules/ocean_sgd_50e.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(
    batch_size=32,
    dataset=dict(samples_per_epoch=600000, **_base_.natural_sets))
custom_hooks = [
    dict(
        type='BackboneUnfreezeHook',
        schedule=[dict(epoch=10, modules=['layer1', 'layer2', 'layer3'])])
]
