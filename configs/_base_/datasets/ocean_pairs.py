# How a pair of frames becomes a training sample, and a test frame an input.
train_pipeline = [
    dict(type='LoadPairImages'),
    dict(
        type='CropPair',
        template_size=127,
        search_size=255,
        template_shift=4,
        template_scale=0.05,
        search_shift=64,
        search_scale=0.18,
        flip_prob=0.5),
    dict(type='PairPhotometric'),
    dict(
        type='GeneratePolarTarget',
        n_rays=36,
        stride=8,
        score_size=25,
        search_size=255,
        positive='mask'),
    dict(type='PackPairInputs'),
]
test_pipeline = [
    dict(type='LoadTrackFrame'),
    dict(type='PackTrackInputs'),
]
