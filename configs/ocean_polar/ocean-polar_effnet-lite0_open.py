_base_ = [
    './ocean-polar_effnet-lite0_natural.py',
    '../_base_/datasets/open_sets.py',
]

# The same tracker on data whose terms are stated alone. Its sets are few, so its training is shorter.
model = dict(
    mask_stage=dict(
        params=dict(
            presence=dict(
                _delete_=True,
                bias=-0.3804,
                score=0.3117,
                confidence=-0.9823,
                likeness=1.152,
                contrast=24.48)),
        init_cfg=dict(checkpoint='mmpolar://ocean-polar_effnet-lite0_open')),
    test_cfg=dict(
        score_slope=1.0, score_offset=0.0, lost_score=0.2, found_score=0.82, second_peak_score=0.0))
train_dataloader = dict(
    dataset=dict(
        positives=_base_.open_sets, negatives=dict(_base_.open_sets, length=1500)))
custom_hooks = [
    dict(
        type='BackboneUnfreezeHook',
        schedule=[
            dict(epoch=4, modules=['stages.2', 'stages.3', 'stages.4'])
        ]),
    _base_.ema_hook,
    dict(_base_.mining_hook, begin=2, interval=3, num_picks=600),
]
max_epochs = 10
train_cfg = dict(max_epochs=max_epochs)
warm_up, cosine = _base_.param_scheduler
param_scheduler = [warm_up, dict(cosine, T_max=max_epochs, end=max_epochs)]
