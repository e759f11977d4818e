"""Finding the pool of negatives in the training data, and reading it through the test pipeline."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from mmengine.dataset import Compose
from torch.utils.data import Dataset

from mmpolar.mining.picks.mined_negatives import MinedNegatives

#: Attributes in which MMEngine's and MMDetection's wrappers keep the data sets that they wrap.
_WRAPPED = ('dataset', '_dataset')


class MiningDataset(Protocol):
    """A training data set that draws negatives from a pool, by preference those that were mined.

    Attributes:
        negatives: The pool.
    """

    negatives: Dataset

    @property
    def mined(self) -> MinedNegatives:
        """Where the picks of a round are published, for the whole pool."""

    def negative_keys(self) -> list[str]:
        """A name of each negative that stays the same from run to run."""


def find_mining_dataset(dataset: Any) -> MiningDataset:
    """The data set with a pool of negatives among a data set and those that it wraps.

    Args:
        dataset: The training data set.

    Returns:
        The one that has ``mined``, such as ``CompositeDataset``.

    Raises:
        ValueError: If there is none or more than one, or its pool is empty.
    """
    found = [part for part in _parts(dataset) if hasattr(type(part), 'mined')]
    if len(found) != 1:
        raise ValueError(
            f'hard negatives are mined for one data set with a pool of negatives, but the training '
            f'data set {type(dataset).__name__} holds {len(found)}; make it one CompositeDataset '
            'with negatives'
        )
    if found[0].negatives is None or len(found[0].negatives) == 0:
        raise ValueError(
            f'the pool of negatives of {type(found[0]).__name__} is empty; give it negatives, '
            'or remove HardNegativeMiningHook'
        )
    return found[0]


def with_pipeline(dataset: Any, pipeline: Sequence[dict | Callable]) -> Any:
    """The same data set read through another pipeline, in test mode; annotations are shared.

    Args:
        dataset: A data set that runs MMEngine's ``Compose`` as its ``pipeline``, such as every
            ``BaseDataset``; or a wrapper (``dataset`` or ``datasets``) around such.
        pipeline: Transforms or their configs.

    Returns:
        A shallow copy; the given data set stays as it is.

    Raises:
        TypeError: If the data set is of another kind.
    """
    return _with_pipeline(dataset, Compose(pipeline))


def default_test_pipeline(config: Mapping) -> list[dict]:
    """The pipeline that the config tests or validates with, without loading annotations.

    Args:
        config: The runner's config.

    Returns:
        Configs of the transforms.

    Raises:
        ValueError: If the config has neither a test nor a validation data set with a pipeline.
    """
    for name in ('test_dataloader', 'val_dataloader'):
        loader = config.get(name)
        pipeline = _pipeline_of(loader.get('dataset')) if isinstance(loader, Mapping) else None
        if pipeline is not None:
            return [step for step in pipeline if not _loads_annotations(step)]
    raise ValueError(
        'HardNegativeMiningHook found no pipeline in test_dataloader and val_dataloader of the '
        'config; give it pipeline=[...], the one that this model is tested with'
    )


def _parts(dataset: Any) -> Iterator[Any]:
    yield dataset
    for name in _WRAPPED:
        if (inner := _own(dataset, name)) is not None:
            yield from _parts(inner)
    for inner in _own(dataset, 'datasets') or ():
        yield from _parts(inner)


def _own(dataset: Any, name: str) -> Any:
    """An attribute of the object itself; MMEngine's slices of a data set pass all others on."""
    return getattr(dataset, '__dict__', {}).get(name)


def _with_pipeline(dataset: Any, pipeline: Compose) -> Any:
    changed = copy.copy(dataset)
    if isinstance(_own(dataset, 'pipeline'), Compose):
        changed.pipeline = pipeline
        changed.test_mode = True
    elif _own(dataset, 'pipeline') is None and (inner := _own(dataset, 'dataset')) is not None:
        changed.dataset = _with_pipeline(inner, pipeline)
    elif (inner := _own(dataset, 'datasets')) is not None:
        changed.datasets = [_with_pipeline(part, pipeline) for part in inner]
    else:
        raise TypeError(
            f'cannot read negatives of {type(dataset).__name__} through the test pipeline, as it '
            'does not run a pipeline; give HardNegativeMiningHook pool=dict(type=...), a data '
            'set of the same negatives in the same order that yields test samples'
        )
    return changed


def _pipeline_of(dataset: Any) -> Sequence[dict] | None:
    """The pipeline in the config of a data set, or of the first that it wraps."""
    if isinstance(dataset, Sequence) and not isinstance(dataset, str) and dataset:
        dataset = dataset[0]
    if not isinstance(dataset, Mapping):
        return None
    if dataset.get('pipeline'):
        return list(dataset['pipeline'])
    return _pipeline_of(dataset.get('dataset', dataset.get('datasets')))


def _loads_annotations(step: Mapping) -> bool:
    name = str(step.get('type')).rpartition('.')[2]
    return name.startswith('Load') and 'Annotations' in name
