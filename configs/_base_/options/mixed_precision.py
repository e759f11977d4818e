# optim_wrapper = _base_.mixed_precision_float16 (on a GPU) or _base_.mixed_precision_bfloat16
# (on a CPU too). The option --amp of tools/train.py chooses by itself.
mixed_precision_float16 = dict(type='AmpOptimWrapper', loss_scale='dynamic')
mixed_precision_bfloat16 = dict(type='Bfloat16OptimWrapper')
