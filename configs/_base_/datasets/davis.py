# DAVIS 2016: one target a video. Put the official folders into data/DAVIS. For DAVIS 2017 say
# multi_object=True and take the lists of ImageSets/2017. See docs/datasets.md.
_base_ = './ocean_pairs.py'

data_root = 'data/DAVIS'
lists = 'ImageSets/2016/'

train_dataloader = dict(
    num_workers=2,
    dataset=dict(
        samples_per_epoch=4000,
        frame_range=50,
        datasets=[
            dict(
                type='DavisDataset',
                data_root=data_root,
                ann_file=lists + 'train.txt',
                index_cache=True)
        ]))
val_dataloader = dict(
    dataset=dict(
        type='DavisDataset', data_root=data_root, ann_file=lists + 'val.txt', index_cache=True))
test_dataloader = val_dataloader
