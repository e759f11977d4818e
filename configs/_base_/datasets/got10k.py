# GOT-10k, boxes only. Put the official folders train, val and test into data/got10k. See docs/datasets.md.
_base_ = './ocean_pairs.py'

data_root = 'data/got10k'

train_dataloader = dict(
    num_workers=4,
    dataset=dict(
        samples_per_epoch=60000,
        frame_range=100,
        datasets=[
            dict(type='GOT10kDataset', data_root=data_root, split='train', index_cache=True)
        ]))
val_dataloader = dict(
    dataset=dict(type='GOT10kDataset', data_root=data_root, split='val', index_cache=True))
test_dataloader = val_dataloader
