default_scope = 'mmpolar'

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='AtomicCheckpointHook', interval=1, max_keep_ckpts=3),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    guard=dict(type='mmpolar.TrainingGuardHook'),
    # A resumed run samples the numbers of one that was not interrupted.
    epoch_seed=dict(type='mmpolar.EpochSeedHook'),
    # All processes validate, and save, with the same batch norm statistics.
    sync_buffers=dict(type='SyncBuffersHook'))

# 'nccl' is replaced by 'gloo' where there is no CUDA device.
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'))

vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='mmengine.Visualizer', vis_backends=vis_backends, name='visualizer')

log_processor = dict(type='LogProcessor', window_size=20, by_epoch=True)
log_level = 'INFO'

randomness = dict(seed=0)
load_from = None
resume = False
