"""Train and test the tracker with one thing changed at a time. See ``--help``."""

import argparse
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress
from pathlib import Path

from mmengine.config import Config
from tqdm import tqdm

from benchmarks.ablations.all_arms import ARMS, BASE
from benchmarks.ablations.arms import Arm
from benchmarks.ablations.plan import Budget, count_updates, place_stages, stage_configs
from benchmarks.ablations.report import (
    PAGE_PARTS,
    RESULT_FILE,
    RunResult,
    compared_metric,
    write_tables,
)
from benchmarks.ablations.worker import BEGUN_FILE, read_progress, train_and_test
from benchmarks.shared.config_nodes import differences, nodes_of_type
from benchmarks.shared.marked_part import MarkedPart
from benchmarks.shared.runs import (
    call_logged,
    do_runs,
    end_if_failed,
    fingerprint,
    has_mark,
    python_module,
    write_mark,
)
from mmpolar.cli.arguments import check_counts, tool_parser
from mmpolar.cli.errors import run_or_explain
from mmpolar.cli.inputs import read_plain_config
from mmpolar.cli.training import add_cfg_options, require_sections
from mmpolar.utils.progress import progress_bar
from mmpolar.utils.shared_values import type_of

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/ablation/ocean-polar_effnet-lite0_ablation.py'
SECTIONS = ('train_dataloader', 'train_cfg', 'optim_wrapper', 'test_dataloader', 'test_evaluator')
DONE, BEGUN, OUTDATED, NEW = 'done', 'begun', 'done or begun with other settings', 'to do'

DESCRIPTION = """\
Train and test a tracker, or a mask stage, with one thing changed at a time: what does each part add?

Each arm changes one thing in the base config (--list names them and what they ask, --dry-run shows every
changed entry). All arms make the same number of updates with the same number of pairs, by the same
schedule and from the same seed, and are tested on the config's test data, a mask stage in the released
tracker that its config names; the two stages of "two-stages" share the budget of the others. One run
follows the other; all arms with the first seed come first.

In --out: results.txt (the table that is printed at the end), results.json (every metric of every run),
results.csv, results.md (for a page), and runs/<arm>-<seed>/ with result.json, test.json (metrics of each
sequence), log.txt, and a folder with config, log and weights for each stage. Values are means and sample
standard deviations over the seeds; the last column is the difference to the base with the same seed.

Start the command again after an interruption: a run that has a result is not repeated, one that was
interrupted goes on from its last epoch. A run whose settings have changed is done again."""

EPILOG = """\
examples:
  python -m benchmarks.ablations --list
  python -m benchmarks.ablations --dry-run --arms rays-18 two-stages
  python -m benchmarks.ablations --seeds 0 1 2
  a longer look at two arms, tested on videos of your own:
    python -m benchmarks.ablations --arms base no-refinement --epochs 12 \\
        --pairs-per-epoch 4096 --out work_dirs/ablation_refinement --cfg-options \\
        test_dataloader.dataset.data_root=data/mine/val
  a mask stage, tested in the packaged tracker:
    python -m benchmarks.ablations --config \\
        configs/ablation/mask-stage_effnet-lite0_ablation.py --out work_dirs/ablation_mask_stage
  put the table into the page:
    python -m benchmarks.ablations --seeds 0 1 2 --page docs/ablations.md"""


@dataclass(frozen=True)
class Run:
    """One training of the ablation, in one stage or more."""

    arm: str
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f'{self.arm}-{self.seed}'


@dataclass(frozen=True)
class Job:
    """What is to be done for a run.

    Attributes:
        folder: Folder of the run.
        stages: Config of each stage, in the order of training.
    """

    folder: Path
    stages: list[Config]

    @property
    def fingerprint(self) -> str:
        """What tells its settings from others, wherever the folder is."""
        return fingerprint([cfg.to_dict() for cfg in self.stages])

    @property
    def state(self) -> str:
        """How far it has come."""
        own = self.fingerprint
        if has_mark(self.folder / RESULT_FILE, own):
            return DONE
        if has_mark(self.folder / BEGUN_FILE, own):
            return BEGUN
        return OUTDATED if (self.folder / BEGUN_FILE).is_file() else NEW


