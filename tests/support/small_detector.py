"""A narrow YOLOX on a few images, trained with mined negatives, from a config of MMDetection's scope."""

import json

import cv2
import numpy as np
from mmengine.config import Config

import mmpolar.datasets  # noqa: F401  (registers its classes)

SIDE = 64
NUM_NEGATIVES = 11
LOAD, PACK = dict(type='LoadImageFromFile'), dict(type='PackDetInputs')
ANNOTATE = dict(type='LoadAnnotations', with_bbox=True)
RESIZE = dict(type='Resize', scale=(SIDE, SIDE), keep_ratio=True)
PAD = dict(type='Pad', size=(SIDE, SIDE), pad_val=dict(img=114))
MODEL = dict(
    type='YOLOX',
    data_preprocessor=dict(type='DetDataPreprocessor', pad_size_divisor=32),
    backbone=dict(type='CSPDarknet', deepen_factor=0.33, widen_factor=0.125),
    neck=dict(type='YOLOXPAFPN', in_channels=[32, 64, 128], out_channels=32, num_csp_blocks=1),
    bbox_head=dict(
        type='YOLOXHead', num_classes=1, in_channels=32, feat_channels=32, stacked_convs=1
    ),
    train_cfg=dict(assigner=dict(type='SimOTAAssigner', center_radius=2.5)),
    test_cfg=dict(score_thr=0.0, nms=dict(type='nms', iou_threshold=0.65)),
)


def write_data(root):
    """Grey images with a white square as targets, and negatives of all sizes without one."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    (root / 'positives').mkdir()
    for number in range(4):
        shown = rng.integers(80, 120, (SIDE, SIDE, 3)).astype(np.uint8)
        x, y = rng.integers(4, 36, 2).tolist()
        shown[y : y + 24, x : x + 24] = 250
        cv2.imwrite(str(root / f'positives/{number}.png'), shown)
        images.append(dict(id=number, file_name=f'{number}.png', width=SIDE, height=SIDE))
        annotations.append(
            dict(
                id=number, image_id=number, category_id=1, bbox=[x, y, 24, 24], area=576, iscrowd=0
            )
        )
    categories = [dict(id=1, name='square')]
    coco = dict(images=images, annotations=annotations, categories=categories)
    (root / 'positives.json').write_text(json.dumps(coco))
    for number in range(NUM_NEGATIVES):
        path = root / 'negatives' / f'camera{number % 2}' / f'{number:02d}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = (*rng.integers(40, 120, 2), 3)
        cv2.imwrite(str(path), rng.integers(0, 20 * number + 20, shape).astype(np.uint8))


def make_config(root):
    metainfo = dict(classes=('square',))
    positives = dict(
        type='CocoDataset',
        ann_file=str(root / 'positives.json'),
        data_prefix=dict(img=str(root / 'positives')),
        metainfo=metainfo,
        pipeline=[LOAD, ANNOTATE],
    )
    return Config(
        dict(
            default_scope='mmdet',
            work_dir=str(root / 'work'),
            model=MODEL,
            train_dataloader=dict(
                batch_size=2,
                num_workers=1,
                persistent_workers=True,
                sampler=dict(type='DefaultSampler', shuffle=True),
                dataset=dict(
                    type='mmpolar.CompositeDataset',
                    positives=positives,
                    negatives=dict(
                        type='mmpolar.ImageFolderDataset',
                        data_root=str(root / 'negatives'),
                        pipeline=[LOAD, ANNOTATE],
                    ),
                    pipeline=[
                        dict(type='mmpolar.StitchComposite', img_scale=(SIDE, SIDE)),
                        PACK,
                    ],
                    num_composites=4,
                ),
            ),
            val_dataloader=dict(
                batch_size=1,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset={
                    **positives,
                    'test_mode': True,
                    'pipeline': [LOAD, RESIZE, PAD, ANNOTATE, PACK],
                },
            ),
            val_cfg=dict(),
            val_evaluator=dict(
                type='CocoMetric', ann_file=str(root / 'positives.json'), metric='bbox'
            ),
            train_cfg=dict(by_epoch=True, max_epochs=2, val_begin=9),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
            default_hooks=dict(checkpoint=None),
            custom_hooks=[
                dict(
                    type='mmpolar.HardNegativeMiningHook', num_picks=4, batch_size=3, num_workers=1
                )
            ],
        )
    )
