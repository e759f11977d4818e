# MMDetection's ResNet-18 as the backbone: an example for docs/add_a_backbone.md. It starts from
# random weights, so give it more epochs than the other config of generated videos, or pretrained
# weights.
_base_ = './ocean-polar_effnet-lite0_synthetic.py'

model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]),
    backbone=dict(
        _delete_=True,
        type='mmdet.ResNet',
        depth=18,
        num_stages=3,
        strides=(1, 2, 1),
        dilations=(1, 1, 2),
        out_indices=(2, ),
        norm_eval=False),
    neck=dict(in_channels=[256], template_cells=8))
