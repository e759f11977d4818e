"""The study that trials are kept in, and what it has found."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import optuna
import torch
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from mmpolar.cli.tuning.objective import Objective
from mmpolar.cli.tuning.search_space import rounded
from mmpolar.utils.available_cores import available_cores

#: Attribute of the trial that has the config's own values.
BASELINE = 'baseline'
#: A trial whose process gave no sign of life for so long is given up (data bases only).
_HEARTBEAT_SECONDS = 60
#: The first trials are random; before as many have ended none is pruned.
_STARTUP_TRIALS = 10
#: Names of facts in studies of the last release.
_NEW_FACTS = dict(figure='value_name')


def open_study(location: str, name: str, num_videos: int, seed: int) -> optuna.Study:
    """A study, new or as earlier runs left it.

    Args:
        location: A file ending in .db or .sqlite for an SQLite data base, any other file for
            Optuna's journal, or the URL of a data base, which several machines can share.
        name: Its name.
        num_videos: Videos of a trial; a quarter of them must have been tracked before a trial is
            compared with others.
        seed: Seed of the sampler.
    """
    sampler = optuna.samplers.TPESampler(
        n_startup_trials=_STARTUP_TRIALS, multivariate=True, constant_liar=True, seed=seed
    )
    return optuna.create_study(
        storage=_open_storage(location),
        study_name=name,
        sampler=sampler,
        pruner=optuna.pruners.MedianPruner(_STARTUP_TRIALS, max(1, num_videos // 4)),
        direction='maximize',
        load_if_exists=True,
    )


def _open_storage(location: str) -> BaseStorage:
    if '://' in location:
        return RDBStorage(location, heartbeat_interval=_HEARTBEAT_SECONDS)
    path = Path(location)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in ('.db', '.sqlite', '.sqlite3'):
        # Writers wait for each other instead of failing.
        options = dict(connect_args=dict(timeout=_HEARTBEAT_SECONDS))
        return RDBStorage(f'sqlite:///{path}', options, heartbeat_interval=_HEARTBEAT_SECONDS)
    return JournalStorage(JournalFileBackend(str(path)))


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


def add_baseline(study: optuna.Study, objective: Objective) -> None:
    """Measure the config's own values, if the study does not know them yet."""
    if read_result(study)['baseline'] is not None:
        return
    steps: dict[int, float] = {}
    value = objective.score({}, steps.__setitem__)
    facts = dict(value=value, user_attrs={BASELINE: True}, intermediate_values=steps)
    own = {name: getattr(objective.params, name) for name in objective.ranges}
    try:
        trial = optuna.trial.create_trial(params=own, distributions=objective.ranges, **facts)
    except ValueError:  # one is out of its range
        trial = optuna.trial.create_trial(**facts)
    study.add_trial(trial)


def run_trials(
    study: optuna.Study,
    objective: Callable[[optuna.Trial], float],
    count: int,
    workers: int = 1,
    callbacks: Sequence[Callable] = (),
) -> None:
    """Run trials in as many threads as there are workers; each is kept as soon as it ends.

    Raises:
        Exception: What stopped a trial; those that ended before are kept.
    """
    threads = max(1, available_cores() // workers)
    if 'OMP_NUM_THREADS' not in os.environ:
        torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    errors: list[BaseException] = []

    def note_error(trial: optuna.Trial) -> float:
        try:
            return objective(trial)
        except optuna.TrialPruned:
            raise
        except BaseException as error:
            errors.append(error)
            study.stop()
            raise

    study.optimize(note_error, count, n_jobs=workers, callbacks=callbacks)
    if errors:  # Optuna loses those of the last trials
        raise errors[0]


def count_finished(study: optuna.Study) -> int:
    """Trials that ended, be it that they were given up."""
    return len(_trials(study, TrialState.COMPLETE, TrialState.PRUNED))


def read_result(study: optuna.Study) -> dict[str, Any]:
    """What the study has found so far.

    Returns:
        ``baseline``, the value with the config's own parameters, and ``value``, the best one, each
        None if not measured yet; ``values``, the parameters of the best ``trial``, empty if that is
        the config's own; how many trials are ``complete``, how many ``pruned``.
    """
    complete = _trials(study, TrialState.COMPLETE)
    baselines = [trial.value for trial in complete if trial.user_attrs.get(BASELINE)]
    # Of equal ones the config's own values, which come first, stay.
    best = max(complete, key=lambda trial: trial.value, default=None)
    is_own = best is None or best.user_attrs.get(BASELINE)
    return dict(
        baseline=baselines[0] if baselines else None,
        value=best and best.value,
        values={} if is_own else rounded(best.params),
        trial=best and best.number,
        complete=len(complete),
        pruned=len(_trials(study, TrialState.PRUNED)),
    )


def importances(study: optuna.Study, names: Sequence[str]) -> dict[str, float]:
    """Share of each parameter in how much the value varies (fANOVA), the highest first.

    Returns:
        Shares in [0, 1] that sum to 1; empty if there are too few trials to tell, or all have one
        value.
    """
    values = [t.value for t in _trials(study, TrialState.COMPLETE) if set(names) <= set(t.params)]
    if len(set(values)) < 2:
        return {}
    evaluator = FanovaImportanceEvaluator(seed=0)
    return get_param_importances(study, evaluator=evaluator, params=list(names))


def trial_rows(study: optuna.Study, names: Sequence[str], value_name: str) -> tuple[list, list]:
    """Header and rows of all trials that ended.

    ``kind`` is ``config`` for the config's own values, ``complete`` or ``pruned``. The value of a
    trial that was given up is that of the first videos, whose number is in ``videos``; it compares
    with no other.
    """
    rows = []
    for trial in _trials(study, TrialState.COMPLETE, TrialState.PRUNED):
        kind = 'config' if trial.user_attrs.get(BASELINE) else trial.state.name.lower()
        videos, value = 'all', trial.value
        if trial.state == TrialState.PRUNED:
            videos, value = trial.last_step + 1, trial.intermediate_values[trial.last_step]
        params = [trial.params.get(name, float('nan')) for name in names]
        rows.append([trial.number, kind, videos, value, *params])
    return ['trial', 'kind', 'videos', value_name, *names], rows


def _trials(study: optuna.Study, *states: TrialState) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=states)
