# custom_hooks = [_base_.ema_hook]
# An average of the weights over about the last tenth of the training so far, at most the last 1000
# iterations. Validation measures it, and it is the state_dict of the checkpoints.
ema_hook = dict(type='EMAHook', ema_type='MomentumAnnealingEMA', momentum=0.001, gamma=10)
