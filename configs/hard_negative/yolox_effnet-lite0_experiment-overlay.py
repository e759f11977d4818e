# The experiment with overlaid instead of stitched composites: one positive and one negative in a
# composite, and twice as many composites, so that an update sees as many images of either kind.
_base_ = ['./yolox_effnet-lite0_experiment.py']

batch_size = 16
composite_side = 192

train_dataloader = dict(
    batch_size=batch_size,
    dataset=dict(
        num_composites=_base_.updates_per_round * batch_size,
        num_positives=1,
        num_negatives=1,
        positives=dict(
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='LoadAnnotations', with_bbox=True),
                dict(type='RandomFlip', prob=0.5),
                # Smaller positives: beside them the negatives are seen without a target.
                dict(
                    type='Expand',
                    mean=[114, 114, 114],
                    to_rgb=False,
                    ratio_range=(1, 2),
                    prob=1.0),
            ]),
        pipeline=[
            # Were the positives always the stronger ones, their contrast alone would tell them.
            dict(
                type='mmpolar.OverlayComposite',
                img_scale=(composite_side, composite_side),
                ratio_range=(0.2, 0.8)),
            dict(type='YOLOXHSVRandomAug'),
            dict(type='PackDetInputs'),
        ]))
