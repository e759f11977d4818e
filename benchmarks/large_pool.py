"""Rounds of mining over a large pool with a simulated scorer: memory, time, and what lazy rounds keep."""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from numpy.typing import NDArray
from torch.utils.data import Dataset

import mmpolar.engine  # noqa: F401  (registers its classes)
from benchmarks.mining import mining_runner
from benchmarks.shared.runs import python_module
from mmpolar.cli.arguments import check_counts, tool_parser
from mmpolar.mining.scoring import LazyScores
from mmpolar.registry import DATASETS, MODELS

DESCRIPTION = """\
Rounds of mining over a large pool, without images and without a network: what the rest costs.

rounds  HardNegativeMiningHook mines a pool of --size negatives in --processes processes. Scoring is
        simulated: the score of a negative is computed from its number, the batch holds its number alone.
        Given are the time of each round, on the clock and of the process on the CPU, and its memory
        before and after it and at most. The second and later rounds score the first of --shares.
lazy    rounds that score --shares of the pool instead of all of it: which share of the --num-picks
        hardest they still pick, the mean and the worst of --rounds rounds, for several correlations of a
        score with that of the round before. The model of drift: normal log odds, of which each round
        keeps so much; all fall from round to round, those of picks more, and come back by half a round."""

EPILOG = """\
examples:
  python -m benchmarks.large_pool
  python -m benchmarks.large_pool --only lazy --size 100000 --shares 0.1 0.25 0.5
  python -m benchmarks.large_pool --only rounds --size 1000000 --processes 4"""

