# UAV123, to test on; version='UAV20L' for the long videos. Put the official folders anno and
# data_seq into data/uav123. See docs/datasets.md.
_base_ = './ocean_pairs.py'

val_dataloader = dict(
    dataset=dict(
        type='UAV123Dataset', data_root='data/uav123', version='UAV123', index_cache=True))
test_dataloader = val_dataloader
