_base_ = '../mask_stage/mask-stage_effnet-lite0_natural.py'

# What python -m benchmarks.ablations changes arm by arm in a mask stage: crops of 128 px, for so short a
# time that every arm and seed can repeat it. Tested in this tracker, with crops of 160 px.
tracker = 'ocean-polar_effnet-lite0_natural'
max_epochs = 6
groups_per_epoch = 800

model = dict(params=dict(crop_size=160))
load, crop, composite, recolor, priors, pack = _base_.train_pipeline
train_dataloader = dict(
    num_workers=1,
    dataset=dict(
        samples_per_epoch=groups_per_epoch,
        pipeline=[load, dict(crop, size=128), composite, recolor, priors, pack]))

optim_wrapper = dict(type='Bfloat16OptimWrapper')
train_cfg = dict(max_epochs=max_epochs)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [dict(warm_up, end=30), dict(cosine, T_max=max_epochs, end=max_epochs)]
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1), logger=dict(interval=25))
log_processor = dict(window_size=25)

test_pipeline = [dict(type='LoadTrackFrame'), dict(type='PackTrackInputs')]
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='VideoSampler'),
    dataset=dict(
        type='DavisDataset',
        data_root=_base_.data_root + 'val/DAVIS',
        test_mode=True,
        pipeline=test_pipeline))
test_cfg = dict(type='TestLoop')
test_evaluator = dict(type='TrackSegMetric', n_rays=_base_.n_rays)
