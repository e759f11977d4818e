"""List everything that is broken in a dataset."""

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmengine.config import Config, DictAction

from mmpolar.datasets.dataset_check import check_dataset
from mmpolar.registry import DATASETS
from mmpolar.utils.issues import ERROR, Issue, format_summary, has_errors

DESCRIPTION = """\
List everything that is broken in a dataset, without stopping at the first mistake: files that are
missing or cannot be decoded, frames missing in a row, masks without image, of another size or
without any target, lines that cannot be read, numbers of boxes and images that differ, boxes
outside of the image or with NaN in parts. Nothing is changed.

Errors are what training or testing stumbles over, or learns wrongly from; notes are what may be
meant so, such as frames in which the target is not visible."""

EPILOG = """\
examples:
  one dataset, by the name of its class and its folder, with options of the class:
    python tools/dataset_converters/check_dataset.py DavisDataset data/DAVIS \\
        --options multi_object=True ann_file=ImageSets/2017/train.txt
    python tools/dataset_converters/check_dataset.py GOT10kDataset data/got10k --options split=val
  all datasets of a config, those for training, validation and test:
    python tools/dataset_converters/check_dataset.py configs/my_data.py --notes --json faults.json

exit code: 0 no error, 1 errors, 2 wrong usage"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('what', help='a config (*.py), or the class of a dataset')
    parser.add_argument('data_root', nargs='?', help='folder of the dataset, with a class')
    parser.add_argument(
        '--options',
        nargs='+',
        action=DictAction,
        default={},
        help='options of the class, key=value',
    )
    parser.add_argument('--notes', action='store_true', help='print the notes too')
    parser.add_argument(
        '--fast', action='store_true', help='read only the heads of images instead of decoding them'
    )
    parser.add_argument('--json', type=Path, help='also write all issues to this file')
    args = parser.parse_args(argv)
    if args.what.endswith('.py') == (args.data_root is not None):
        parser.error('give a config (*.py) alone, or the class of a dataset and its folder')
    if args.what.endswith('.py') and not Path(args.what).is_file():
        parser.error(f'config {args.what} does not exist')
    if not args.what.endswith('.py') and DATASETS.get(args.what) is None:
        parser.error(f'there is no dataset {args.what}; docs/datasets.md lists them')
    return args


def main(argv: list[str] | None = None) -> int:
    """Check, print the issues and a summary.

    Returns:
        The exit code.
    """
    args = parse_args(argv)
    issues: list[Issue] = []
    for config in find_configs(args):
        print(f'{config["type"]} {config.get("data_root", "")}')
        for issue in check_dataset(config, decode=not args.fast):
            issues.append(issue)
            if issue.level == ERROR or args.notes:
                print(f'  {issue}', flush=True)
    if args.json:
        args.json.write_text(json.dumps([asdict(issue) for issue in issues], indent=1))
    print(f'\n{format_summary(issues)}')
    return int(has_errors(issues))


def find_configs(args: argparse.Namespace) -> Iterator[Mapping[str, Any]]:
    """Configs of the track datasets that the command line means, each once."""
    if args.data_root is not None:
        yield dict(type=args.what, data_root=args.data_root, **args.options)
        return
    cfg = Config.fromfile(args.what)
    seen: list[Any] = []
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        dataset = (cfg.get(loader) or {}).get('dataset')
        for config in _track_configs(dataset):
            if config not in seen:
                seen.append(config)
                yield config


def _track_configs(config: Any) -> Iterator[Mapping[str, Any]]:
    """Configs of datasets that yield tracks, in a dataset or in those that it is made of."""
    if not isinstance(config, Mapping):
        return
    parts = config.get('datasets')
    if parts is None:
        yield config
        return
    for part in parts:
        yield from _track_configs(part)


if __name__ == '__main__':
    raise SystemExit(main())
