"""The study that trials are kept in, and what it has found."""

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from mmpolar.cli.tuning.objective import BASELINE
from mmpolar.cli.tuning.search_space import Value
from mmpolar.utils.processes import process_is_gone, this_process

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
#: A trial whose process gave no sign of life for so many seconds is given up (data bases only).
_HEARTBEAT_SECONDS = 60
#: The first trials are random; before as many have ended none is pruned.
_STARTUP_TRIALS = 10
_OWNER = 'process'
_NEW_FACTS = dict(figure='value_name')


@dataclass(frozen=True)
class Result:
    """What a study has found so far.

    Attributes:
        baseline: The value with the config's own values; None if it was not measured yet.
        value: The best value; None without a trial that went to the end.
        values: The tuned parameters of the best trial; empty if the config's own are the best.
        trial: Number of the best trial.
        complete: Trials that went to the end.
        pruned: Trials that were given up on the way.
    """

    baseline: float | None
    value: float | None
    values: dict[str, Value]
    trial: int | None
    complete: int
    pruned: int


def open_storage(location: str) -> BaseStorage:
    """Where the trials are kept.

    Args:
        location: A file ending in .db or .sqlite for an SQLite data base, any other file for Optuna's
            journal, or the URL of a data base, which several machines can share.

    Returns:
        The storage, which several processes may have open.
    """
    if '://' in location:
        return _open_database(location, {})
    path = Path(location)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in ('.db', '.sqlite', '.sqlite3'):
        # Writers wait for each other instead of failing.
        return _open_database(
            f'sqlite:///{path}', dict(connect_args=dict(timeout=_HEARTBEAT_SECONDS))
        )
    return JournalStorage(JournalFileBackend(str(path)))


def _open_database(url: str, options: dict[str, Any]) -> RDBStorage:
    with warnings.catch_warnings():
        # Heartbeats are marked as experimental.
        warnings.simplefilter('ignore', optuna.exceptions.ExperimentalWarning)
        return RDBStorage(url, options, heartbeat_interval=_HEARTBEAT_SECONDS)


def open_study(storage: BaseStorage, name: str, seed: int, num_videos: int) -> optuna.Study:
    """A study, new or as earlier runs left it.

    Args:
        storage: Where it is kept.
        name: Its name.
        seed: Seed of the sampler; processes that work on one study need different ones.
        num_videos: Videos of a trial; a quarter of them must have been tracked before a trial is
            compared with others.
    """
    sampler = optuna.samplers.TPESampler(
        n_startup_trials=_STARTUP_TRIALS, multivariate=True, constant_liar=True, seed=seed
    )
    pruner = optuna.pruners.MedianPruner(_STARTUP_TRIALS, n_warmup_steps=max(1, num_videos // 4))
    return optuna.create_study(
        storage=storage,
        study_name=name,
        sampler=sampler,
        pruner=pruner,
        direction='maximize',
        load_if_exists=True,
    )


def claim_study(study: optuna.Study, facts: Mapping[str, Any]) -> None:
    """Note what a study measures, or make sure that it is the same as in earlier runs.

    Args:
        study: The study.
        facts: What the values depend on besides the tuned parameters, plain values by name.

    Raises:
        ValueError: If the study measures something else.
    """
    # Studies of the last release call it a figure.
    known = {_NEW_FACTS.get(name, name): value for name, value in study.user_attrs.items()}
    changed = [
        f'{name} was {known[name]!r}, now {value!r}'
        for name, value in facts.items()
        if name in known and known[name] != value
    ]
    if changed:
        raise ValueError(
            f'study "{study.study_name}" measures something else: {"; ".join(changed)}. Choose '
            'another --study-name or --storage'
        )
    for name, value in facts.items():
        if name not in known:
            study.set_user_attr(name, value)


def prepare_study(study: optuna.Study, current: Mapping[str, Value] | None) -> None:
    """Give up trials whose process is gone, and see to it that the config's own values are tried.

    Args:
        study: The study.
        current: The config's own values of the tuned parameters; None if one is out of its range.
    """
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if process_is_gone(trial.user_attrs.get(_OWNER)):
            with suppress(ValueError, RuntimeError):  # another process has just done it
                study.tell(trial.number, state=TrialState.FAIL)
    alive = (TrialState.COMPLETE, TrialState.WAITING, TrialState.RUNNING)
    if not any(trial.user_attrs.get(BASELINE) for trial in study.get_trials(states=alive)):
        study.enqueue_trial(dict(current or {}), user_attrs={BASELINE: True})


def sign_trial(trial: optuna.Trial) -> None:
    """Note which process works on a trial."""
    trial.set_user_attr(_OWNER, this_process())


def count_finished(study: optuna.Study) -> int:
    """Trials that ended, be it that they were given up."""
    return len(study.get_trials(deepcopy=False, states=FINISHED))


def read_result(study: optuna.Study) -> Result:
    """What the study has found so far."""
    trials = study.get_trials(deepcopy=False)
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    pruned = sum(trial.state == TrialState.PRUNED for trial in trials)
    baselines = [trial.value for trial in complete if trial.user_attrs.get(BASELINE)]
    if not complete:
        return Result(None, None, {}, None, 0, pruned)
    # Of equal ones the config's own values, which come first, stay.
    best = max(complete, key=lambda trial: trial.value)
    return Result(
        baseline=baselines[0] if baselines else None,
        value=best.value,
        values={} if best.user_attrs.get(BASELINE) else dict(sorted(best.params.items())),
        trial=best.number,
        complete=len(complete),
        pruned=pruned,
    )


def importances(study: optuna.Study, names: Sequence[str]) -> dict[str, float]:
    """Share of each parameter in how much the value varies (fANOVA), the highest first.

    Hutter, Hoos and Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance",
    ICML 2014.

    Args:
        study: The study.
        names: The tuned parameters.

    Returns:
        Shares in [0, 1] that sum to 1; empty if there are too few trials to tell, or all have one
        value.
    """
    complete = [
        trial
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if set(names) <= set(trial.params)
    ]
    if len(complete) < 2 or len({trial.value for trial in complete}) < 2:
        return {}
    evaluator = FanovaImportanceEvaluator(seed=0)
    return get_param_importances(study, evaluator=evaluator, params=list(names))


def trial_rows(
    study: optuna.Study, names: Sequence[str], value_name: str
) -> tuple[list[str], list[list[str | int | float]]]:
    """Header and rows of all trials that ended.

    ``kind`` is ``config`` for the config's own values, ``complete`` or ``pruned``. The value of a
    trial that was given up is that of the first videos, whose number is in ``videos``; it compares
    with no other.
    """
    rows = []
    for trial in study.get_trials(deepcopy=False, states=FINISHED):
        kind = 'config' if trial.user_attrs.get(BASELINE) else trial.state.name.lower()
        is_pruned = trial.state == TrialState.PRUNED
        videos = max(trial.intermediate_values, default=-1) + 1 if is_pruned else 'all'
        values = [trial.params.get(name, float('nan')) for name in names]
        rows.append([trial.number, kind, videos, last_value(trial), *values])
    return ['trial', 'kind', 'videos', value_name, *names], rows


def last_value(trial: FrozenTrial) -> float:
    """The value of a trial; of one that was given up, that of the videos which it had seen."""
    if trial.state == TrialState.COMPLETE:
        return trial.value
    steps = trial.intermediate_values
    return steps[max(steps)] if steps else float('nan')
