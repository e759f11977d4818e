_base_ = [
    '../_base_/models/mask-stage_effnet-lite0.py',
    '../_base_/options/ema.py',
    '../_base_/default_runtime.py',
]

# The mask stage alone, on groups of three views of one target. Sets are weighed by the quality of
# their masks and by how varied they are, not by their number of images.
n_rays = 72
# Training on smaller crops than those of tracking costs half the time; larger ones in tracking show more.
train_crop_size = 192
data_root = 'data/natural/'
image_sets = dict(
    voc_sbd=16, ecssd=16, animals7=8, coco_multi=5, coco_mini=5, coco_person=5, coco_val_person1=4,
    human_seg=4, weizmann_horses=3, butterflies=3, pets37=3, ccp_person=3, firetrucks=2, dog_cat=2,
    msrc_cows=1.5, voc2007_44=1, cars_front_rear=1.5, bottles=1, mugs=1, tools=1, pallets=0.7,
    food_indian=0.5, food_plates=0.5, strawberry_plants=0.5, vehicles_road=0.7, vsb_stills=0.7,
    dutomron18=0.5)
image_share, davis_share, multi_share = 0.62, 0.35, 0.03

model = _base_.mask_stage

train_pipeline = [
    dict(type='LoadViews'),
    dict(type='CropViews', size=train_crop_size, context=_base_.mask_stage.params.context),
    dict(type='CompositeViews'),
    dict(type='RecolorViews'),
    dict(type='SimulatePriors', context=_base_.mask_stage.params.context, n_rays=n_rays),
    dict(type='PackViews'),
]
datasets = [
    dict(type='CocoTrackDataset', data_root=data_root + 'images/' + name, min_area=300)
    for name in image_sets
] + [
    dict(type='DavisDataset', data_root=data_root + 'videos/DAVIS', min_area=300),
    dict(
        type='DavisDataset',
        data_root=data_root + 'videos/DAVIS-multi',
        multi_object=True,
        late_objects=False,
        min_area=300),
]
quotas = [image_share * weight / sum(image_sets.values()) for weight in image_sets.values()]
quotas += [davis_share, multi_share]
train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    collate_fn=dict(type='default_collate'),
    sampler=dict(type='EpochPairSampler'),
    dataset=dict(
        type='MaskCropDataset',
        samples_per_epoch=1600,
        num_views=3,
        frame_range=20,
        datasets=datasets,
        quotas=quotas,
        pipeline=train_pipeline))

# 105 epochs of 1,600 groups of three: half a million crops.
max_epochs = 105
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
    clip_grad=dict(max_norm=5))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=200),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.01,
        by_epoch=True,
        begin=0,
        T_max=max_epochs,
        end=max_epochs,
        convert_to_iter_based=True),
]
custom_hooks = [_base_.ema_hook]
