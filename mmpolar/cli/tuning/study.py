"""What a study of Optuna is about, and what it has found."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import optuna
from matplotlib import pyplot, rc_context
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState
from optuna.visualization import matplotlib as plots

from mmpolar.cli.tuning.objective import rounded
from mmpolar.utils.image import write_image

#: Attribute of the trial that has the config's own values.
BASELINE = 'baseline'
#: States of a trial that ended, be it that it was given up.
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
#: A trial whose process gave no sign of life for so long is given up (data bases only).
_HEARTBEAT_SECONDS = 60
#: Names of facts in studies of the last release.
_NEW_FACTS = dict(figure='value_name')
_PANEL_INCHES = (3.6, 3.2)


def open_storage(location: str) -> BaseStorage:
    """Where trials are kept.

    Args:
        location: A file ending in .db or .sqlite for an SQLite data base, any other file for
            Optuna's journal, or the URL of a data base, which several machines can share.
    """
    path = Path(location)
    if '://' not in location:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix not in ('.db', '.sqlite', '.sqlite3'):
            return JournalStorage(JournalFileBackend(location))
        # Writers wait for each other instead of failing.
        location = f'sqlite:///{location}?timeout={_HEARTBEAT_SECONDS}'
    return RDBStorage(location, heartbeat_interval=_HEARTBEAT_SECONDS)


def claim_study(study: optuna.Study, facts: Mapping[str, Any]) -> None:
    """Note what the values of a study depend on besides the tuned parameters.

    Raises:
        ValueError: If earlier runs noted something else.
    """
    known = {_NEW_FACTS.get(name, name): value for name, value in study.user_attrs.items()}
    changed = [
        f'{name} was {known[name]!r}, now {value!r}'
        for name, value in facts.items()
        if known.get(name, value) != value
    ]
    if changed:
        raise ValueError(
            f'study "{study.study_name}" measures something else: {"; ".join(changed)}. Choose '
            'another --study-name or --storage'
        )
    for name in facts.keys() - known.keys():
        study.set_user_attr(name, facts[name])


def enqueue_baseline(study: optuna.Study, values: Mapping[str, Any]) -> None:
    """Give the next trial the config's own values, if the study does not know them yet."""
    trials = study.get_trials(False, (TrialState.COMPLETE, TrialState.WAITING))
    if not any(BASELINE in trial.user_attrs for trial in trials):
        study.enqueue_trial(dict(values), {BASELINE: True})


def ended_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that went to the end or were given up."""
    return study.get_trials(False, _ENDED)


def read_result(study: optuna.Study) -> dict[str, Any]:
    """What the study has found so far; nothing if no trial has gone to its end.

    Returns:
        ``baseline``, the value with the config's own parameters, None if not measured yet;
        ``value``, the best one; ``values``, the parameters of the best ``trial``, empty if that is
        the config's own; how many trials are ``complete``, how many ``pruned``.
    """
    complete = study.get_trials(False, (TrialState.COMPLETE,))
    if not complete:
        return {}
    own = next((trial.value for trial in complete if BASELINE in trial.user_attrs), None)
    # Of equal ones the config's own values, which come first, stay.
    best = max(complete, key=lambda trial: trial.value)
    return dict(
        baseline=own,
        value=best.value,
        values={} if BASELINE in best.user_attrs else rounded(best.params),
        trial=best.number,
        complete=len(complete),
        pruned=len(ended_trials(study)) - len(complete),
    )


def importances(study: optuna.Study, names: Sequence[str]) -> dict[str, float]:
    """Share of each parameter in how much the value varies (fANOVA), the highest first.

    Returns:
        Shares in [0, 1] that sum to 1; empty if there are too few trials to tell, or all have one
        value.
    """
    complete = study.get_trials(False, (TrialState.COMPLETE,))
    if len({trial.value for trial in complete if set(names) <= set(trial.params)}) < 2:
        return {}
    return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0), params=names)


def plot_study(
    study: optuna.Study,
    names: list[str],
    with_importance: bool,
    value_name: str,
    out: str | os.PathLike,
) -> None:
    """Write an image of the history, the importance of the named parameters, and the value over each."""
    width, height = _PANEL_INCHES
    options = dict(target_name=value_name)
    with rc_context({'figure.constrained_layout.use': True, 'figure.dpi': 120}):
        rows = [plots.plot_optimization_history(study, **options)]
        if with_importance:
            fanova = FanovaImportanceEvaluator(seed=0)
            rows.append(plots.plot_param_importances(study, fanova, names, **options))
        rows.append(plots.plot_slice(study, names, **options))
        images = []
        for row in rows:
            figure = np.ravel(row)[0].figure
            figure.set_size_inches(width * max(3, len(names)), height)
            figure.canvas.draw()
            images.append(cv2.cvtColor(np.asarray(figure.canvas.buffer_rgba()), cv2.COLOR_RGBA2BGR))
            pyplot.close(figure)
    write_image(out, np.vstack(images))


def trial_rows(study: optuna.Study, names: Sequence[str], value_name: str) -> tuple[list, list]:
    """Header and rows of all trials that ended.

    ``kind`` is ``config`` for the config's own values, ``complete`` or ``pruned``. The value of a
    trial that was given up is that of the first videos, whose number is in ``videos``; it compares
    with no other.
    """
    rows = []
    for trial in ended_trials(study):
        kind = 'config' if BASELINE in trial.user_attrs else trial.state.name.lower()
        videos, value = 'all', trial.value
        if trial.state == TrialState.PRUNED:
            videos, value = trial.last_step + 1, trial.intermediate_values[trial.last_step]
        params = [trial.params.get(name, float('nan')) for name in names]
        rows.append([trial.number, kind, videos, value, *params])
    return ['trial', 'kind', 'videos', value_name, *names], rows
