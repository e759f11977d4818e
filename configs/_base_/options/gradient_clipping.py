# optim_wrapper = _base_.gradient_clipping
# The gradient of all parameters together is shortened to this norm. The schedules have it already.
gradient_clipping = dict(clip_grad=dict(max_norm=10, norm_type=2))
