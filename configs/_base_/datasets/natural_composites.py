# As natural.py; each training pair is made of a positive and a negative one: what lies outside a frame
# is filled with another photograph, targets are laid over other photographs, other objects beside
# them or in front of them, and in later epochs the negatives are those with the highest scores.
_base_ = './natural.py'

pairs_per_epoch = 4000
load, crop, recolor, polar_target, pack = _base_.train_pipeline
crops = [load, dict(crop, search_scale=0.25, rotate=8, keep_frames=True)]
augmentation = [
    dict(recolor, gray_prob=0.08, gaussian_prob=0.15, motion_prob=0.2),
    dict(type='DrawTemplateTarget', mask_prob=0.5),
    polar_target,
    pack,
]
ways = dict(
    positive=0.3, negative=0.2, stitch=0.1, overlay=0.05, transplant=0.15, paste=0.2)
videos = dict(datasets=_base_.train_dataloader.dataset.datasets, frame_range=50)

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CompositeDataset',
        num_composites=pairs_per_epoch,
        num_positives=1,
        num_negatives=1,
        mined_share=0.5,
        positives=dict(
            type='TrackPairDataset',
            samples_per_epoch=pairs_per_epoch,
            negative_prob=0,
            pipeline=crops,
            **videos),
        negatives=dict(
            type='NegativePairDataset', length=6000, pipeline=crops, **videos),
        pipeline=[
            dict(
                type='PairComposite', probs=ways, fill_outside=dict(prob=0.8)),
            *augmentation,
        ]))

mining_hook = dict(
    type='HardNegativeMiningHook',
    num_picks=1500,
    begin=6,
    interval=5,
    scorer=dict(type='MaxTrackScore'),
    report_thr=0.5,
    batch_size=16,
    num_workers=1)
