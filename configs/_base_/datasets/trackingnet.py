# TrackingNet, boxes only. Put TRAIN_0 to TRAIN_11 and TEST into data/trackingnet. The last chunk is kept
# for validation; the boxes of the test set are withheld, so its results are packed for the server. See
# docs/datasets.md and docs/submissions.md.
_base_ = './ocean_pairs.py'

data_root = 'data/trackingnet'

train_dataloader = dict(
    num_workers=4,
    dataset=dict(
        samples_per_epoch=60000,
        frame_range=100,
        datasets=[
            dict(
                type='TrackingNetDataset',
                data_root=data_root,
                chunks=[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
                index_cache=True)
        ]))
val_dataloader = dict(
    dataset=dict(
        type='TrackingNetDataset', data_root=data_root, chunks=[11], indices=50, index_cache=True))
test_dataloader = dict(
    dataset=dict(
        type='TrackingNetDataset', data_root=data_root, split='test', index_cache=True))
test_evaluator = dict(
    _delete_=True, type='DumpSubmission', benchmark='trackingnet', out_dir='work_dirs/trackingnet')
