# The tracker trained with mined negative pairs: search regions without the template's target in
# which it nevertheless has a high score. An epoch is a mining round and what is learnt from it.
_base_ = '../ocean_polar/ocean-polar_effnet-lite0_synthetic.py'

# Mined are single peaks: a mean over all negative locations would drown them.
model = dict(head=dict(loss_cls=dict(focus=2.0)))

load_and_crop, augment_and_pack = _base_.train_pipeline[:2], _base_.train_pipeline[2:]
videos = dict(datasets=_base_.train_dataloader.dataset.datasets, frame_range=24)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CompositeDataset',
        num_composites=480,
        num_positives=1,
        num_negatives=1,
        positives=dict(
            type='TrackPairDataset',
            samples_per_epoch=480,
            negative_prob=0,
            pipeline=load_and_crop,
            **videos),
        negatives=dict(
            type='NegativePairDataset',
            length=960,
            # The generated videos have one annotated object each; their unannotated distractors are
            # background.
            kinds=dict(other=1, background=1),
            pipeline=load_and_crop,
            **videos),
        pipeline=[dict(type='PairComposite'), *augment_and_pack]))

train_cfg = dict(type='GroupTrainLoop')
custom_hooks = [
    dict(
        type='HardNegativeMiningHook',
        num_picks=240,
        begin=2,
        scorer=dict(type='MaxTrackScore'),
        report_thr=0.5,
        batch_size=16,
        num_workers=1),
    dict(type='ConvergenceHook', window=60, tolerance=0.01, max_new_share=0.2),
]
