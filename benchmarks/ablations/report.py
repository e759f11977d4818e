"""What the runs of an ablation reached: metrics by arm, and the tables that show them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.ablations.all_arms import ARMS, BASE
from benchmarks.shared.spread import cell, spread
from mmpolar.utils.tables import text_table, write_csv, write_json

RESULT_FILE = 'result.json'
#: Metrics of TrackSegMetric in the tables, and what Markdown calls them; the first that there is
#: is compared with the base's.
METRICS = dict(
    J='J',
    F='F',
    J_and_F='J&F',
    iou='box IoU',
    success='box success',
    J_box='J of the box',
    ceiling='ceiling of J',
)
_DIFFERENCE = 'difference'
#: Name of the part of a page that the Markdown table is written to, by what is trained.
PAGE_PARTS = dict(Ocean='ablation table', MaskStage='mask stage ablation table')


@dataclass(frozen=True)
class RunResult:
    """What a run reached.

    Attributes:
        updates: Updates of the weights, of all stages.
        pairs: Pairs of crops that they took.
        seconds: Time of training, mining and testing; None if the run was interrupted.
        metrics: Metrics, without their prefix.
    """

    updates: int
    pairs: int
    seconds: float | None
    metrics: dict[str, float]

    @classmethod
    def read(cls, folder: Path) -> 'RunResult':
        """The result in a run's folder."""
        content = json.loads((folder / RESULT_FILE).read_text())
        if 'figures' in content:  # as runs of the last release wrote it
            content['metrics'] = content.pop('figures')
        return cls(*(content[name] for name in cls.__dataclass_fields__))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for :meth:`read`."""
        return asdict(self)


@dataclass(frozen=True)
class ArmSummary:
    """An arm's metrics over its seeds.

    Attributes:
        arm: Name of the arm.
        seeds: Seeds of its runs.
        metrics: Mean and sample standard deviation of each metric that all its runs have.
        difference: Of the compared metric minus the base's, taken seed by seed, over the seeds
            that both have; None for the base itself, and where there are no such seeds.
    """

    arm: str
    seeds: list[int]
    metrics: dict[str, dict[str, float | None]]
    difference: dict[str, float | None] | None


def summarize(results: Mapping[str, Mapping[int, RunResult]]) -> list[ArmSummary]:
    """Metrics of each arm, in the order of :data:`ARMS`.

    Args:
        results: Results by arm and seed, at least one.

    Raises:
        ValueError: If runs differ in updates or pairs, or have no metric in common.
    """
    _check_budgets(results)
    metric = compared_metric(results)
    base = results.get(BASE, {})
    summaries = []
    for arm in (arm for arm in ARMS if results.get(arm)):
        runs = results[arm]
        common = set.intersection(*(set(run.metrics) for run in runs.values()))
        differences = [
            run.metrics[metric] - base[seed].metrics[metric]
            for seed, run in runs.items()
            if arm != BASE and seed in base
        ]
        summaries.append(
            ArmSummary(
                arm=arm,
                seeds=list(runs),
                metrics={
                    name: spread([run.metrics[name] for run in runs.values()])
                    for name in METRICS
                    if name in common
                },
                difference=spread(differences) if differences else None,
            )
        )
    return summaries


def compared_metric(results: Mapping[str, Mapping[int, RunResult]]) -> str:
    """The first of :data:`METRICS` that all runs have.

    Raises:
        ValueError: If there is none.
    """
    runs = [run.metrics for by_seed in results.values() for run in by_seed.values()]
    for name in METRICS:
        if all(name in metrics for metrics in runs):
            return name
    raise ValueError(
        f'the runs have none of the metrics {list(METRICS)} in common: test_evaluator must be '
        'TrackSegMetric'
    )


def write_tables(
    folder: Path, results: Mapping[str, Mapping[int, RunResult]], details: Mapping[str, Any]
) -> str:
    """Write results.txt, .json, .csv and .md.

    Args:
        folder: Folder for them.
        results: Results by arm and seed, at least one.
        details: Further entries of the JSON file.

    Returns:
        The table for the terminal.
    """
    summaries = summarize(results)
    metric = compared_metric(results)
    text = terminal_table(summaries, metric)
    (folder / 'results.txt').write_text(text + '\n', encoding='utf-8')
    (folder / 'results.md').write_text(markdown(summaries, results), encoding='utf-8')
    write_csv(folder / 'results.csv', *csv_table(summaries))
    report = dict(
        details,
        compared_metric=metric,
        arms=[
            dict(
                asdict(summary),
                question=ARMS[summary.arm].question,
                runs=[dict(run.to_dict(), seed=seed) for seed, run in results[summary.arm].items()],
            )
            for summary in summaries
        ],
    )
    write_json(folder / 'results.json', report)
    return text


def terminal_table(summaries: Sequence[ArmSummary], metric: str) -> str:
    """A row an arm: mean and deviation of each metric, and how far one of them is from the base's."""
    names = _names_of(summaries)
    rows = [
        [
            summary.arm,
            *(_cell(summary.metrics.get(name)) for name in names),
            _cell(summary.difference, sign=True),
            len(summary.seeds),
        ]
        for summary in summaries
    ]
    return text_table(['arm', *names, f'{metric} - base', 'seeds'], rows)


