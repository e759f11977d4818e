"""Run a tracker in VOT's protocols without the toolkit, into files that the toolkit reads. See ``--help``."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mmpolar.apis import init_tracker
from mmpolar.cli.arguments import add_device_argument, tool_parser
from mmpolar.cli.errors import report_error
from mmpolar.cli.submissions import print_issues
from mmpolar.datasets import VOTDataset
from mmpolar.evaluation.functional import EAO_INTERVALS, eao_interval, pixel_overlap
from mmpolar.evaluation.metrics import VOTMetric
from mmpolar.evaluation.submissions import (
    BENCHMARKS,
    ExpectedSequence,
    VOTSubmission,
    check_submission,
    expected_sequences,
    read_run,
    time_lines,
    trajectory_lines,
)
from mmpolar.evaluation.vot_runs import Overlap, VOTRun, run_from_anchor, run_with_resets
from mmpolar.structures.vot_region import Region, region_box, result_region
from mmpolar.tracking import SingleTargetTracker
from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.file_names import check_path_parts
from mmpolar.utils.image import read_image, read_image_size
from mmpolar.utils.outputs import check_outputs
from mmpolar.utils.progress import progress_bar

DESCRIPTION = """\
Run a tracker through a short-term set of the VOT challenge and write what it answers as VOT's toolkit
keeps it in a workspace. Runs that are there already are not repeated: interrupt and start again as you
like. In the end the files are checked and, with --year, scored. An entry to a challenge itself must be
run by the toolkit: tools/vot."""
EPILOG = """\
examples
  python tools/submissions/run_vot.py CONFIG CHECKPOINT data/vot2018 --protocol reset --year 2018 \\
      --region box --out workspace/results/OceanPolar/baseline
  python tools/submissions/run_vot.py CONFIG CHECKPOINT data/vot2022 --protocol anchor --year 2022 \\
      --out workspace/results/OceanPolar/baseline

exit code: 0 all is well, 1 the files have errors, 2 nothing could be run

more: docs/submissions.md
"""
REGIONS = ('box', 'mask')


@dataclass(frozen=True)
class Job:
    """One run of a sequence that is to be made.

    Attributes:
        sequence: The sequence.
        gt_regions: True region of each of its frames.
        stem: Path of the run's files without their endings.
        frames: Numbers of the frames, in the order in which the tracker sees them.
    """

    sequence: ExpectedSequence
    gt_regions: list[Region]
    stem: Path
    frames: np.ndarray

    @property
    def files(self) -> tuple[Path, Path]:
        """The files of regions and times."""
        return Path(f'{self.stem}.txt'), Path(f'{self.stem}_time.value')

    @property
    def overlap(self) -> Overlap:
        """How answers are compared with the ground truth."""
        return partial(pixel_overlap, size=read_image_size(self.sequence.frames[0]))


def main(argv: Sequence[str] | None = None) -> int:
    """Run as the arguments say; returns the exit status."""
    args = parse_args(argv)
    submission = BENCHMARKS[f'vot_{args.protocol}']()
    try:
        check_outputs({'--out': args.out}, {'the sequences': args.data_root})
        dataset = VOTDataset(args.data_root)
        sequences = expected_sequences(dataset)
        jobs = list(list_jobs(submission, dataset, sequences, args.out))
        tracker = init_tracker(args.config, args.checkpoint, args.device)
        if args.region == 'mask' and tracker.engine.n_rays is None:
            raise ValueError('this model draws no contour: say --region box')
    except (OSError, ValueError) as error:
        return report_error(error)
    for job in progress_bar(jobs, desc='tracking', unit='run'):
        if not all(path.is_file() for path in job.files):
            write_run(job, run_job(job, tracker, args.region, submission))
    if args.year is not None:
        score(jobs, submission, args.year)
    return int(print_issues(check_submission(submission, sequences, args.out), notes=True))


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG)
    parser.add_argument('config', help='config of the tracker')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('data_root', help='folder of the sequences, with list.txt')
    parser.add_argument(
        '--protocol',
        choices=('reset', 'anchor'),
        required=True,
        help='reset: start again after failures, VOT2013 to VOT2019, three times; anchor: from '
        'anchors to the ends, VOT2020 to VOT2022',
    )
    parser.add_argument(
        '--out',
        type=Path,
        required=True,
        help='folder of the experiment: results/<tracker>/<experiment> of a workspace',
    )
    parser.add_argument(
        '--region', choices=REGIONS, default='mask', help='what is answered (default: %(default)s)'
    )
    add_device_argument(parser)
    parser.add_argument(
        '--year',
        type=int,
        choices=sorted(EAO_INTERVALS),
        help="print accuracy, robustness and EAO with this year's interval of lengths",
    )
    args = parser.parse_args(argv)
    if args.year is not None:
        try:
            eao_interval(args.protocol, args.year)
        except ValueError as error:
            parser.error(str(error))
    return args


def list_jobs(
    submission: VOTSubmission,
    dataset: VOTDataset,
    sequences: Sequence[ExpectedSequence],
    out: Path,
) -> Iterator[Job]:
    """All runs of all sequences.

    Raises:
        OSError: If a file of regions cannot be read.
        ValueError: If the protocol wants anchors and a sequence has none, or the name of a sequence
            leads out of the folder.
    """
    for number, sequence in enumerate(sequences):
        gt_regions = dataset.read_regions(dataset.get_track(number))
        for stem, frames in submission.runs(sequence).items():
            check_path_parts(stem, 'a run')
            yield Job(sequence, gt_regions, out / stem, frames)


def run_job(job: Job, tracker: SingleTargetTracker, kind: str, submission: VOTSubmission) -> VOTRun:
    """Run the tracker; reading an image counts into the time of its frame, as in the toolkit."""

    def start(frame: int) -> None:
        tracker.init(read_image(job.sequence.frames[frame]), region_box(job.gt_regions[frame]))

    def step(frame: int) -> Region:
        return result_region(tracker.step(read_image(job.sequence.frames[frame])), kind)

    if submission.anchored:
        return run_from_anchor(job.gt_regions, job.frames, start, step, job.overlap)
    return run_with_resets(job.gt_regions, start, step, job.overlap, submission.skip)


def write_run(job: Job, run: VOTRun) -> None:
    """Write the files of a run, that of the regions last: with it the run is complete."""
    regions, times = job.files
    atomic_write(times, time_lines(run))
    atomic_write(regions, trajectory_lines(run))


def score(jobs: Sequence[Job], submission: VOTSubmission, year: int) -> None:
    """Read the runs back, and log the metrics that VOTMetric computes of them."""
    metric = VOTMetric('anchor' if submission.anchored else 'reset', year=year)
    for sequence_jobs in group_by_sequence(jobs):
        for number, job in enumerate(sequence_jobs):
            regions, times = (path.read_text() for path in job.files)
            run = read_run(regions, times, job.gt_regions, job.overlap, job.frames)
            length = len(job.sequence.frames)
            sample = run.to_sample(job.sequence.name, length, number, len(sequence_jobs))
            metric.process(None, [sample])
    metric.evaluate(size=len(jobs))


def group_by_sequence(jobs: Sequence[Job]) -> list[list[Job]]:
    """The runs of each sequence."""
    grouped: dict[str, list[Job]] = {}
    for job in jobs:
        grouped.setdefault(job.sequence.name, []).append(job)
    return list(grouped.values())


if __name__ == '__main__':
    raise SystemExit(main())
