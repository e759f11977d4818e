# LaSOT, boxes only. Put the class folders, training_set.txt and testing_set.txt into data/lasot.
# See docs/datasets.md.
_base_ = './ocean_pairs.py'

data_root = 'data/lasot'

train_dataloader = dict(
    num_workers=4,
    dataset=dict(
        samples_per_epoch=60000,
        frame_range=100,
        datasets=[
            dict(type='LaSOTDataset', data_root=data_root, split='train', index_cache=True)
        ]))
val_dataloader = dict(
    dataset=dict(type='LaSOTDataset', data_root=data_root, split='test', index_cache=True))
test_dataloader = val_dataloader