def csv_table(summaries: Sequence[ArmSummary]) -> tuple[list[str], list[list[str | int | float]]]:
    """Header and rows with means and deviations apart; NaN where there is none."""
    names = [*_names_of(summaries), _DIFFERENCE]
    header = [f'{name}_{part}' for name in names for part in ('mean', 'std')]
    rows = []
    for summary in summaries:
        values = dict(summary.metrics, **{_DIFFERENCE: summary.difference})
        rows.append([summary.arm, len(summary.seeds)])
        for name in names:
            value = values.get(name) or dict(mean=None, std=None)
            rows[-1] += [_or_nan(value['mean']), _or_nan(value['std'])]
    return ['arm', 'seeds', *header], rows


def markdown(
    summaries: Sequence[ArmSummary], results: Mapping[str, Mapping[int, RunResult]]
) -> str:
    """The table for a page, and a line that says how it came about."""
    names = [name for name in _names_of(summaries) if name != 'J_and_F']
    metric = compared_metric(results)
    titles = [
        'arm',
        'what it asks',
        *(METRICS[name] for name in names),
        f'{METRICS[metric]} minus that of `{BASE}`',
    ]
    lines = ['| ' + ' | '.join(titles) + ' |', '|---' * len(titles) + '|']
    for summary in summaries:
        cells = [
            f'`{summary.arm}`',
            ARMS[summary.arm].question,
            *(_cell(summary.metrics.get(name)) for name in names),
            _cell(summary.difference, sign=True),
        ]
        lines.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join([*lines, '', _how(summaries, results)]) + '\n'


def _how(summaries: Sequence[ArmSummary], results: Mapping[str, Mapping[int, RunResult]]) -> str:
    run = next(iter(results[summaries[0].arm].values()))
    seeds = sorted({seed for summary in summaries for seed in summary.seeds})
    listed = ', '.join(map(str, seeds))
    over = (
        f'Mean ± sample standard deviation over the seeds {listed}; differences are taken seed by seed.'
        if len(seeds) > 1
        else f'One seed ({listed}): nothing is known of the spread.'
    )
    return f'Each run: {run.updates} updates with {run.pairs} pairs. {over}'


def _check_budgets(results: Mapping[str, Mapping[int, RunResult]]) -> None:
    budgets = {
        f'{arm}-{seed}': (run.updates, run.pairs)
        for arm, runs in results.items()
        for seed, run in runs.items()
    }
    if len(set(budgets.values())) > 1:
        listed = ', '.join(f'{name} {u} with {p}' for name, (u, p) in budgets.items())
        raise ValueError(
            f'the runs differ in updates with pairs ({listed}) and cannot be compared; do them '
            'again with one budget, into another --out'
        )


def _names_of(summaries: Sequence[ArmSummary]) -> list[str]:
    """Metrics that any arm has."""
    return [name for name in METRICS if any(name in one.metrics for one in summaries)]


def _cell(value: Mapping[str, float | None] | None, sign: bool = False) -> str:
    return '' if value is None else cell(value, 3, sign)


def _or_nan(value: float | None) -> float:
    return float('nan') if value is None else value
