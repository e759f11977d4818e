# YouTube-VOS 2018 or 2019, a track an object. Put the official folders train and valid into
# data/youtube_vos. Validation runs on DAVIS 2016 in data/DAVIS, as the masks of valid are withheld but
# for the first: its results are packed for the server. See docs/datasets.md and
# docs/submissions.md.
_base_ = './ocean_pairs.py'

data_root = 'data/youtube_vos'

train_dataloader = dict(
    num_workers=4,
    dataset=dict(
        samples_per_epoch=20000,
        frame_range=15,
        datasets=[
            dict(
                type='YouTubeVOSDataset',
                data_root=data_root,
                split='train',
                min_area=100,
                index_cache=True)
        ]))
val_dataloader = dict(
    dataset=dict(
        type='DavisDataset',
        data_root='data/DAVIS',
        ann_file='ImageSets/2016/val.txt',
        index_cache=True))
test_dataloader = dict(
    dataset=dict(
        type='YouTubeVOSDataset', data_root=data_root, split='valid', index_cache=True))
test_evaluator = dict(
    _delete_=True, type='DumpSubmission', benchmark='youtube_vos', out_dir='work_dirs/youtube_vos')
