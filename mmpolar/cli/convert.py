"""``mmpolar convert``: annotations of CVAT, LabelMe, COCO's format or folders of masks as DAVIS."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mmpolar.cli.requirements import require_packages

if TYPE_CHECKING:
    from mmpolar.datasets.converters import Clip
    from mmpolar.datasets.left_out import LeftOut

DESCRIPTION = """\
Bring annotated videos into the folders of DAVIS, which DavisDataset reads and docs/your_data.md
describes:
  JPEGImages/480p/<clip>/*.jpg      frames, copied as they are
  Annotations/480p/<clip>/*.png     palette images: 0 background, 1, 2, ... the objects
  ImageSets/2017/train.txt          names of the clips

Still images in COCO's format need no conversion: CocoTrackDataset reads the file itself."""

EPILOG = """\
examples, one for each kind:
  CVAT, exported as "CVAT for video 1.1" or "CVAT for images 1.1" with the images:
    mmpolar convert cvat export/annotations.xml --images export/images --out data/mine
  COCO's format, frames in a folder for each video:
    mmpolar convert coco instances.json --images frames --out data/mine --id-key track_id
  LabelMe, a JSON file beside each frame:
    mmpolar convert labelme annotated/ --out data/mine
  folders of masks, black and white, grey, palette or coloured:
    mmpolar convert masks masks/ --images frames/ --out data/mine --missing empty --split val
then look for mistakes, and train:
    mmpolar check dataset DavisDataset data/mine
    dict(type='DavisDataset', data_root='data/mine', ann_file='ImageSets/2017/train.txt')"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the kinds of annotations, and what each is read from."""
    kinds = parser.add_subparsers(dest='kind', required=True, metavar='{cvat,coco,labelme,masks}')
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument('--out', type=Path, required=True, help='folder to write to')
    common.add_argument(
        '--split', default='train', help='list that the clips are added to (default: train)'
    )
    common.add_argument(
        '--symlink', action='store_true', help='link to the frames instead of copying them'
    )
    cvat = kinds.add_parser('cvat', parents=[common], help='annotations.xml of CVAT 1.1')
    cvat.add_argument('source', type=Path, help='annotations.xml')
    cvat.add_argument('--images', type=Path, required=True, help='folder of the images')
    cvat.add_argument(
        '--id-attribute',
        help='attribute that tells the objects of a label apart, in an export for images',
    )
    coco = kinds.add_parser('coco', parents=[common], help="JSON file in COCO's format")
    coco.add_argument('source', type=Path, help='the JSON file')
    coco.add_argument(
        '--images', type=Path, required=True, help='folder that the file names start from'
    )
    coco.add_argument(
        '--id-key',
        default='track_id',
        help='key of an instance, or of its attributes, that tells objects apart; without it a '
        'category is an object (default: track_id)',
    )
    labelme = kinds.add_parser('labelme', parents=[common], help='JSON files of LabelMe')
    labelme.add_argument('source', type=Path, help='folder of the JSON files, or of such folders')
    masks = kinds.add_parser('masks', parents=[common], help='folders of mask images')
    masks.add_argument(
        'source', type=Path, help='folder of the masks: <clip>/<frame>.png or <clip>/<object>/...'
    )
    masks.add_argument('--images', type=Path, required=True, help='folder of the frames')
    masks.add_argument(
        '--missing',
        metavar='{error,empty,skip}',
        default='error',
        help='what a frame without a mask means: a mistake, that the objects are not visible, or '
        'that the frame is to be left out (default: error)',
    )
    masks.add_argument(
        '--colors', action='store_true', help='each colour but black is an object of its own'
    )
    masks.add_argument(
        '--mask-values',
        metavar='{auto,ids,matte}',
        default='auto',
        help='what the values of grey masks are: ids of objects, or soft masks of one object, cut '
        'at half; by default files with white, JPEGs and those with many values are soft masks',
    )


def run(args: argparse.Namespace) -> int:
    """Convert and tell what was written."""
    if args.kind == 'coco':
        require_packages('mmpolar convert coco', ('pycocotools',))
    from mmpolar.datasets.converters import write_clips
    from mmpolar.datasets.left_out import LeftOut

    left_out = LeftOut()
    inputs = [args.source, *([args.images] if 'images' in args else [])]
    summary = write_clips(read(args, left_out), args.out, args.split, args.symlink, inputs)
    print(
        f'{len(summary.clips)} clips, {summary.frames} frames and {summary.objects} objects are in '
        f'{args.out}, listed in ImageSets/2017/{args.split}.txt'
    )
    if summary.removed:
        print(f'removed {summary.removed} masks of an earlier conversion, and their frames')
    for line in left_out.lines():
        print(f'left out: {line}')
    return 0


def read(args: argparse.Namespace, left_out: 'LeftOut') -> Iterator['Clip']:
    """Clips of the source that the command line names."""
    from mmpolar.datasets import converters  # imports a reader when it is asked for

    if args.kind == 'cvat':
        return converters.read_cvat(args.source, args.images, args.id_attribute, left_out)
    if args.kind == 'coco':
        return converters.read_coco(args.source, args.images, args.id_key, left_out)
    if args.kind == 'labelme':
        return converters.read_labelme(args.source, left_out)
    return converters.read_mask_folders(
        args.images, args.source, args.missing, args.colors, args.mask_values
    )
