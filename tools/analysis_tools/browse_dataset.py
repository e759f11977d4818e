"""Draw training pairs with everything that the model is told about them.

For each pair one picture: the template, the search crop with the target's box, mask and positive
locations and the rays of two of them, and the centerness of the positive locations.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from numpy.typing import NDArray
from torch import Tensor

from mmpolar.cli.arguments import add_old_option
from mmpolar.cli.errors import usage_error
from mmpolar.cli.training import (
    ConfigOptions,
    require_sections,
)
from mmpolar.datasets.transforms import GeneratePolarTarget
from mmpolar.registry import DATASETS
from mmpolar.structures.polar import decode_points
from mmpolar.utils.progress import progress_bar
from mmpolar.utils.shared_values import load_config
from mmpolar.visualization.draw import (
    GROUND_TRUTH_COLOR,
    contact_sheet,
    draw_box,
    draw_mask,
    draw_mask_contour,
    draw_polygon,
)

SEARCH_ZOOM = 3  # screen pixels a crop pixel, so that thin lines do not hide what they mark
TEMPLATE_ZOOM = 6  # the template crop is half as wide; shown as large as the search crop
SHEET_COLUMNS = 2
PAIR_DATASETS = ('TrackPairDataset', 'NegativePairDataset')
Color = tuple[int, int, int]
BOX_COLOR = (255, 200, 0)
OTHER_COLOR = (60, 60, 230)  # the object of a negative pair, which is not the target
RAY_COLORS = ((0, 140, 255), (255, 80, 220))
DOT_COLOR = (255, 255, 255)

EPILOG = """\
colours
  green contour   the mask                   white dots       positive locations
  cyan box        the target's box           orange, pink     rays and contour from the most
  red box         the object of a negative                    central location and from another
  blue to red     centerness from 0 to 1

examples
  Is the data read correctly?
    python tools/analysis_tools/browse_dataset.py CONFIG
  See other pairs, negatives among them:
    python tools/analysis_tools/browse_dataset.py CONFIG --num 64 --seed 7 --show-negatives
  Try another augmentation before training with it (pipeline step 1 is CropPair here):
    python tools/analysis_tools/browse_dataset.py CONFIG \\
        --cfg-options train_dataloader.dataset.pipeline.1.rotate=20

