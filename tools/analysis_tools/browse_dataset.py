"""Draw training pairs with everything that the model is told about them.

For each pair one image: the template, the search crop with the target's box, mask and positive
locations and the rays of two of them, and the centerness of the positive locations.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from mmengine.registry import DefaultScope
from numpy.typing import NDArray

from mmpolar.cli.arguments import add_old_option, check_counts, tool_parser
from mmpolar.cli.errors import usage_error
from mmpolar.cli.training import add_cfg_options, require_sections
from mmpolar.datasets.transforms import GeneratePolarTarget
from mmpolar.registry import DATASETS
from mmpolar.utils.image import write_image
from mmpolar.utils.progress import progress_bar
from mmpolar.utils.shared_values import load_config, type_of
from mmpolar.visualization.draw import contact_sheet
from mmpolar.visualization.training_pair import draw_pair, is_positive

SHEET_COLUMNS = 2
PAIR_DATASETS = ('TrackPairDataset', 'NegativePairDataset')

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
    parser = tool_parser(__doc__, EPILOG)
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
    add_cfg_options(parser, 'settings that override the config; lists as key="[a,b]"')
    args = parser.parse_args(argv)
    check_counts(args, parser, 'num')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    dataset = build_dataset(args)
    locations = find_locations(dataset)
    os.makedirs(args.out, exist_ok=True)
    images, captions = [], []
    for sample in progress_bar(samples(dataset, args.show_negatives, args.num), total=args.num):
        index = sample['data_samples'].sample_idx
        images.append(draw_pair(sample, locations))
        captions.append(f'{index}: {sample["data_samples"].dataset_name}')
        write_image(os.path.join(args.out, f'pair_{index:06d}.png'), images[-1])
    if not images:
        usage_error('all pairs are negative; add --show-negatives, or lower negative_prob')
    height, width = images[0].shape[:2]
    sheet = contact_sheet(images, SHEET_COLUMNS, captions, cell=(width // 3, height // 3))
    write_image(os.path.join(args.out, 'contact_sheet.png'), sheet)
    print(f'{len(images)} pairs and contact_sheet.png are in {args.out}')


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
    name = type_of(dataset_cfg)
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


if __name__ == '__main__':
    main()
