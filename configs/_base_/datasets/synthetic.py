# Videos made by the generator; they come into being in data/synthetic on first use.
_base_ = './ocean_pairs.py'

data_root = 'data/synthetic'

train_dataloader = dict(
    num_workers=1,
    dataset=dict(
        samples_per_epoch=1600,
        frame_range=24,
        datasets=[dict(type='SyntheticDataset', data_root=data_root, split='train')]))
val_dataloader = dict(
    dataset=dict(type='SyntheticDataset', data_root=data_root, split='val', num_val=8))
test_dataloader = val_dataloader
