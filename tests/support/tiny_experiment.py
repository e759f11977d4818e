"""Options with which a run of benchmarks.hard_negatives takes seconds."""

TINY = [
    '--cfg-options',
    'model.backbone.init_cfg=None',
    'train_dataloader.batch_size=2',
    'train_dataloader.dataset.num_composites=4',
    'train_cfg.max_epochs=2',
    'custom_hooks.0.num_picks=5',
]
