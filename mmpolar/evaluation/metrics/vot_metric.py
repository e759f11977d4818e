"""Accuracy, robustness and expected average overlap of the VOT challenge."""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmpolar.evaluation.functional import (
    AnchorRun,
    ResetRun,
    anchor_eao_curve,
    anchor_scores,
    eao_interval,
    eao_score,
    frames_per_second,
    mean_of_known,
    reset_eao_curve,
    reset_scores,
)
from mmpolar.evaluation.metrics.gathered_metric import GatheredMetric
from mmpolar.evaluation.sequence_report import check_out_file, format_table, write_report
from mmpolar.registry import METRICS
from mmpolar.utils.deprecation import renamed_keywords

_PROTOCOLS = ('reset', 'anchor')
#: Metrics of each protocol, in the order of the table.
COLUMNS = dict(
    reset=('accuracy', 'robustness', 'failures', 'failures_per_100', 'reliability', 'eao', 'fps'),
    anchor=('accuracy', 'robustness', 'eao', 'fps'),
)


@METRICS.register_module()
class VOTMetric(GatheredMetric):
    """``accuracy``, ``robustness`` and ``eao`` as VOT's toolkit computes them.

    A sample is one run of a tracker over one sequence, as ``VOTRun.to_sample`` gives it; the
    functions ``run_with_resets`` and ``run_from_anchor`` of ``mmpolar.evaluation.vot_runs`` make
    such runs. The processes may share the runs in any way. A run that came twice counts once; a
    sequence of which a run is missing is named in a warning and left out.

    With the protocol 'reset' the robustness is the number of failures of a sequence, less is
    better, and ``failures``, ``failures_per_100`` and ``reliability`` say the same in other units;
    see :class:`mmpolar.evaluation.functional.ResetScores`. With 'anchor' it is the share of the
    frames before the failure, more is better. ``fps`` is the mean speed of the runs.

    Args:
        protocol: 'reset' for VOT2013 to VOT2019, 'anchor' for VOT2020 to VOT2022.
        year: Year of the challenge, which fixes the interval of lengths of the EAO.
        interval: First and last length, for other data; without a year.
        out_file: Report to write, ``*.json``, with the metrics, the curve and the runs' overlaps. A
            table of the sequences goes into the ``.csv`` beside it. None writes nothing.
        **kwargs: See :class:`GatheredMetric`. The default prefix is ``vot``.

    Raises:
        ValueError: If the protocol is unknown, not exactly one of ``year`` and ``interval`` is
            given, or ``out_file`` does not end in .json.
    """

    default_prefix = 'vot'

    @renamed_keywords(outfile='out_file')
    def __init__(
        self,
        protocol: str,
        year: int | None = None,
        interval: tuple[int, int] | None = None,
        out_file: str | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if protocol not in _PROTOCOLS:
            raise ValueError(f'protocol must be one of {_PROTOCOLS}, got {protocol!r}')
        if (year is None) == (interval is None):
            raise ValueError(f'give either year or interval, got {year} and {interval}')
        self.protocol = protocol
        self.interval = tuple(interval) if year is None else eao_interval(protocol, year)
        self.out_file = check_out_file(out_file)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Take in runs.

        Args:
            data_batch: Not used.
            data_samples: Runs, of ``VOTRun.to_sample``.

        Raises:
            KeyError: If a sample is not a run.
        """
        wanted = {'video_name', 'video_length', 'run', 'num_runs', 'states', 'overlaps', 'present'}
        for sample in data_samples:
            missing = sorted(wanted - set(sample))
            if missing:
                raise KeyError(
                    f'a sample of {sample.get("video_name", "an unknown video")} lacks {missing}; '
                    'VOTMetric scores runs, see mmpolar.evaluation.vot_runs'
                )
            self.results.append(dict(sample))

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Score the sequences, log the table and write the report.

        Args:
            results: The runs.

        Returns:
            Metric name to value; empty if no sequence is complete.
        """
        runs, incomplete = _group(results)
        for name, (found, wanted) in incomplete.items():
            print_log(
                f'sequence {name!r} is left out of the evaluation: {found} of {wanted} runs came',
                logger='current',
                level=logging.WARNING,
            )
        sequences = [self._sequence(name, samples) for name, samples in runs.items()]
        means = self.average(list(runs.values())) if runs else {}
        means = {name: value for name, value in means.items() if not math.isnan(value)}
        if runs:
            print_log('\n' + format_table(sequences, means), logger='current')
        if self.out_file is not None:
            curve = self._curve(list(runs.values())).tolist() if runs else None
            write_report(
                self.out_file,
                sequences,
                means,
                COLUMNS[self.protocol],
                protocol=self.protocol,
                interval=list(self.interval),
                curve=curve,
                incomplete=sorted(incomplete),
            )
        return means

    def average(self, sequences: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, float]:
        """Metrics of all sequences together.

        Args:
            sequences: The runs of each, of ``VOTRun.to_sample``.

        Returns:
            Metric by name; one that no sequence has is NaN.
        """
        runs = self._runs(sequences)
        if self.protocol == 'reset':
            scores = vars(reset_scores(runs))
        else:
            lengths = [samples[0]['video_length'] for samples in sequences]
            scores = vars(anchor_scores(runs, lengths))
        speeds = [_speed(sample) for samples in sequences for sample in samples]
        eao = eao_score(self._curve(sequences), self.interval)
        return scores | dict(eao=eao, fps=mean_of_known(speeds))

    def _sequence(self, name: str, samples: list[dict]) -> dict[str, Any]:
        """A row of the report; the EAO makes sense for the whole dataset only."""
        values = {key: v for key, v in self.average([samples]).items() if key != 'eao'}
        kept = ('run', 'states', 'overlaps', 'seconds')
        return dict(
            video_name=name,
            n_frames=sum(len(sample['overlaps']) for sample in samples),
            values=values,
            runs=[{key: sample.get(key) for key in kept} for sample in samples],
        )

    def _curve(self, sequences: Sequence[Sequence[Mapping[str, Any]]]) -> np.ndarray:
        if self.protocol == 'reset':
            return reset_eao_curve(self._runs(sequences))
        return anchor_eao_curve(self._runs(sequences), self.interval[1])

    def _runs(
        self, sequences: Sequence[Sequence[Mapping[str, Any]]]
    ) -> list[list[ResetRun | AnchorRun]]:
        return [[self._run(sample) for sample in samples] for samples in sequences]

    def _run(self, sample: Mapping[str, Any]) -> ResetRun | AnchorRun:
        overlaps = np.array(sample['overlaps'])
        if self.protocol == 'reset':
            return ResetRun(overlaps, np.array(sample['states']))
        return AnchorRun(overlaps, np.array(sample['present'], dtype=bool))


def _speed(sample: Mapping[str, Any]) -> float:
    return frames_per_second(sample['seconds']) if sample.get('seconds') else math.nan


def _group(results: list[dict]) -> tuple[dict[str, list[dict]], dict[str, tuple[int, int]]]:
    """Runs of each complete sequence in order, and how many the others have and want."""
    found: dict[str, dict[int, dict]] = {}
    for sample in results:
        found.setdefault(sample['video_name'], {}).setdefault(sample['run'], sample)
    complete, incomplete = {}, {}
    for name, runs in sorted(found.items()):
        wanted = next(iter(runs.values()))['num_runs']
        if len(runs) == wanted:
            complete[name] = [runs[number] for number in sorted(runs)]
        else:
            incomplete[name] = len(runs), wanted
    return complete, incomplete
