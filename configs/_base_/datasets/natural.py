# Videos with masks, for training and validation, in the layout of DAVIS:
#   data/natural/videos/DAVIS     to train on, masks on all frames
#   data/natural/val/DAVIS        for validation
# A config that inherits this names its own datasets. See docs/your_data.md.
_base_ = './ocean_pairs.py'

data_root = 'data/natural/'

train_dataloader = dict(
    num_workers=2,
    dataset=dict(
        samples_per_epoch=4000,
        frame_range=50,
        datasets=[
            dict(type='DavisDataset', data_root=data_root + 'videos/DAVIS', min_area=400)
        ]))
val_dataloader = dict(dataset=dict(type='DavisDataset', data_root=data_root + 'val/DAVIS'))
test_dataloader = val_dataloader
