# runner_type = _base_.fsdp_runner_type
# strategy = _base_.fsdp_strategy
# Weights, gradients and the state of the optimizer are split over the GPUs (PyTorch's fully sharded
# data parallel training); parts of the model of a million parameters and more are gathered one after
# the other. It needs several GPUs.
fsdp_runner_type = 'FlexibleRunner'
fsdp_strategy = dict(
    type='FSDPStrategy',
    state_dict_cfg='full',
    model_wrapper=dict(
        type='MMFullyShardedDataParallel',
        use_orig_params=True,
        auto_wrap_policy=dict(
            type='torch.distributed.fsdp.wrap.size_based_auto_wrap_policy',
            min_num_params=1_000_000)))