def main(argv: Sequence[str] | None = None) -> None:
    """Do what the arguments say; ``argv`` defaults to those of the command line."""
    args = parse_args(argv)
    if args.worker is not None:
        train_and_test(args.worker, args.updates)
    elif args.list:
        for arm in ARMS.values():
            print(f'{arm.name:17s} {arm.model or "any":10s} {arm.question}')
    else:
        run_or_explain(run, args)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG, 'python -m benchmarks.ablations')
    parser.add_argument(
        '--arms',
        nargs='+',
        choices=ARMS,
        metavar='ARM',
        help='arms to run, see --list (default: all that are about the model of the config); without '
        '"base" there is nothing to compare with',
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[0], help='default: 0')
    parser.add_argument('--epochs', type=int, help="epochs of a run (default: the config's)")
    parser.add_argument(
        '--pairs-per-epoch',
        type=int,
        help="training pairs in an epoch, or groups of three views for a mask stage (default: the config's)",
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('work_dirs/ablation'),
        metavar='DIR',
        help='folder of runs and results (default: work_dirs/ablation)',
    )
    parser.add_argument('--list', action='store_true', help='say what each arm asks, and end')
    parser.add_argument(
        '--dry-run',
        action='store_true',
        help='say what each arm changes in the base config and which runs are done, and end',
    )
    parser.add_argument(
        '--page',
        type=Path,
        metavar='FILE',
        help='Markdown page whose table is replaced, e.g. docs/ablations.md',
    )
    parser.add_argument('--config', default=str(CONFIG), help='base config (default: %(default)s)')
    add_cfg_options(parser, 'change entries of the base config, in all arms')
    parser.add_argument('--worker', type=Path, help=argparse.SUPPRESS)
    parser.add_argument('--updates', type=int, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if min(args.seeds) < 0:
        parser.error(f'--seeds must not be negative, got {min(args.seeds)}')
    check_counts(args, parser, 'epochs', 'pairs_per_epoch')
    args.seeds = list(dict.fromkeys(args.seeds))
    args.out = args.out.resolve()
    return args


def run(args: argparse.Namespace) -> None:
    """Do the runs that are not done yet, then write the tables."""
    base, budget = read_base(args)
    jobs = plan(base, budget, args)
    if args.dry_run:
        explain(jobs, stage_configs(base, ARMS[BASE], budget, args.seeds[0])[0])
        return
    part = None if args.page is None else page_part(base, args)
    if part is not None:
        part.split()  # what is wrong with it shall be known before hours of training
    failed = do_missing(jobs)
    done = {run: job for run, job in jobs.items() if run not in failed}
    if done:
        print(write_results(done, args, part))
        print(f'results.txt, .json, .csv and .md are in {args.out}')
    end_if_failed(failed)


def read_base(args: argparse.Namespace) -> tuple[Config, Budget]:
    """The base config, and the budget of each run.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If it does not train pairs or has no TrackSegMetric.
    """
    base = read_plain_config(args)
    require_sections(base, args.config, SECTIONS, 'an ablation')
    if not any(nodes_of_type(base.test_evaluator, 'TrackSegMetric')):
        raise ValueError(f'test_evaluator of {args.config} must be, or hold, a TrackSegMetric')
    own = Budget.of(base)
    return base, Budget(args.epochs or own.epochs, args.pairs_per_epoch or own.pairs_per_epoch)


def plan(base: Config, budget: Budget, args: argparse.Namespace) -> dict[Run, Job]:
    """All runs that the arguments ask for, all arms of a seed before the next seed.

    Raises:
        ValueError: If the budget or an arm cannot be used.
    """
    fitting = [arm for arm in ARMS.values() if arm.fits(base)]
    wanted = args.arms or [arm.name for arm in fitting]
    unfit = sorted(set(wanted) - {arm.name for arm in fitting})
    if unfit:
        raise ValueError(
            f'{", ".join(unfit)} cannot be tried with a {type_of(base.model)}; give the --config of '
            f'a model that --list names, or arms of {[arm.name for arm in fitting]}'
        )
    [unchanged] = stage_configs(base, ARMS[BASE], budget, args.seeds[0])
    arms = [arm for arm in fitting if arm.name in wanted]
    different = [
        arm.name == BASE
        or is_different(arm, stage_configs(base, arm, budget, args.seeds[0]), unchanged)
        for arm in arms
    ]
    return {
        Run(arm.name, seed): Job(
            args.out / 'runs' / Run(arm.name, seed).name, stage_configs(base, arm, budget, seed)
        )
        for seed in args.seeds
        for arm in compress(arms, different)
    }


def is_different(arm: Arm, stages: Sequence[Config], unchanged: Config) -> bool:
    """Whether an arm changes anything in the base config; says so if it does not."""
    if len(stages) > 1 or stages[0].to_dict() != unchanged.to_dict():
        return True
    print(f'{arm.name} is left out: the base config is so already, or lacks what it changes')
    return False


def explain(jobs: Mapping[Run, Job], unchanged: Config) -> None:
    """Print what each arm asks and changes, its budget, and how far its runs are.

    Args:
        jobs: The runs.
        unchanged: The base's config with the first seed.
    """
    by_arm: dict[str, dict[int, Job]] = {}
    for each, job in jobs.items():
        by_arm.setdefault(each.arm, {})[each.seed] = job
    for arm, by_seed in by_arm.items():
        print(f'{arm}: {ARMS[arm].question}')
        job = next(iter(by_seed.values()))
        for number, cfg in enumerate(job.stages, start=1):
            if len(job.stages) > 1:
                print(f'  stage {number} of {len(job.stages)}')
            for line in differences(unchanged.to_dict(), cfg.to_dict()):
                print(f'    {line}')
        updates = count_updates(job.stages)
        pairs = updates * job.stages[0].train_dataloader.batch_size
        states = ', '.join(f'seed {seed} {one.state}' for seed, one in by_seed.items())
        print(f'  {updates} updates with {pairs} pairs; {states}\n')


def do_missing(jobs: Mapping[Run, Job]) -> list[Run]:
    """Do those runs that are not done, one after the other; gives those that failed."""
    states = {run: job.state for run, job in jobs.items()}
    counts = {state: list(states.values()).count(state) for state in (DONE, BEGUN, OUTDATED)}
    told = ', '.join(f'{count} {state} before' for state, count in counts.items() if count)
    print(f'{len(jobs)} runs' + (f', {told}' if told else ''))
    return do_runs(
        {run: job for run, job in jobs.items() if states[run] != DONE},
        do_job,
        log_of=lambda run: jobs[run].folder / 'log.txt',
        describe=lambda run: in_words(RunResult.read(jobs[run].folder)),
    )


def do_job(run: Run, job: Job) -> int:
    """Do a run in a process of its own; gives its exit status."""
    prepare(job)
    total = count_updates(job.stages)
    command = [*python_module('benchmarks.ablations'), '--worker', str(job.folder)]
    command += ['--updates', str(total)]
    with progress_bar(total=total, leave=False) as bar:
        return call_logged(command, job.folder / 'log.txt', take=partial(show, bar, run.name))


def prepare(job: Job) -> None:
    """Make the folder of a run, with the configs of its stages; what is outdated goes."""
    own = job.fingerprint
    if job.state == OUTDATED:
        shutil.rmtree(job.folder)
    write_mark(job.folder / BEGUN_FILE, own)
    place_stages(job.stages, job.folder)


def show(bar: tqdm, name: str, line: str) -> bool:
    """Bring the progress bar to what a line of the run tells; False if it tells nothing."""
    told = read_progress(line)
    if told is None:
        return False
    task, done, total = told
    if task == 'test' and bar.total != total:
        bar.reset(total)
    bar.set_description(f'{name}, {task}', refresh=False)
    bar.update(done - bar.n)
    return True


def in_words(result: RunResult) -> str:
    metric = compared_metric({BASE: {0: result}})
    return f'{metric} {result.metrics[metric]:.3f} after {result.updates} updates'


def page_part(base: Config, args: argparse.Namespace) -> MarkedPart:
    """The part of the page that has the table of what is trained."""
    return MarkedPart(args.page, PAGE_PARTS[type_of(base.model)])


def write_results(
    jobs: Mapping[Run, Job], args: argparse.Namespace, part: MarkedPart | None
) -> str:
    """Write the tables, and fill the part of a page if one is given; the table for the terminal."""
    results: dict[str, dict[int, RunResult]] = {}
    for each, job in jobs.items():
        results.setdefault(each.arm, {})[each.seed] = RunResult.read(job.folder)
    text = write_tables(args.out, results, dict(config=args.config, cfg_options=args.cfg_options))
    if part is not None:
        table = (args.out / 'results.md').read_text(encoding='utf-8')
        part.page.write_text(part.replaced(table), encoding='utf-8')
    return text


if __name__ == '__main__':
    main()
