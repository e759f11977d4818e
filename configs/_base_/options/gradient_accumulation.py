# optim_wrapper = _base_.gradient_accumulation
# One step of the optimizer for `accumulative_counts` batches: a larger batch than memory holds.
gradient_accumulation = dict(accumulative_counts=4)
