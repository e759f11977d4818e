# A tracker so small that tests train it within seconds; they add data and a schedule of their own.
_base_ = '../configs/ocean_polar/ocean-polar_effnet-lite0_synthetic.py'

model = dict(
    backbone=dict(out_indices=(2,), frozen_stages=-1, init_cfg=None),
    neck=dict(in_channels=[40], out_channels=8),
    head=dict(in_channels=8, feat_channels=8, num_convs=1),
    mask_head=dict(in_channels=8, num_convs=1),
)
train_dataloader = dict(batch_size=4, num_workers=0, persistent_workers=False)
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = val_dataloader
