"""``mmpolar check``: everything that is wrong with a dataset or a submission."""

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from mmpolar.cli.arguments import read_options
from mmpolar.cli.requirements import require_training
from mmpolar.cli.submissions import (
    DATA_HELP,
    add_data_arguments,
    add_options_argument,
    build_submission,
    print_issues,
    read_expected,
)
from mmpolar.utils.issues import Issue
from mmpolar.utils.outputs import check_outputs, check_writable
from mmpolar.utils.tables import write_json

DESCRIPTION = 'List everything that is wrong, without stopping at the first mistake.'
EPILOG = """\
examples
  mmpolar check dataset DavisDataset data/DAVIS
  mmpolar check dataset configs/my_data.py
  mmpolar check submission got10k results/got10k.zip data/got10k
  mmpolar check dataset --help        what is looked for, and more examples

exit code: 0 no error, 1 errors, 2 wrong usage"""
DATASET = """\
List everything that is broken in a dataset, without stopping at the first mistake: files that are
missing or cannot be decoded, frames missing in a row or with an unknown ending, masks without image,
of another size or without any target, images of another size than the annotations state, lines and
entries that cannot be read, ids that occur twice, numbers of boxes and images that differ, boxes
outside of the image or with NaN in parts. Nothing is changed.

Errors are what training or testing stumbles over, or learns wrongly from; notes are what may be
meant so, such as frames in which the target is not visible, soft masks, or shapes that are left out."""
DATASET_EXAMPLES = """\
examples:
  one dataset, by the name of its class and its folder, with options of the class:
    mmpolar check dataset DavisDataset data/DAVIS \\
        --options multi_object=True ann_file=ImageSets/2017/train.txt
    mmpolar check dataset GOT10kDataset data/got10k --options split=val
  all datasets of a config, those for training, validation and test:
    mmpolar check dataset configs/my_data.py --notes --json faults.json

exit code: 0 no error, 1 errors, 2 wrong usage"""
SUBMISSION = """\
List everything that is wrong with a submission, without stopping at the first mistake: sequences, files
or frames that are missing, files that do not belong there, numbers of lines, numbers that are not finite,
times that are missing or impossible, images of another size, mode or palette, objects that do not exist
or that appear before they are given. The dataset says what is expected. Nothing is changed."""
SUBMISSION_EXAMPLES = f"""\
{DATA_HELP}
  vot_reset    the sequences of list.txt, in the protocol of VOT2013 to VOT2019; the submission is the
               folder of an experiment, results/<tracker>/<experiment> of a workspace
  vot_anchor   the same in the protocol of VOT2020 to VOT2022

examples
  mmpolar check submission got10k work_dirs/got10k/got10k.zip data/got10k
  mmpolar check submission davis2017 davis2017.zip data/DAVIS \\
      --options ann_file=ImageSets/2017/test-dev.txt --notes

exit code: 0 no error, 1 errors, 2 wrong usage

the rules and where they are from: docs/submissions.md
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what can be checked."""
    kinds = parser.add_subparsers(required=True, metavar='{dataset,submission}')
    add = partial(kinds.add_parser, formatter_class=argparse.RawDescriptionHelpFormatter)
    dataset = add('dataset', help='data', description=DATASET, epilog=DATASET_EXAMPLES)
    dataset.add_argument('what', help='a config (*.py), or the class of a dataset')
    dataset.add_argument('data_root', nargs='?', help='folder of the dataset, with a class')
    add_options_argument(dataset)
    dataset.add_argument('--notes', action='store_true', help='print the notes too')
    dataset.add_argument(
        '--fast', action='store_true', help='read only the heads of images instead of decoding them'
    )
    submission = add(
        'submission',
        help='what goes to a benchmark',
        description=SUBMISSION,
        epilog=SUBMISSION_EXAMPLES,
    )
    submission.add_argument('benchmark', help='whose rules hold, see below')
    submission.add_argument('submission', type=Path, help='its zip file or folder')
    add_data_arguments(submission)
    for kind, check in ((dataset, find_dataset_issues), (submission, find_submission_issues)):
        kind.add_argument('--json', type=Path, metavar='FILE', help='also write all issues to FILE')
        kind.set_defaults(check=check)


def run(args: argparse.Namespace) -> int:
    """Check, print the issues and a summary."""
    require_training('mmpolar check')
    read = {name: getattr(args, name, None) for name in ('what', 'submission')}
    check_outputs({'--json': args.json}, read)
    if args.json:
        check_writable('--json', args.json)
    check: Callable[[argparse.Namespace], Iterable[Issue]] = args.check
    kept: list[Issue] = []
    failed = print_issues(_keep(check(args), kept), args.notes)
    if args.json:
        write_json(args.json, [asdict(issue) for issue in kept])
    return int(failed)


def find_dataset_issues(args: argparse.Namespace) -> Iterator[Issue]:
    """Issues of the datasets that the command line means."""
    from mmpolar.datasets.dataset_check import check_dataset

    for config in find_configs(args.what, args.data_root, read_options(args.options)):
        print(f'{config["type"]} {config.get("data_root", "")}')
        try:
            yield from check_dataset(config, decode=not args.fast)
        except TypeError as error:  # options that the class does not know
            raise ValueError(str(error)) from error


def find_submission_issues(args: argparse.Namespace) -> Iterator[Issue]:
    """Issues of the submission that the command line means."""
    from mmpolar.evaluation.submissions import check_submission

    if not args.submission.exists():
        raise FileNotFoundError(f'there is no submission at {args.submission}')
    submission = build_submission(args)
    sequences = read_expected(submission, args)
    yield from check_submission(submission, sequences, args.submission, progress=True)


def find_configs(
    what: str, data_root: str | None, options: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """Configs of the track datasets that a command line means, each once.

    Args:
        what: A config file, or the class of a dataset.
        data_root: Folder of the dataset, with a class.
        options: Further options of the class.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If there is no such class, or the folder is missing or too much.
    """
    from mmengine.config import Config

    from mmpolar.registry import DATASETS

    if what.endswith('.py') == (data_root is not None):
        raise ValueError('give a config (*.py) alone, or the class of a dataset and its folder')
    if data_root is not None:
        if DATASETS.get(what) is None:
            raise ValueError(f'there is no dataset {what}; docs/datasets.md lists them')
        yield dict(type=what, data_root=data_root, **options)
        return
    if not Path(what).is_file():
        raise FileNotFoundError(f'config {what} does not exist')
    cfg = Config.fromfile(what)
    seen: list[Any] = []
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        for config in _track_configs((cfg.get(loader) or {}).get('dataset')):
            if config not in seen:
                seen.append(config)
                yield config


def _track_configs(config: Any) -> Iterator[Mapping[str, Any]]:
    """Configs of datasets that yield tracks, in a dataset or in those that it is made of."""
    if not isinstance(config, Mapping):
        return
    parts: Sequence[Any] | None = config.get('datasets')
    if parts is None:
        yield config
        return
    for part in parts:
        yield from _track_configs(part)


def _keep(issues: Iterable[Issue], kept: list[Issue]) -> Iterator[Issue]:
    for issue in issues:
        kept.append(issue)
        yield issue
