"""Writes the report of each mining round: log, scalars, a JSON file and a sheet of images."""

from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.runner import Runner

from mmpolar.mining.reports.false_alarm_sheet import draw_alarm_sheet, short_name
from mmpolar.mining.reports.round_report import INFO_KEY, RoundReport
from mmpolar.mining.scoring.hardest_samples import SampleDetections
from mmpolar.utils.atomic_write import atomic_write
from mmpolar.utils.checks import check_at_least
from mmpolar.utils.image import write_image


class RoundReporter:
    """Writes the report of each mining round.

    Args:
        num_sheet_images: Negatives on the contact sheet, at least 0; 0 for no sheet.

    Raises:
        ValueError: If ``num_sheet_images`` is negative.
    """

    def __init__(self, num_sheet_images: int) -> None:
        check_at_least(0, num_sheet_images=num_sheet_images)
        self.num_sheet_images = num_sheet_images

    def write(
        self, runner: Runner, report: RoundReport, detections: dict[int, SampleDetections]
    ) -> None:
        """Write one line to the log, scalars, ``round_0001.json`` and ``round_0001.jpg``.

        The files go into ``mining`` in the work directory.

        Args:
            runner: The runner.
            report: Report of the round.
            detections: What the model detected in the hardest negatives, by index in the pool;
                without, there is no sheet.
        """
        runner.message_hub.update_info(INFO_KEY, dict(round=report.round, **report.summary()))
        if not is_main_process():
            return
        runner.logger.info(report.log_line())
        scalars = {f'{INFO_KEY}/{name}': value for name, value in report.summary().items()}
        runner.visualizer.add_scalars(scalars, step=runner.iter)
        try:
            self._write_files(Path(runner.work_dir) / 'mining', report, detections)
        except OSError as error:
            # The picks are in use already: a full disk must not end the training here.
            runner.logger.warning(f'the report of mining round {report.round} is lost: {error}')

    def _write_files(
        self, folder: Path, report: RoundReport, detections: dict[int, SampleDetections]
    ) -> None:
        stem = folder / f'round_{report.round:04d}'
        atomic_write(stem.with_suffix('.json'), report.to_json())
        shown = [
            (detections[pick.index], f'{rank}: {pick.score:.3f} {short_name(pick.key)}')
            for rank, pick in enumerate(report.picks[: self.num_sheet_images], start=1)
            if pick.round == report.round and pick.index in detections
        ]
        sheet = draw_alarm_sheet(*zip(*shown, strict=True)) if shown else None
        if sheet is not None:
            write_image(stem.with_suffix('.jpg'), sheet)
