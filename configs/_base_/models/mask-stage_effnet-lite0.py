# The mask stage of a tracker on EfficientNet-Lite0: crops of 224 px, 1.75 times the longer side of the
# box. A leaf config trains it alone (model = _base_.mask_stage) or gives a tracker the trained one of the
# packaged trackers (model = dict(mask_stage=_base_.packaged_mask_stage)), which stays as it is.
mask_stage = dict(
    type='MaskStage',
    params=dict(
        crop_size=224,
        context=1.75,
        box_share=0.8,
        search_share=0.5,
        binary_references=True),
    data_preprocessor=dict(
        type='MaskCropPreprocessor',
        mean=[127.0, 127.0, 127.0],
        std=[128.0, 128.0, 128.0],
        bgr_to_rgb=True),
    backbone=dict(
        type='EfficientNetLite0',
        out_indices=(0, 1, 2, 4, 6),
        frozen_stages=3,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained', checkpoint='efficientnet-lite://lite0')))
# What is fitted to the weights of the score and of the lost state: python -m benchmarks.presence --fit.
packaged_score = dict(
    score_slope=1.29,
    score_offset=0.24,
    lost_score=0.3,
    found_score=0.9,
    second_peak_score=0.6)
packaged_mask_stage = dict(
    mask_stage,
    params=dict(
        mask_stage['params'],
        presence=dict(
            bias=-0.2095,
            score=0.1541,
            confidence=-4.597,
            likeness=-6.555,
            contrast=16.97,
            completeness=5.368,
            quality=0.9639,
            color=5.052)),
    init_cfg=dict(
        type='Pretrained',
        checkpoint='mmpolar://ocean-polar_effnet-lite0_natural',
        prefix='mask_stage'))
