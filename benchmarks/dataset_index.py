"""Time the start of a large dataset with and without a kept index, and weigh its workers."""

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch.utils.data import DataLoader, Dataset

from mmpolar.cli.arguments import tool_parser
from mmpolar.datasets import GOT10kDataset, TrackPairDataset

#: One file can have about 65,000 names on common file systems.
LINKS_PER_FILE = 50_000
MEBIBYTE = 2**20

DESCRIPTION = """\
Make a fake dataset in GOT-10k's folders, thousands of tiny sequences, and measure on it

start    seconds until the dataset is ready, each in a new process, imports left out: without a kept
         index, with one that has yet to be made, and with one that is ready.
memory   MiB that a data-loading worker has for itself alone (private pages that it has written) after
         it has read pairs, with 0 (the main process), 1 and 4 workers; for the whole dataset and
         for a hundredth of its sequences. If workers copied the annotations, the whole would weigh
         more by the size of the index.

The mark: with 10,000 sequences a ready index starts in less than 2 s."""

EPILOG = """\
examples:
  python -m benchmarks.dataset_index
  python -m benchmarks.dataset_index --sequences 1000 --frames 40
  python -m benchmarks.dataset_index --start-method spawn --workers 0 2"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG, 'python -m benchmarks.dataset_index')
    parser.add_argument(
        '--sequences', type=int, default=10_000, help='number of sequences (default: 10000)'
    )
    parser.add_argument('--frames', type=int, default=10, help='frames of a sequence (default: 10)')
    parser.add_argument(
        '--workers',
        type=int,
        nargs='+',
        default=[0, 1, 4],
        help='numbers of workers to weigh (default: 0 1 4)',
    )
    parser.add_argument(
        '--pairs', type=int, default=4000, help='pairs read before weighing (default: 4000)'
    )
    parser.add_argument(
        '--start-method',
        choices=['fork', 'spawn'],
        default='fork',
        help='how workers come into being (default: fork)',
    )
    parser.add_argument('--root', help='folder for the fake data, kept; by default a temporary one')
    args = parser.parse_args(argv)
    if args.sequences < 200 or args.frames < 2 or args.pairs < 1 or min(args.workers) < 0:
        parser.error(
            'need at least 200 sequences of 2 frames, 1 pair and no negative number of workers'
        )
    return args


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(args.root or temporary)
        seconds = make_data(root, args.sequences, args.frames)
        print(
            f'{args.sequences} sequences of {args.frames} frames made in {seconds:.1f} s',
            flush=True,
        )
        print_starts(root)
        print_memory(root, args)


def make_data(root: Path, sequences: int, frames: int) -> float:
    """Write the sequences that are not there yet.

    Args:
        root: Folder to write to.
        sequences: Number of sequences.
        frames: Frames of each.

    Returns:
        Seconds that it took.
    """
    start = time.perf_counter()
    folder = root / 'train'
    folder.mkdir(parents=True, exist_ok=True)
    names = [f'GOT-10k_Train_{number:06d}' for number in range(1, sequences + 1)]
    numbers = np.arange(frames)
    boxes = np.stack([numbers + 2, numbers + 3, numbers * 0 + 9, numbers * 0 + 8], axis=1)
    rows = '\n'.join(','.join(f'{value:.4f}' for value in box) for box in boxes)
    for number, name in enumerate(names):
        source = _image(root, number * frames // LINKS_PER_FILE)
        if not (folder / name).is_dir():
            _write_sequence(folder / name, source, frames, rows)
    for part, listed in (('list.txt', names), ('few.txt', names[: sequences // 100])):
        (folder / part).write_text('\n'.join(listed) + '\n')
    return time.perf_counter() - start


def print_starts(root: Path) -> None:
    """Measure the three starts and print them."""
    with tempfile.TemporaryDirectory() as cache:
        rows = [
            ('no index kept', in_new_process(time_start, root, False)),
            ('index to be made', in_new_process(time_start, root, cache)),
            ('index ready', statistics.median(
                in_new_process(time_start, root, cache) for _ in range(3))),
        ]  # fmt: skip
        size = sum(path.stat().st_size for path in Path(cache).glob('*.index'))
    print(f'\nstart of a process [s]            (index file: {size / MEBIBYTE:.1f} MiB)')
    for name, seconds in rows:
        print(f'  {name:18s} {seconds:8.3f}', flush=True)


def print_memory(root: Path, args: argparse.Namespace) -> None:
    """Weigh the workers and print what they weigh."""
    print(f'\nprivate memory of a worker [MiB], started by {args.start_method}')
    print('  workers   1 % of the sequences   all, index kept   all, no index kept')
    with tempfile.TemporaryDirectory() as cache:
        in_new_process(time_start, root, cache)
        for workers in args.workers:
            weights = [
                in_new_process(
                    weigh_workers, root, kept, listed, workers, args.pairs, args.start_method
                )
                for kept, listed in ((cache, 'few.txt'), (cache, ''), (False, ''))
            ]
            few, kept, plain = (weight / MEBIBYTE for weight in weights)
            print(f'  {workers:7d} {few:22.1f} {kept:17.1f} {plain:20.1f}', flush=True)


def in_new_process(function: Callable, *arguments: Any) -> Any:
    """Result of a call in a process of its own."""
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def time_start(root: Path, index_cache: str | bool) -> float:
    """Seconds until the dataset is ready and has given its first track."""
    start = time.perf_counter()
    dataset = GOT10kDataset(root, index_cache=index_cache)
    dataset.get_track(dataset.num_videos - 1)
    return time.perf_counter() - start


def weigh_workers(
    root: Path, index_cache: str | bool, listed: str, workers: int, pairs: int, start_method: str
) -> float:
    """Mean private memory, in bytes, of the workers after each has read its share of the pairs."""
    ann_file = f'train/{listed}' if listed else ''
    tracks = GOT10kDataset(root, ann_file=ann_file, index_cache=index_cache)
    dataset = TrackPairDataset([tracks], samples_per_epoch=pairs, negative_prob=0.5)
    probe = _Probe(dataset, last=2 * max(workers, 1))
    context = start_method if workers else None
    loader = DataLoader(
        probe, batch_size=None, num_workers=workers, multiprocessing_context=context
    )
    weights = dict(iter(loader))
    return statistics.mean(weight for weight in weights.values() if weight)


class _Probe(Dataset):
    """Reads a pair; tells the process and, for the last pairs, its private memory.

    The loader gives its workers the pairs in turn, so the last ones reach all of them.
    """

    def __init__(self, pairs: TrackPairDataset, last: int) -> None:
        self.pairs = pairs
        self.last = last

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[int, int]:
        self.pairs.get_pair(index)
        is_last = index >= len(self) - self.last
        return os.getpid(), private_memory() if is_last else 0


def private_memory() -> int:
    """Bytes that this process alone has written; pages of a mapped file do not count.

    Raises:
        OSError: If the system is not Linux.
    """
    lines = Path('/proc/self/smaps_rollup').read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith('Private_Dirty'))


def _image(root: Path, number: int) -> Path:
    """A tiny image that many names lead to."""
    path = root / f'image_{number}.jpg'
    if not path.exists():
        cv2.imwrite(str(path), np.full((24, 32, 3), 128, np.uint8))
    return path


def _write_sequence(folder: Path, source: Path, frames: int, rows: str) -> None:
    folder.mkdir()
    for number in range(1, frames + 1):
        os.link(source, folder / f'{number:08d}.jpg')
    (folder / 'groundtruth.txt').write_text(rows + '\n')
    for flag, value in (('absence', 0), ('cover', 8), ('cut_by_image', 0)):
        (folder / f'{flag}.label').write_text(f'{value}\n' * frames)


if __name__ == '__main__':
    main()
