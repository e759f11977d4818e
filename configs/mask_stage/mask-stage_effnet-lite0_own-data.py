# Goes on from the packaged stage on your own videos of one kind: minutes on a CPU. Inherit this, and name
# them. See docs/studio.md.
_base_ = './mask-stage_effnet-lite0_natural.py'

model = dict(init_cfg=_base_.packaged_mask_stage.init_cfg)
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        samples_per_epoch=120,
        frame_range=50,
        datasets=[
            dict(
                type='DavisDataset',
                data_root=_base_.data_root + 'videos/DAVIS',
                min_area=300)
        ],
        quotas=None))
max_epochs = 2
train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
warm_up, cosine = _base_.param_scheduler
param_scheduler = [dict(warm_up, end=20), dict(cosine, T_max=max_epochs, end=max_epochs)]
