"""Training pairs a second and core: our data path beside that of MMTracking's SiamRPN++."""

import contextlib
import io
import json
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.registry import DATASETS, DefaultScope

from benchmarks.speed.results import Part, Row, compare
from benchmarks.speed.timing import Way, interleave
from mmpolar.datasets import DavisDataset
from mmpolar.registry import DATASETS as OUR_DATASETS
from mmpolar.utils.shared_values import load_config

OURS = 'mmpolar, masks and polar targets included'
#: The part of the peer's pipeline that crops, shifts and scales, without colours and blur.
THEIRS = 'MMTracking SiamRPN++, crop and shift alone'
THEIRS_WHOLE = 'MMTracking SiamRPN++, as published'
PEER_CONFIG = (
    'mmtrack::sot/siamese_rpn/siamese-rpn_r50_8xb28-20e_imagenetvid-imagenetdet-coco_test-lasot.py'
)
#: What the peer's pipeline does beyond cropping, shifting and scaling.
PEER_EXTRAS = ('SeqColorAug', 'SeqBlurAug')
SAMPLE = 'sample a pair'


def measure_data_path(
    data: Mapping[str, str],
    config: str,
    repeats: int,
    pairs: int = 40,
    seed: int = 0,
    tick: Callable[[str], None] = lambda name: None,
) -> Part:
    """Measure both data paths on the same images, on one core.

    Args:
        data: Folders in the layout of DAVIS, by a name for their frame size.
        config: One of our configs, whose training pipeline is measured.
        repeats: Rounds.
        pairs: Pairs a round.
        seed: Seed of the pairs.
        tick: Called with the name of what is measured next.

    Returns:
        Pairs a second, and milliseconds of every transform as the rows' splits.
    """
    part = Part('data')
    part.remarks.append(
        'one core; the split is in milliseconds a pair, measured in rounds of its own'
    )
    threads = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    try:
        for name, root in data.items():
            part.rows += _rows(name, root, config, repeats, pairs, seed, tick, part.remarks)
    finally:
        cv2.setNumThreads(threads[0])
        torch.set_num_threads(threads[1])
    return part


def _rows(
    name: str,
    root: str,
    config: str,
    repeats: int,
    pairs: int,
    seed: int,
    tick: Callable[[str], None],
    remarks: list[str],
) -> list[Row]:
    datasets = {OURS: our_pairs(config, root, seed)}
    try:
        datasets[THEIRS] = their_pairs(root, leave_out=PEER_EXTRAS)
        datasets[THEIRS_WHOLE] = their_pairs(root)
    except ImportError as error:
        remarks.append(f'MMTracking was not measured: {error}')
    ways = {way: _read_some(dataset, pairs) for way, dataset in datasets.items()}
    rows = compare(
        f'training pairs from {name} frames',
        interleave(ways, repeats, tick=tick),
        {OURS: [THEIRS, THEIRS_WHOLE]},
        unit='pairs',
    )
    for row, dataset in zip(rows, datasets.values(), strict=True):
        tick(f'{row.way}, by transform')
        row.split = time_transforms(dataset, pairs)
    return rows


def our_pairs(config: str, root: str, seed: int = 0) -> Any:
    """A config's training data, but over one folder in the layout of DAVIS."""
    with DefaultScope.overwrite_default_scope('mmpolar'):
        dataset = load_config(config).train_dataloader.dataset
        return OUR_DATASETS.build(_over_one_folder(dataset, root, seed))


