# custom_hooks = [_base_.early_stopping_hook]
# Ends a training whose contours have not improved in `patience` validations.
early_stopping_hook = dict(
    type='EarlyStoppingHook', monitor='track/J', rule='greater', min_delta=0.002, patience=5)