what to look for
  The box encloses the contour and the contour follows the object: if not, the annotations or
  data_root are wrong. Contours that cut far into or across the object: more rays are needed
  (n_rays), or the object is not star-shaped. Few dots: the target is small in the search crop.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='training config; its train_dataloader.dataset is drawn')
    out = parser.add_argument(
        '--out',
        metavar='DIR',
        default='work_dirs/browse_dataset',
        help='folder for pair_*.png and contact_sheet.png (default: %(default)s)',
    )
    add_old_option(parser, '--out-dir', out)
    parser.add_argument('--num', type=int, default=16, help='pairs to draw (default: %(default)s)')
    parser.add_argument(
        '--seed', type=int, help="seed of the pairs, to see others (default: the config's)"
    )
    parser.add_argument(
        '--show-negatives',
        action='store_true',
        help='draw negative pairs too, as they come; otherwise they are passed over',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        help='settings that override the config, as key=value; lists as key="[a,b]"',
    )
    args = parser.parse_args(argv)
    if args.num < 1:
        parser.error(f'--num must be at least 1, got {args.num}')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    dataset = build_dataset(args)
    locations = find_locations(dataset)
    os.makedirs(args.out, exist_ok=True)
    pictures, captions = [], []
    for sample in progress_bar(samples(dataset, args.show_negatives, args.num), total=args.num):
        index = sample['data_samples'].sample_idx
        pictures.append(draw_pair(sample, locations))
        captions.append(f'{index}: {sample["data_samples"].dataset_name}')
        save(pictures[-1], os.path.join(args.out, f'pair_{index:06d}.png'))
    if not pictures:
        usage_error('all pairs are negative; add --show-negatives, or lower negative_prob')
    height, width = pictures[0].shape[:2]
    sheet = contact_sheet(pictures, SHEET_COLUMNS, captions, cell=(width // 3, height // 3))
    save(sheet, os.path.join(args.out, 'contact_sheet.png'))
    print(f'{len(pictures)} pairs and contact_sheet.png are in {args.out}')


def build_dataset(args: argparse.Namespace) -> Any:
    """The training dataset of the config, with the options of the command line."""
    cfg = load_config(args.config, args.cfg_options)
    require_sections(cfg, args.config, ('train_dataloader',), 'drawing training pairs')
    dataset_cfg = cfg.train_dataloader.dataset
    if not gives_pairs(dataset_cfg):
        usage_error(
            f'{args.config} trains on a {dataset_cfg.type}, and this tool draws the pairs of a '
            'TrackPairDataset; for detection data use "mim run mmdet browse_dataset"'
        )
    if args.seed is not None:
        dataset_cfg.seed = args.seed
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpolar')):
        return DATASETS.build(dataset_cfg)


def gives_pairs(dataset_cfg: dict[str, Any]) -> bool:
    """Whether a dataset gives pairs, be it composites of pairs."""
    name = dataset_cfg['type'].split('.')[-1]
    return name in PAIR_DATASETS or (
        name == 'CompositeDataset' and gives_pairs(dataset_cfg['positives'])
    )


def find_locations(dataset: Any) -> NDArray[np.float32] | None:
    """(S, S, 2) positions of the score map's locations, None where no contours are learnt."""
    for transform in dataset.pipeline.transforms:
        if isinstance(transform, GeneratePolarTarget):
            return transform.locations
    return None


def samples(dataset: Any, negatives: bool, num: int) -> Iterator[dict[str, Any]]:
    """The first ``num`` packed pairs of an epoch, with or without negative ones."""
    found = 0
    for index in range(len(dataset)):
        sample = dataset[index]
        if negatives or is_positive(sample):
            yield sample
            found += 1
        if found == num:
            return


def is_positive(sample: dict[str, Any]) -> bool:
    return bool(sample['data_samples'].search_gt_instances.labels.item())


def draw_pair(sample: dict[str, Any], locations: NDArray[np.float32] | None) -> NDArray[np.uint8]:
    """One picture of a packed pair: template, search crop, centerness."""
    data_sample = sample['data_samples']
    template = zoom_in(sample['inputs']['img'], TEMPLATE_ZOOM)
    search = zoom_in(sample['inputs']['search_img'], SEARCH_ZOOM)
    targets = data_sample.get('polar_targets')
    panels = [
        draw_target(template, data_sample.gt_instances, TEMPLATE_ZOOM, BOX_COLOR),
        draw_target(
            search,
            data_sample.search_gt_instances,
            SEARCH_ZOOM,
            BOX_COLOR if is_positive(sample) else OTHER_COLOR,
        ),
    ]
    captions = [
        f'template  {os.path.basename(data_sample.img_path)}',
        f'search  {os.path.basename(data_sample.search_img_path)}',
    ]
    if targets is None:
        captions[1] += '' if is_positive(sample) else '  NEGATIVE'
        panels.append(search // 4)
        captions.append('no contour to learn')
    else:
        positive, centerness = targets.positive.numpy(), targets.centerness.numpy()
        panels[1] = draw_rays(panels[1], targets.radii.numpy(), positive, centerness, locations)
        panels.append(draw_centerness(search, positive, centerness, locations))
        captions.append(
            f'centerness  {positive.sum()} positive locations, at most {centerness.max():.2f}'
        )
    return contact_sheet(panels, len(panels), captions)


def zoom_in(img: Tensor, zoom: int) -> NDArray[np.uint8]:
    """A packed image (1, 3, H, W) as a picture, each pixel ``zoom`` screen pixels wide."""
    array = img[0].permute(1, 2, 0).numpy()
    return cv2.resize(array, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LINEAR)


def on_screen(points: NDArray[np.floating], zoom: int) -> NDArray[np.floating]:
    """Crop coordinates to screen coordinates; integers are pixel centres in both."""
    return (np.asarray(points) + 0.5) * zoom - 0.5


def draw_target(
    img: NDArray[np.uint8], instances: InstanceData, zoom: int, color: Color
) -> NDArray[np.uint8]:
    if 'masks' in instances:
        mask = instances.masks.masks[0]
        mask = cv2.resize(mask, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_NEAREST)
        img = draw_mask(img, mask, GROUND_TRUTH_COLOR, alpha=0.15)
        img = draw_mask_contour(img, mask, GROUND_TRUTH_COLOR)
    return draw_box(img, on_screen(instances.bboxes.numpy()[0], zoom), color)


def draw_rays(
    img: NDArray[np.uint8],
    radii: NDArray[np.float32],
    positive: NDArray[np.bool_],
    centerness: NDArray[np.float32],
    locations: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """Dots at the positive locations; rays and contour of the most central one and another."""
    img = img.copy()
    places = np.argwhere(positive)
    by_centerness = np.argsort(centerness[positive])
    chosen = places[by_centerness[[-1, len(places) // 3]]]
    for (row, column), color in zip(chosen, RAY_COLORS, strict=True):
        pole = locations[row, column]
        ends = on_screen(decode_points(pole, radii[:, row, column]), SEARCH_ZOOM)
        start = np.broadcast_to(on_screen(pole, SEARCH_ZOOM), ends.shape)
        lines = np.rint(np.stack([start, ends], axis=1) * 16).astype(np.int32)
        cv2.polylines(img, list(lines), False, color, 1, cv2.LINE_AA, shift=4)
        img = draw_polygon(img, ends, color, thickness=1)
    for x, y in np.rint(on_screen(locations[positive], SEARCH_ZOOM)).astype(int).tolist():
        cv2.circle(img, (x, y), 3, DOT_COLOR, cv2.FILLED, cv2.LINE_AA)
    return img


def draw_centerness(
    img: NDArray[np.uint8],
    positive: NDArray[np.bool_],
    centerness: NDArray[np.float32],
    locations: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """Each positive location as a square in the colour of its centerness, blue 0 to red 1."""
    origin = on_screen(locations[0, 0], SEARCH_ZOOM)
    stride = SEARCH_ZOOM * np.ptp(locations[:2, 0, 1])
    to_screen = np.array([[stride, 0, origin[0]], [0, stride, origin[1]]])
    levels = cv2.applyColorMap(np.rint(centerness * 255).astype(np.uint8), cv2.COLORMAP_JET)
    size = img.shape[1::-1]
    colors = cv2.warpAffine(levels, to_screen, size, flags=cv2.INTER_NEAREST)
    shown = cv2.warpAffine(positive.view(np.uint8), to_screen, size, flags=cv2.INTER_NEAREST)
    return np.where(shown[..., None] > 0, cv2.addWeighted(img, 0.35, colors, 0.65, 0), img // 2)


def save(picture: NDArray[np.uint8], path: str) -> None:
    if not cv2.imwrite(path, picture):
        raise OSError(f'cannot write {path}; is the disk full?')


if __name__ == '__main__':
    main()