def their_pairs(root: str, leave_out: tuple[str, ...] = ()) -> Any:
    """MMTracking's dataset of ImageNet VID with SiamRPN++'s published pipeline, over the same images.

    Args:
        root: Folder in the layout of DAVIS; an annotation file in the layout of ImageNet VID is
            written into it.
        leave_out: Types of transforms that are not run.

    Raises:
        ImportError: If MMTracking is not installed.
    """
    with contextlib.redirect_stderr(io.StringIO()):
        _import_mmtrack()
    from mmengine.hub import get_config

    pipeline = [
        transform
        for transform in get_config(PEER_CONFIG).train_pipeline
        if transform['type'] not in leave_out
    ]
    annotations = Path(root) / 'imagenet_vid.json'
    if not annotations.is_file():
        annotations.write_text(json.dumps(imagenet_vid_annotations(root)))
    dataset = dict(
        type='SOTImageNetVIDDataset',
        ann_file=str(annotations),
        data_prefix=dict(img_path=''),
        pipeline=pipeline,
        test_mode=False,
    )
    with (
        DefaultScope.overwrite_default_scope('mmtrack'),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        return DATASETS.build(dict(dataset, _scope_='mmtrack'))


def imagenet_vid_annotations(root: str) -> dict[str, list]:
    """The annotations of a folder in the layout of DAVIS as those of ImageNet VID, boxes from masks."""
    source = DavisDataset(data_root=root, ann_file='')
    source.full_init()
    found: dict[str, list] = {
        'categories': [dict(id=1, name='target')],
        'videos': [],
        'images': [],
        'annotations': [],
    }
    for number in range(source.num_videos):
        track = source.get_track(number)
        found['videos'].append(dict(id=number + 1, name=track.video_name))
        for frame, path in enumerate(track.frames):
            target = source.read_target(track, frame)
            if target is not None:
                _add_frame(found, number + 1, frame, path, target.box)
    return found


def time_transforms(dataset: Any, pairs: int) -> dict[str, float]:
    """Mean milliseconds a pair of every transform of a dataset's pipeline.

    Transforms inside another are listed on their own, and the one around them with the rest.
    """
    clock: dict[str, float] = defaultdict(float)
    undo = _wrap(dataset.pipeline, clock)
    try:
        begin = time.perf_counter()
        _read_some(dataset, pairs)()
        total = time.perf_counter() - begin
    finally:
        undo()
    split = {SAMPLE: total - sum(clock.values()), **clock}
    return {name: seconds / pairs * 1e3 for name, seconds in split.items()}


class _Timed:
    """A transform with a clock; what it spends in transforms inside it is not counted."""

    def __init__(self, transform: Callable, clock: dict[str, float]) -> None:
        self.transform = transform
        self.clock = clock
        self.name = type(transform).__name__

    def __call__(self, results: Any) -> Any:
        before = sum(self.clock.values())
        begin = time.perf_counter()
        results = self.transform(results)
        elapsed = time.perf_counter() - begin
        self.clock[self.name] += elapsed - (sum(self.clock.values()) - before)
        return results


def _wrap(holder: Any, clock: dict[str, float]) -> Callable[[], None]:
    """Put clocks around the transforms that ``holder`` runs; returns what takes them off again."""
    originals = holder.transforms
    inner = [_wrap(one, clock) for one in _holders(originals)]
    holder.transforms = [_Timed(transform, clock) for transform in originals]

    def undo() -> None:
        holder.transforms = originals
        for one in inner:
            one()

    return undo


def _holders(transforms: list) -> list:
    """Whatever runs a list of transforms inside another transform."""
    return [
        inner
        for transform in transforms
        if isinstance(
            getattr(inner := getattr(transform, 'transforms', None), 'transforms', None), list
        )
    ]


def _over_one_folder(dataset: Mapping[str, Any], root: str, seed: int) -> dict[str, Any]:
    """The config of a pair dataset, or of a composite one, with other tracks."""
    changed = {**dataset, 'seed': seed}
    for part in ('positives', 'negatives'):
        if part in changed:
            changed[part] = _over_one_folder(changed[part], root, seed)
    if 'datasets' in changed:
        changed['datasets'] = [dict(type='DavisDataset', data_root=root, ann_file='')]
        changed.pop('quotas', None)
    return changed


def _read_some(dataset: Any, pairs: int) -> Way:
    """A way that reads so many pairs; every run goes on where the last one ended."""
    done = 0

    def run() -> float:
        nonlocal done
        begin = time.perf_counter()
        for index in range(done, done + pairs):
            dataset[index % len(dataset)]
        done += pairs
        return (time.perf_counter() - begin) / pairs

    return run


def _import_mmtrack() -> None:
    from mmpolar.compat.mmtracking import MMTrackingBridge

    with MMTrackingBridge(), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        from mmtrack.utils import register_all_modules

        register_all_modules(init_default_scope=False)


def _add_frame(found: dict[str, list], video: int, frame: int, path: str, box: np.ndarray) -> None:
    height, width = cv2.imread(path, cv2.IMREAD_GRAYSCALE).shape
    x1, y1, x2, y2 = (float(value) for value in box)
    identity = len(found['images']) + 1
    found['images'].append(
        dict(
            id=identity, video_id=video, frame_id=frame, file_name=path, width=width, height=height
        )
    )
    found['annotations'].append(
        dict(
            id=identity,
            image_id=identity,
            video_id=video,
            category_id=1,
            instance_id=video,
            bbox=[x1 + 0.5, y1 + 0.5, x2 - x1, y2 - y1],
            area=(x2 - x1) * (y2 - y1),
            iscrowd=False,
            occluded=False,
        )
    )
