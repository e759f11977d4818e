# visualizer = _base_.tensorboard_visualizer
# Curves in <work directory>/<time>/vis_data: tensorboard --logdir WORK_DIR. Needs the package
# tensorboard.
tensorboard_visualizer = dict(
    vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')])
