# How a pair of frames becomes a training sample, and a test frame an input. The sizes of the crops,
# the stride and the number of rays are those of the model: mmpolar.utils.shared_values.
train_pipeline = [
    dict(type='LoadPairImages'),
    dict(
        type='CropPair',
        template_shift=4,
        template_scale=0.05,
        search_shift=64,
        search_scale=0.18,
        flip_prob=0.5),
    dict(type='PairPhotometric'),
    dict(type='GeneratePolarTarget', score_size=25, positive='mask'),
    dict(type='PackPairInputs'),
]
test_pipeline = [
    dict(type='LoadTrackFrame'),
    dict(type='PackTrackInputs'),
]

# What the datasets have in common; each adds its own.
train_dataloader = dict(
    batch_size=16,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='EpochPairSampler'),
    dataset=dict(type='TrackPairDataset', negative_prob=0.2, pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='VideoSampler'),
    dataset=dict(test_mode=True, pipeline=test_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(type='TrackSegMetric')
test_evaluator = val_evaluator
