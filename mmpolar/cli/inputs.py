"""The config, the dataset and the result folders that a command line names."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmpolar.cli.training import add_cfg_options, require_sections
from mmpolar.datasets import BaseTrackDataset
from mmpolar.evaluation.replay import missing_videos
from mmpolar.evaluation.result_folder import ResultFolder
from mmpolar.registry import DATASETS
from mmpolar.utils.abridged import abridged
from mmpolar.utils.shared_values import load_config


def add_config_arguments(parser: argparse.ArgumentParser, meaning: str) -> None:
    """Add the config, whose help says what it means, and changes to it."""
    parser.add_argument('config', help=meaning)
    add_cfg_options(
        parser,
        'change entries of the config, e.g. test_dataloader.dataset.data_root=data/other',
    )


def add_input_arguments(parser: argparse.ArgumentParser, several: bool) -> None:
    """Add the config, the results and what selects from them.

    Args:
        parser: Parser of the tool.
        several: Whether the tool takes several result folders.
    """
    add_config_arguments(parser, 'config whose test_dataloader names the dataset tested')
    parser.add_argument(
        'results',
        nargs='+' if several else None,
        metavar='NAME=FOLDER',
        help='what "tools/test.py --out FOLDER" wrote; without NAME= the folder names the tracker',
    )
    parser.add_argument(
        '--common',
        action='store_true',
        help='use only the sequences that all results have; otherwise one that lacks is an error',
    )
    parser.add_argument(
        '--workers', type=int, default=0, help='processes that score (default: this one alone)'
    )


def add_ope_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the conventions of one-pass evaluation, which differ from benchmark to benchmark."""
    group = parser.add_argument_group('conventions of boxes, see docs/metrics.md')
    group.add_argument(
        '--absent',
        choices=('skip', 'miss'),
        default='skip',
        help="frames without a target: left out, or counted as misses as LaSOT's toolkit does "
        '(default: %(default)s)',
    )
    group.add_argument(
        '--first-frame',
        choices=('hit', 'skip'),
        default='hit',
        help='the frame in which the target is given: a hit as in the toolkits, or left out '
        '(default: %(default)s)',
    )


def read_plain_config(args: argparse.Namespace) -> Config:
    """The config of ``args.config`` with ``args.cfg_options``.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    if not Path(args.config).is_file():
        raise FileNotFoundError(
            f'no config at {args.config}; those that come with mmpolar are in configs/'
        )
    return load_config(args.config, args.cfg_options)


def build_dataset(cfg: Config, path: str, loader: str = 'test_dataloader') -> BaseTrackDataset:
    """The dataset of a test or validation loader; a config without one ends the program.

    Args:
        cfg: The config.
        path: Its file, for the message.
        loader: Section of the config.

    Raises:
        ValueError: If the section's dataset is not one of tracks.
    """
    require_sections(cfg, path, (loader,), 'this tool')
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpolar')):
        dataset = DATASETS.build(cfg[loader].dataset)
    if not isinstance(dataset, BaseTrackDataset):
        raise ValueError(
            f'{loader} of {path} has a {type(dataset).__name__}, which is no dataset of tracks; '
            'docs/datasets.md lists those'
        )
    return dataset


def open_results(
    texts: Sequence[str], dataset: BaseTrackDataset, common: bool
) -> tuple[list[ResultFolder], list[int]]:
    """The result folders, and the tracks of the dataset to look at.

    Args:
        texts: ``NAME=FOLDER`` or ``FOLDER`` each.
        dataset: The dataset.
        common: Whether tracks that some results lack are left out.

    Returns:
        The folders and the numbers of the tracks.

    Raises:
        FileNotFoundError: If a folder holds no results.
        ValueError: If two trackers have one name, results lack tracks and ``common`` is not set, or
            no track is left.
    """
    folders = [ResultFolder.parse(text) for text in texts]
    names = [folder.name for folder in folders]
    if len(set(names)) < len(names):
        raise ValueError(f'trackers must differ in name, got {", ".join(names)}; say NAME=FOLDER')
    missing = {folder.name: missing_videos(dataset, folder) for folder in folders}
    if any(missing.values()) and not common:
        raise ValueError('; '.join(_describe_missing(*entry) for entry in missing.items()))
    absent = {video for videos in missing.values() for video in videos}
    tracks = [
        index
        for index in range(dataset.num_videos)
        if dataset.get_track(index).video_name not in absent
    ]
    if not tracks:
        raise ValueError('the results have no sequence of this dataset in common')
    return folders, tracks


def _describe_missing(tracker: str, videos: Sequence[str]) -> str:
    if not videos:
        return f'results "{tracker}" are complete'
    return (
        f'results "{tracker}" lack {len(videos)} sequences ({abridged(videos)}); test to the end, or '
        'add --common'
    )
