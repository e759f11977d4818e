# DAVIS 2017: several targets a video, each a track; in tests those of a video are tracked together. Put
# the official folders into data/DAVIS. See docs/multi_object.md.
_base_ = './ocean_pairs.py'

data_root = 'data/DAVIS'
lists = 'ImageSets/2017/'
objects = dict(
    type='DavisDataset',
    data_root=data_root,
    multi_object=True,
    late_objects=False,  # the protocol: objects of the first frame
    index_cache=True)

train_dataloader = dict(
    num_workers=2,
    dataset=dict(
        samples_per_epoch=4000,
        frame_range=50,
        datasets=[dict(objects, ann_file=lists + 'train.txt', min_area=100)]))
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='MultiTargetDataset',
        dataset=dict(
            objects,
            ann_file=lists + 'val.txt',
            test_mode=True,
            pipeline=_base_.test_pipeline)))
test_dataloader = val_dataloader

val_evaluator = dict(_delete_=True, type='DavisMetric', resolve_overlaps=True)
test_evaluator = val_evaluator
