"""The pool of negatives of a training dataset, and its reading through the test pipeline."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Protocol

import numpy as np
from mmengine.dataset import Compose
from numpy.typing import NDArray
from torch.utils.data import Dataset

from mmpolar.mining.all_ranks import on_all_ranks
from mmpolar.mining.candidate import Candidate
from mmpolar.mining.picks.mined_negatives import MinedNegatives
from mmpolar.registry import DATASETS
from mmpolar.utils.shared_values import type_of

#: Attributes in which MMEngine's and MMDetection's wrappers keep the datasets that they wrap.
_WRAPPED = ('dataset', '_dataset')


class MiningDataset(Protocol):
    """A training dataset that samples negatives from a pool, by preference those that were mined.

    Attributes:
        negatives: The pool.
    """

    negatives: Dataset

    @property
    def mined(self) -> MinedNegatives:
        """Where the picks of a round are published, for the whole pool."""

    def negative_keys(self) -> list[str]:
        """A name of each negative that stays the same from run to run."""


class NegativePool:
    """The pool of negatives of a training dataset.

    Args:
        training_data: The training dataset, which holds one with a pool, see
            :func:`find_mining_dataset`.

    Attributes:
        keys: Name of each negative, the same from run to run.
        digest: Name of the pool: pools of the same keys have the same.

    Raises:
        ValueError: If the training dataset has not one pool of negatives, or ranks see different
            pools.
    """

    def __init__(self, training_data: Any) -> None:
        self._dataset = find_mining_dataset(training_data)
        self.keys = list(self._dataset.negative_keys())
        self.digest = sha256('\0'.join(self.keys).encode()).hexdigest()
        if len(set(on_all_ranks(lambda: self.digest))) > 1:
            raise ValueError(
                'ranks see different pools of negatives; give all machines the same files'
            )

    def __len__(self) -> int:
        """Number of negatives."""
        return len(self.keys)

    def published(self) -> NDArray[np.int64]:
        """Indices of the picks that training samples from, shape (K,)."""
        return self._dataset.mined.read()[0]

    def exclude(self, indices: NDArray[np.int64]) -> None:
        """Let training sample these negatives no more, and all others again."""
        self._dataset.mined.exclude(indices)

    def candidate(self, index: int, score: float) -> Candidate:
        """What is known of a negative: its name, image, group and video."""
        negatives = self._dataset.negatives
        info = negatives.get_data_info(index) if hasattr(negatives, 'get_data_info') else {}
        known = {name: info[name] for name in ('group', 'video', 'frame') if name in info}
        image = info.get('img_path') or self.keys[index]
        return Candidate(self.keys[index], score, str(image), **known)

    @property
    def group_kind(self) -> str:
        """What a group of negatives is, such as ``'camera'``."""
        rules = (getattr(part, 'group_rule', None) for part in _parts(self._dataset.negatives))
        return next((rule.kind for rule in rules if rule is not None), 'group')

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes of the positives; one that is called 'target' if they have none."""
        metainfo = getattr(self._dataset, 'metainfo', {})
        return tuple(metainfo.get('classes') or ('target',))

    def publish(self, indices: NDArray[np.int64], round_number: int) -> None:
        """Let training sample these picks of a round from now on; none for round 0."""
        if round_number:
            self._dataset.mined.publish(indices, round_number)
        else:
            self._dataset.mined.clear()

    def check_unchanged(self) -> None:
        """Make sure that the pool is the one that data loader workers have a copy of.

        Raises:
            RuntimeError: If it changed since this object was made.
        """
        on_all_ranks(self._check_own)

    def test_samples(
        self,
        config: Mapping,
        pipeline: Sequence[dict | Callable] | None = None,
        samples: dict | Dataset | None = None,
    ) -> Dataset:
        """A dataset whose item i is the test sample of negative i.

        It is ``samples``, if given; else the negatives read through ``pipeline``; else their own
        ``test_samples()``, if they have it, as pairs do; else the negatives read through the test
        pipeline of the config, see :func:`default_test_pipeline`.

        Args:
            config: The runner's config.
            pipeline: Transforms or their configs.
            samples: The dataset, or its config.

        Raises:
            ValueError: If there is no pipeline, or ``samples`` has another length than the pool.
        """
        negatives = self._dataset.negatives
        if samples is not None:
            samples = DATASETS.build(samples) if isinstance(samples, dict) else samples
        elif pipeline is None and hasattr(negatives, 'test_samples'):
            samples = negatives.test_samples()
        else:
            pipeline = default_test_pipeline(config) if pipeline is None else pipeline
            samples = with_pipeline(negatives, pipeline)
        if len(samples) != len(self):
            raise ValueError(
                f'pool of HardNegativeMiningHook has {len(samples)} items, but training samples from '
                f'{len(self)} negatives; make item i the test sample of negative i'
            )
        return samples

    def positive_samples(self, config: Mapping) -> Any:
        """The positives of the training dataset, read through the test pipeline of the config."""
        return with_pipeline(self._dataset.positives, default_test_pipeline(config))

    def positive_info(self, index: int) -> Mapping[str, Any]:
        """What the training dataset knows of a positive: its ``instances``, with ``bbox``."""
        return self._dataset.positives.get_data_info(index)

    def _check_own(self) -> None:
        size = len(self._dataset.negatives)
        if size != len(self) or list(self._dataset.negative_keys()) != self.keys:
            raise RuntimeError(
                f'the pool of negatives changed during training, from {len(self)} to {size} '
                'images or in its order, but workers still have the former one; stop and resume '
                'the run: picks that are still in the pool are kept'
            )


