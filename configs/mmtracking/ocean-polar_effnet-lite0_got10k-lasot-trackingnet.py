# Trains the box branches on three datasets of MMTracking and tests on its LaSOT, with its metric,
# its hook and its tools. Their data have no masks: add a dataset with masks to train the contour.
# Run it under the bridge, see docs/mmtracking.md:
#   python -m mmpolar.compat.mmtracking .../mmtrack/.mim/tools/train.py CONFIG
_base_ = [
    '../_base_/models/ocean-polar_effnet-lite0.py',
    '../_base_/datasets/ocean_pairs.py',
    '../_base_/schedules/adamw_cosine.py',
    '../_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmpolar.compat.mmtracking.sot_track_dataset'])

# mmtrack.apis.init_model does not look at default_scope.
model = dict(_scope_='mmpolar')

# Where MMTracking's own configs expect the data.
data_root = 'data/'
train_sources = [
    dict(
        type='GOT10kDataset',
        data_root=data_root,
        ann_file='GOT10k/annotations/got10k_train_vot_infos.txt',
        data_prefix=dict(img_path='GOT10k')),
    dict(
        type='LaSOTDataset',
        data_root=data_root,
        ann_file='LaSOT_full/annotations/lasot_train_infos.txt',
        data_prefix=dict(img_path='LaSOT_full/LaSOTBenchmark')),
    dict(
        type='TrackingNetDataset',
        chunks_list=[0, 1, 2, 3],
        data_root=data_root,
        ann_file='TrackingNet/annotations/trackingnet_train_infos.txt',
        data_prefix=dict(img_path='TrackingNet')),
]
train_dataloader = dict(
    num_workers=4,
    dataset=dict(
        samples_per_epoch=60000,
        frame_range=100,
        datasets=[dict(type='SOTTrackDataset', dataset=source) for source in train_sources],
        quotas=[1, 1, 1]))

# mmtrack.apis.inference_sot leaves out the first two steps.
sot_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='mmtrack.LoadTrackAnnotations', with_instance_id=False),
    dict(type='mmtrack.PackTrackInputs', pack_single_img=True),
]
val_dataloader = dict(
    sampler=dict(type='mmtrack.VideoSampler'),
    dataset=dict(
        type='mmtrack.LaSOTDataset',
        data_root=data_root,
        ann_file='LaSOT_full/annotations/lasot_test_infos.txt',
        data_prefix=dict(img_path='LaSOT_full/LaSOTBenchmark'),
        pipeline=sot_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True,
    type='mmtrack.SOTMetric',
    metric='OPE',
    metric_options=dict(only_eval_visible=True))
test_evaluator = val_evaluator

default_hooks = dict(visualization=dict(type='mmtrack.TrackVisualizationHook', draw=False))
visualizer = dict(type='mmtrack.TrackLocalVisualizer')
