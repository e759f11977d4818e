"""The arms of the ablation that change a mask stage, trained by itself."""

from mmengine.config import Config

from benchmarks.ablations.arms import Arm, Change, put
from mmpolar.utils.shared_values import type_of

#: Datasets of still images; all others have videos.
STILLS = ('CocoTrackDataset',)


def keep_sets(*, stills: bool) -> Change:
    """A change that leaves the sets of still images, or those of videos, alone to train on."""

    def change(cfg: Config) -> None:
        data = cfg.train_dataloader.dataset
        kept = [i for i, one in enumerate(data.datasets) if (type_of(one) in STILLS) == stills]
        data.datasets = [data.datasets[i] for i in kept]
        if data.get('quotas') is not None:
            data.quotas = [data.quotas[i] for i in kept]

    return change


def freeze_backbone(cfg: Config) -> None:
    """Keep the whole backbone as ImageNet left it."""
    cfg.model.backbone.frozen_stages = max(cfg.model.backbone.out_indices)


def drop_overlap_loss(cfg: Config) -> None:
    """Leave the cross entropy of all cells alone."""
    loss = dict(cfg.model.get('loss_mask') or dict(type='MaskLoss'))
    cfg.model.loss_mask = dict(loss, dice_weight=0.0, boundary_weight=0.0)


def stage_arm(name: str, question: str, change: Change) -> Arm:
    """An arm about a mask stage."""
    return Arm(name, question, (change,), 'MaskStage')


#: Arms about mask stages.
MASK_STAGE_ARMS = (
    stage_arm(
        'no-references',
        'What does the comparison with the first frame and a recent one add?',
        put('MaskStage', reference_prob=0.0),
    ),
    stage_arm(
        'no-contour-prior',
        'What does it add to be told the polar contour?',
        put('MaskStage', contour_prior_prob=0.0),
    ),
    stage_arm(
        'frozen',
        "Do ImageNet's features suffice, without training the backbone's later stages?",
        freeze_backbone,
    ),
    stage_arm(
        'stills',
        'What do videos add to still images, whose views are made by warping?',
        keep_sets(stills=True),
    ),
    stage_arm(
        'videos',
        'What do still images add to videos?',
        keep_sets(stills=False),
    ),
    stage_arm(
        'no-warps',
        'What do turned, sheared and bent views of still images add?',
        put('CropViews', rotate=0.0, shear=0.0, bend_prob=0.0),
    ),
    stage_arm(
        'no-other-objects',
        'What do other backgrounds, distractors and occluders add?',
        put('MaskCropDataset', cut_out_prob=0.0, distractor_prob=0.0, fill_prob=0.0),
    ),
    stage_arm(
        'no-overlap-loss',
        'What do Dice and the loss at the boundary add to the cross entropy of all cells?',
        drop_overlap_loss,
    ),
)