#: Correlations of the scores of two consecutive rounds.
CORRELATIONS = (0.99, 0.95, 0.9, 0.8, 0.6)
#: Mean and spread of the log odds of the first round, and by how much all fall in each.
_OFFSET, _SPREAD, _FALL = -5.0, 2.0, 0.3
#: By how much log odds of a pick fall, and what of that is left after a round.
_LEARNED, _REMEMBERED = 3.0, 0.5


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    if args.rank is not None:
        run_rank(args)
        return
    if args.scores is not None:
        print_recorded(args)
        return
    if args.only != 'lazy':
        print_rounds(args)
    if args.only != 'rounds':
        print_lazy(args)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG, 'python -m benchmarks.large_pool')
    parser.add_argument('--only', choices=('rounds', 'lazy'), help='one of the two parts')
    parser.add_argument(
        '--size', type=int, default=1_000_000, help='negatives in the pool (default: 1000000)'
    )
    parser.add_argument('--processes', type=int, default=2, help='default: 2')
    parser.add_argument('--rounds', type=int, default=10, help='rounds (default: 10)')
    parser.add_argument('--num-picks', type=int, default=1000, help='default: 1000')
    parser.add_argument(
        '--shares', type=float, nargs='+', default=[0.25], help='shares that lazy rounds score'
    )
    parser.add_argument(
        '--scores',
        type=Path,
        help='scores of a pool in each round, recorded by benchmarks.mining_rules (NAME-SEED.npz), for '
        'the lazy rounds instead of simulated ones',
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--rank', type=int, help=argparse.SUPPRESS)
    parser.add_argument('--folder', type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    check_counts(args, parser, 'size', 'processes', 'rounds', 'num_picks')
    return args


# rounds of the hook


@DATASETS.register_module()
class NumberedPool(Dataset):
    """Negatives without pixels, that know their number alone."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> int:
        return index

    def get_data_info(self, index: int) -> dict:
        box = dict(bbox=[0.0, 0.0, 8.0, 8.0], bbox_label=0, ignore_flag=0)
        return dict(img_id=f'stream_{index % 997:03d}/frame_{index:09d}.jpg', instances=[box])


@MODELS.register_module()
class NumberModel(BaseModel):
    """Answers with the number of each negative."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs: list, **_: object) -> list:
        raise NotImplementedError

    def test_step(self, data: list[int]) -> list[BaseDataElement]:
        return [BaseDataElement(metainfo=dict(number=number)) for number in data]


def simulated_scores(samples: Sequence[BaseDataElement]) -> list[float]:
    """A score of each negative that looks random and depends on its number alone."""
    numbers = np.array([sample.number for sample in samples], np.uint64)
    mixed = (numbers * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
    return ((mixed.astype(np.float64) / 2**24) ** 4).tolist()


class RoundTimes(Hook):
    """Prints the memory of this process, and the time of each round."""

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Runner) -> None:
        self.start = time.perf_counter(), time.process_time()
        self.memory = resident_megabytes()


class RoundEnd(Hook):
    """Called after the mining hook."""

    priority = 'LOWEST'

    def __init__(self, times: RoundTimes) -> None:
        self.times = times

    def before_train_epoch(self, runner: Runner) -> None:
        row = dict(
            seconds=time.perf_counter() - self.times.start[0],
            cpu=time.process_time() - self.times.start[1],
            before=self.times.memory,
            after=resident_megabytes(),
            peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        )
        print('ROUND', json.dumps(row), flush=True)


def resident_megabytes() -> float:
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def print_rounds(args: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [*python_module('benchmarks.large_pool'), *sys.argv[1:], '--folder', folder]
        environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
        ranks = [
            subprocess.Popen(
                [*command, '--rank', str(rank)], stdout=subprocess.PIPE, text=True, env=environment
            )
            for rank in range(args.processes)
        ]
        outputs = [rank.communicate()[0] for rank in ranks]
    if any(rank.returncode for rank in ranks):
        raise SystemExit('error: a process failed')
    print(f'{args.size} negatives, {args.processes} processes, {args.num_picks} picks')
    print(
        f'{"process":>8}{"round":>7}{"seconds":>10}{"CPU":>8}{"MB before":>11}{"after":>8}{"peak":>8}'
    )
    for rank, output in enumerate(outputs):
        lines = [line[6:] for line in output.splitlines() if line.startswith('ROUND ')]
        for number, row in enumerate(map(json.loads, lines), start=1):
            memory = f'{row["before"]:>11.0f}{row["after"]:>8.0f}{row["peak"]:>8.0f}'
            print(f'{rank:>8}{number:>7}{row["seconds"]:>10.1f}{row["cpu"]:>8.1f}{memory}')


def run_rank(args: argparse.Namespace) -> None:
    """What a process of the group does."""
    if args.processes > 1:
        torch.distributed.init_process_group(
            'gloo', f'file://{args.folder}/store', rank=args.rank, world_size=args.processes
        )
    times = RoundTimes()
    runner = build_runner(args, [times, RoundEnd(times)])
    runner.train()
    if args.processes > 1:
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def build_runner(args: argparse.Namespace, hooks: Sequence[Hook]) -> Runner:
    """A runner whose only work is mining."""
    mining = dict(
        type='mmpolar.HardNegativeMiningHook',
        num_picks=args.num_picks,
        scorer=simulated_scores,
        pool=dict(type='mmpolar.NumberedPool', size=args.size),
        batch_size=256,
        num_workers=0,
        num_sheet_images=0,
        rescore_share=args.shares[0],
    )
    dataset = dict(
        type='mmpolar.CompositeDataset',
        positives=dict(type='mmpolar.NumberedPool', size=1),
        negatives=dict(type='mmpolar.NumberedPool', size=args.size),
        num_composites=1,
    )
    return mining_runner(
        dict(type='mmpolar.NumberModel'),
        args.folder / 'work',
        'large_pool',
        args.seed,
        dataset,
        min(args.rounds, 3),
        [hooks[0], mining, *hooks[1:]],
    )


# lazy rounds


def print_lazy(args: argparse.Namespace) -> None:
    print(f'{args.size} negatives, {args.num_picks} picks, {args.rounds} rounds')
    print(f'{"correlation":>12}{"scored":>9}{"kept":>9}{"worst round":>13}')
    for correlation in CORRELATIONS:
        for share in args.shares:
            kept = simulate_lazy(
                correlation, share, args.size, args.num_picks, args.rounds, args.seed
            )
            row = f'{correlation:>12}{share:>9.0%}{np.mean(kept):>9.1%}{min(kept):>13.1%}'
            print(row, flush=True)


def print_recorded(args: argparse.Namespace) -> None:
    scores = np.load(args.scores)['pool']
    print(f'{scores.shape[1]} negatives, {args.num_picks} picks, {len(scores)} rounds')
    for share in args.shares:
        kept = replay_lazy(scores, share, args.num_picks, args.seed)
        print(f'{share:>5.0%} scored: {np.mean(kept):.1%} kept;', *(f'{one:.0%}' for one in kept))


def replay_lazy(
    scores: NDArray[np.float64], share: float, num_picks: int, seed: int
) -> list[float]:
    """Share of the hardest that each round after the first picks, of recorded scores (rounds, P)."""
    rng = np.random.default_rng(seed)
    lazy, kept = LazyScores(scores.shape[1], share), []
    for number, values in enumerate(scores, start=1):
        chosen = lazy.choose(number, num_picks, rng.permutation(len(values)))
        lazy.update(number, chosen, values[chosen])
        picks = chosen[np.argsort(-values[chosen], kind='stable')[:num_picks]]
        hardest = np.argsort(-values, kind='stable')[:num_picks]
        if number > 1:
            kept.append(len(np.intersect1d(picks, hardest)) / num_picks)
        lazy.mark_picks(number, picks)
    return kept


def simulate_lazy(
    correlation: float, share: float, size: int, num_picks: int, rounds: int, seed: int
) -> list[float]:
    """Share of the hardest that each round after the first picks, of a pool whose scores drift."""
    rng = np.random.default_rng(seed)
    drift, learned, kept = rng.normal(size=size), np.zeros(size), []
    lazy = LazyScores(size, share)
    for number in range(1, rounds + 1):
        if number > 1:
            noise = np.sqrt(1 - correlation**2) * rng.normal(size=size)
            drift = correlation * drift + noise
        odds = _OFFSET - _FALL * number + _SPREAD * drift - learned
        scores = 1 / (1 + np.exp(-odds))
        chosen = lazy.choose(number, num_picks, rng.permutation(size))
        lazy.update(number, chosen, scores[chosen])
        picks = chosen[np.argpartition(-scores[chosen], num_picks - 1)[:num_picks]]
        hardest = np.argpartition(-scores, num_picks - 1)[:num_picks]
        if number > 1:
            kept.append(len(np.intersect1d(picks, hardest)) / num_picks)
        lazy.mark_picks(number, picks)
        learned *= _REMEMBERED
        learned[picks] += _LEARNED
    return kept


if __name__ == '__main__':
    main()
