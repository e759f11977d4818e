"""Drives MMTracking's Python interface and datasets; run under the bridge, prints JSON.

Usage: mmtracking_probe.py CONFIG CHECKPOINT DATA_ROOT
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.hub import get_config
from mmengine.registry import DATASETS
from mmtrack.apis import inference_sot, init_model
from mmtrack.utils import register_all_modules

from mmpolar.apis import init_tracker
from mmpolar.compat.mmtracking.sot_track_dataset import SOTTrackDataset

SOURCES = dict(
    GOT10kDataset=dict(ann_file='GOT10k/annotations/got10k_train_infos.txt', folder='GOT10k'),
    LaSOTDataset=dict(ann_file='LaSOT/infos.txt', folder='LaSOT'),
    TrackingNetDataset=dict(
        ann_file='TrackingNet/annotations/trackingnet_train_infos.txt',
        folder='TrackingNet',
        chunks_list=[0],
    ),
    OTB100Dataset=dict(ann_file='OTB100/infos.txt', folder='OTB100'),
)


def main(config, checkpoint, root):
    register_all_modules(init_default_scope=False)
    model = init_model(config, checkpoint, device='cpu')
    facts = dict(inference=compare_inference(model, config, checkpoint, root))
    facts['adapted'] = {kind: adapt(source_config(kind, root)) for kind in SOURCES}
    # GOT10k's and TrackingNet's test sets publish the first box only.
    first_only = source_config('TrackingNetDataset', root)
    first_only.update(ann_file='TrackingNet/test_infos.txt')
    facts['first_only'] = adapt(first_only, test_mode=True)
    pipeline = Config.fromfile(config).sot_pipeline
    facts['tested'] = {
        kind: track_two_frames(model, source_config(kind, root), pipeline) for kind in SOURCES
    }
    facts['pair_sampling'] = losses_of_their_pairs(model, source_config('LaSOTDataset', root))
    print(json.dumps(facts))


def source_config(kind, root):
    source = dict(SOURCES[kind])
    folder = source.pop('folder')
    return dict(type=kind, data_root=root, data_prefix=dict(img_path=folder), **source)


def compare_inference(model, config, checkpoint, root):
    """Track a video through MMTracking's interface and through ours."""
    folder = Path(root) / 'GOT10k/val/GOT-10k_Val_000001'
    frames = [cv2.imread(str(folder / f'{i:08d}.jpg')) for i in range(1, 5)]
    box = [20.0, 25.0, 48.0, 45.0]
    theirs = [inference_sot(model, frame, [box], i) for i, frame in enumerate(frames)]
    tracker = init_tracker(config, checkpoint, optimize='none')
    ours = [tracker.init(frames[0], box)] + [tracker.step(frame) for frame in frames[1:]]
    predictions = [sample.pred_track_instances for sample in theirs]
    pairs = list(zip(predictions, ours, strict=True))
    return dict(
        kind=type(theirs[0]).__name__,
        boxes=[p.bboxes[0].tolist() for p in predictions],
        mask_shapes=[list(p.masks.shape) for p in predictions],
        mask_areas=[int(p.masks.sum()) for p in predictions],
        same_boxes=[np.array_equal(p.bboxes[0], r.box) for p, r in pairs],
        same_masks=[np.array_equal(p.masks[0], r.mask) for p, r in pairs],
    )


def adapt(source, test_mode=False):
    dataset = SOTTrackDataset(
        source, one_based=source['type'] == 'OTB100Dataset', test_mode=test_mode
    )
    tracks = [dataset.get_track(i) for i in range(dataset.num_videos)]
    return dict(
        name=dataset.name,
        videos=[track.video_name for track in tracks],
        boxes=[[None if box[0] != box[0] else box for box in t.boxes.tolist()] for t in tracks],
        images_exist=all(Path(frame).is_file() for track in tracks for frame in track.frames),
    )


def track_two_frames(model, source, pipeline):
    """Feed the model with test frames of MMTracking's dataset; the boxes it gives."""
    kind = f'mmtrack.{source["type"]}'
    dataset = DATASETS.build(dict(source, type=kind, pipeline=pipeline, test_mode=True))
    samples = [model.test_step(pseudo_collate([dataset[0, frame]]))[0] for frame in (0, 1)]
    return [sample.pred_track_instances.bboxes[0].tolist() for sample in samples]


def losses_of_their_pairs(model, source):
    """Losses on pairs that MMTracking samples, crops and packs itself."""
    pipeline = get_config(
        'mmtrack::sot/siamese_rpn/siamese-rpn_r50_8xb28-20e_imagenetvid-imagenetdet-coco_base.py'
    ).train_pipeline
    dataset = DATASETS.build(dict(source, _scope_='mmtrack', pipeline=pipeline, test_mode=False))
    batch = pseudo_collate([dataset[0], dataset[1]])
    losses = model(**model.data_preprocessor(batch, training=True), mode='loss')
    return {name: float(value) for name, value in losses.items()}


if __name__ == '__main__':
    main(*sys.argv[1:])
