# The schedule that Ocean was published with: five epochs of warm-up, then a geometric decay; the
# backbone joins in at epoch 10 with a tenth of the rate.
max_epochs = 50
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=5)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.005, momentum=0.9, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
    clip_grad=dict(max_norm=10))

param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, by_epoch=True, begin=0, end=5),
    # From 0.005 to 0.00001 in 45 epochs.
    dict(type='ExponentialLR', gamma=(0.00001 / 0.005)**(1 / 44), by_epoch=True, begin=5, end=50),
]

auto_scale_lr = dict(enable=False, base_batch_size=32)
