"""What reviewers get of a mining round, and what comes back from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.runner import Runner

from mmpolar.mining.all_ranks import on_all_ranks
from mmpolar.mining.candidate import write_candidates
from mmpolar.mining.review import Alarm, Decision, read_decisions, write_review_page, write_targets
from mmpolar.mining.round_candidates import RoundCandidates
from mmpolar.utils.abridged import abridged
from mmpolar.utils.checks import check_at_least
from mmpolar.utils.progress import progress_bar

#: Folder of decisions and file of targets, in the folder of the reports.
DECISIONS, TARGETS = 'decisions', 'targets.json'


@dataclass(frozen=True)
class RoundReview:
    """Writes a page for reviewers in each round, and reads their decisions in the next one.

    In ``mining`` of the work directory, ``round_0001.html`` is the page, ``round_0001.jsonl`` has what it
    shows, the ``.jsonl`` files in ``decisions`` are read, and ``targets.json`` has what was decided to be
    a target, in COCO's format.

    Attributes:
        num_alarms: Alarms on a page, the hardest ones and all suspects among the candidates, at least
            1.
        decisions: Further files and folders with decisions.

    Raises:
        ValueError: If ``num_alarms`` is less than 1.
    """

    num_alarms: int = 500
    decisions: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_at_least(1, num_alarms=self.num_alarms)

    def read(
        self, runner: Runner, classes: Sequence[str], before: dict[str, Decision]
    ) -> dict[str, Decision]:
        """The decisions by key; the main process reads them, and writes the targets among them.

        Args:
            runner: The runner.
            classes: Names of the detector's classes.
            before: The decisions of the round before, which stay where a file cannot be read.
        """
        return on_all_ranks(lambda: self._read(runner, classes, before))[0] or {}

    def _read(
        self, runner: Runner, classes: Sequence[str], before: dict[str, Decision]
    ) -> dict[str, Decision] | None:
        if not is_main_process():
            return None
        folder = Path(runner.work_dir) / 'mining'
        try:
            made = read_decisions(folder / DECISIONS, *self.decisions)
            left_out = write_targets(folder / TARGETS, made.values(), classes)
        except (OSError, ValueError) as error:
            # A slip in a file that somebody saves while the model trains must not end the training.
            runner.logger.warning(f'decisions of the review are not used in this round: {error}')
            return before
        if left_out:
            named = [f'{key} ({why})' for key, why in left_out.items()]
            runner.logger.warning(
                f'{len(named)} reviewed targets are left out: {abridged(named, 5)}'
            )
        return made

    def write(
        self, runner: Runner, number: int, hardest: RoundCandidates, made: dict[str, Decision]
    ) -> None:
        """Write the page of a round and the list of what it shows.

        Args:
            runner: The runner.
            number: Number of the round.
            hardest: Candidates, hardest first.
            made: Decisions by key.
        """
        if not is_main_process():
            return
        alarms = [
            Alarm(one, tuple(tuple(box) for box in seen.bboxes[1:].tolist()))
            for position, (one, seen) in enumerate(
                zip(hardest.candidates, hardest.detections, strict=True)
            )
            if position < self.num_alarms or one.reasons
        ]
        stem = Path(runner.work_dir) / 'mining' / f'round_{number:04d}'
        try:
            write_candidates(stem.with_suffix('.jsonl'), [alarm.candidate for alarm in alarms])
            with progress_bar(total=len(alarms), desc='review page', leave=False) as bar:
                write_review_page(
                    stem.with_suffix('.html'),
                    alarms,
                    f'Mining round {number}',
                    made,
                    on_progress=bar.update,
                )
        except OSError as error:
            # The picks are in use already: a full disk must not end the training here.
            runner.logger.warning(f'the review page of mining round {number} is lost: {error}')
