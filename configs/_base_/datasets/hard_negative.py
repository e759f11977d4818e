# What is in data/hard_negative and how it becomes training and test images; the one file to edit for
# other data. A config that inherits this puts `train_set`, `test_set` and `image_level` where its
# detector has its own data.
root = 'data/hard_negative/'
metainfo = dict(classes=('target',), palette=[(220, 20, 60)])

load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]
train_set = dict(
    type='mmpolar.CompositeDataset',
    positives=dict(
        type='CocoDataset',
        data_root=root,
        ann_file='train.json',
        data_prefix=dict(img=''),
        metainfo=metainfo,
        filter_cfg=dict(filter_empty_gt=True, min_size=16),
        pipeline=load),
    # All images in this folder and the folders below it.
    negatives=dict(
        type='mmpolar.ImageFolderDataset',
        data_root=root,
        data_prefix=dict(img='train/negatives'),
        metainfo=metainfo,
        pipeline=load),
    # Of an epoch, which is a mining round here.
    num_composites=4000)

# Images with targets and images without; those without have no annotation in the file.
test_set = dict(
    type='CocoDataset',
    data_root=root,
    ann_file='test.json',
    data_prefix=dict(img=''),
    metainfo=metainfo,
    test_mode=True)
image_level = dict(
    type='mmpolar.ImageLevelMetric', score_thr=0.3, precision=0.95, recall=[0.8, 0.9])
