# Videos made by the generator; they come into being in data/synthetic on first use.
_base_ = './ocean_pairs.py'

data_root = 'data/synthetic'

train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='EpochPairSampler'),
    dataset=dict(
        type='TrackPairDataset',
        samples_per_epoch=1600,
        negative_prob=0.2,
        frame_range=24,
        datasets=[dict(type='SyntheticDataset', data_root=data_root, split='train')],
        pipeline=_base_.train_pipeline))

val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='VideoSampler'),
    dataset=dict(
        type='SyntheticDataset',
        data_root=data_root,
        split='val',
        num_val=8,
        test_mode=True,
        pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(type='TrackSegMetric', n_rays=36)
test_evaluator = val_evaluator
