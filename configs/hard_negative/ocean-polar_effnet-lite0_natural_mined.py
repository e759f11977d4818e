# As ocean-polar_effnet-lite0_synthetic_mined.py on natural images and videos, where other objects of
# a frame, or of its class, are annotated too.
_base_ = '../ocean_polar/ocean-polar_effnet-lite0_natural.py'

# Mined are single peaks: a mean over all negative locations would drown them.
model = dict(head=dict(loss_cls=dict(focus=2.0)))

load_and_crop, augment_and_pack = _base_.train_pipeline[:2], _base_.train_pipeline[2:]
videos = dict(datasets=_base_.datasets, quotas=_base_.quotas, frame_range=50)
negatives = dict(type='NegativePairDataset', length=4000, **videos)

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CompositeDataset',
        num_composites=2000,
        num_positives=1,
        num_negatives=1,
        positives=dict(
            type='TrackPairDataset',
            samples_per_epoch=2000,
            negative_prob=0,
            pipeline=load_and_crop,
            **videos),
        negatives=dict(pipeline=load_and_crop, **negatives),
        pipeline=[dict(type='PairComposite'), *augment_and_pack]))

train_cfg = dict(type='GroupTrainLoop')
custom_hooks = [
    dict(
        type='HardNegativeMiningHook',
        num_picks=1000,
        begin=4,
        interval=2,
        scorer=dict(type='MaxTrackScore'),
        report_thr=0.5,
        pool=dict(pipeline=[*load_and_crop, dict(type='PackPairInputs')], **negatives),
        batch_size=16,
        num_workers=1),
    dict(type='ConvergenceHook', window=500, tolerance=0.01, max_new_share=0.2),
]