def find_mining_dataset(dataset: Any) -> MiningDataset:
    """The dataset with a pool of negatives among a dataset and those that it wraps.

    Args:
        dataset: The training dataset.

    Returns:
        The one that has ``mined``, such as ``CompositeDataset``.

    Raises:
        ValueError: If there is none or more than one, or its pool is empty.
    """
    found = [part for part in _parts(dataset) if hasattr(type(part), 'mined')]
    if len(found) != 1:
        raise ValueError(
            f'hard negatives are mined for one dataset with a pool of negatives, but the training '
            f'dataset {type(dataset).__name__} holds {len(found)}; make it one CompositeDataset '
            'with negatives'
        )
    if found[0].negatives is None or len(found[0].negatives) == 0:
        raise ValueError(
            f'the pool of negatives of {type(found[0]).__name__} is empty; give it negatives, '
            'or remove HardNegativeMiningHook'
        )
    return found[0]


def with_pipeline(dataset: Any, pipeline: Sequence[dict | Callable]) -> Any:
    """The same dataset read through another pipeline, in test mode; annotations are shared.

    Args:
        dataset: A dataset that runs MMEngine's ``Compose`` as its ``pipeline``, such as every
            ``BaseDataset``; or a wrapper (``dataset`` or ``datasets``) around such.
        pipeline: Transforms or their configs.

    Returns:
        A shallow copy; the given dataset stays as it is.

    Raises:
        TypeError: If the dataset is of another kind.
    """
    return _with_pipeline(dataset, Compose(pipeline))


def default_test_pipeline(config: Mapping) -> list[dict]:
    """The pipeline that the config tests or validates with, without loading annotations.

    Args:
        config: The runner's config.

    Returns:
        Configs of the transforms.

    Raises:
        ValueError: If the config has neither a test nor a validation dataset with a pipeline.
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
    """An attribute of the object itself; MMEngine's slices of a dataset pass all others on."""
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
    """The pipeline in the config of a dataset, or of the first that it wraps."""
    if isinstance(dataset, Sequence) and not isinstance(dataset, str) and dataset:
        dataset = dataset[0]
    if not isinstance(dataset, Mapping):
        return None
    if dataset.get('pipeline'):
        return list(dataset['pipeline'])
    return _pipeline_of(dataset.get('dataset', dataset.get('datasets')))


def _loads_annotations(step: Mapping) -> bool:
    name = type_of(step)
    return name.startswith('Load') and 'Annotations' in name
