# visualizer = _base_.wandb_visualizer
# Curves at Weights & Biases. Needs the package wandb, and an account or WANDB_MODE=offline.
wandb_visualizer = dict(
    vis_backends=[
        dict(type='LocalVisBackend'),
        dict(type='WandbVisBackend', init_kwargs=dict(project='mmpolar')),
    ])
