"""Get a tracker in one line. With ``engine='onnx'`` nothing here needs PyTorch."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mmpolar.model_zoo import DEFAULT_FOLDER
from mmpolar.tracking import SingleTargetTracker, TrackEngine
from mmpolar.utils.deprecation import warn_deprecated

if TYPE_CHECKING:
    import torch
    from mmengine.config import Config

ENGINES = ('torch', 'onnx')
#: What is done to make a PyTorch model fast, see :func:`init_tracker`.
OPTIMIZE = ('auto', 'none', 'compile')
#: Keywords of earlier releases, and what they were by default.
_OLD_KEYWORDS = dict(fold=True, compiled=False, fast=True)


def init_tracker(
    config: 'str | os.PathLike | Config | None' = None,
    checkpoint: str | os.PathLike | None = None,
    device: 'str | torch.device' = 'cpu',
    cfg_options: Mapping | None = None,
    dtype: 'str | torch.dtype' = 'float32',
    optimize: str = 'auto',
    engine: str = 'torch',
    threads: int | None = None,
    **old_keywords: bool,
) -> SingleTargetTracker:
    """Get a tracker of one target: a trained one by its name, or one of your own.

    For several targets see :func:`init_engine`.

    Args:
        config: A config file, a config, a release checkpoint, or the name of a trained tracker, one of
            :func:`available_models`, with or without ``mmpolar://``; None for the default one. With the
            engine ``'onnx'`` a model folder or its name; None for the default tracker in 8 bits.
        checkpoint: File with the weights; None leaves the model of a config untrained, and takes
            the published weights for a name.
        device: Where the model runs, for example ``'cuda:0'``.
        cfg_options: Changes to the config, for example ``{'model.test_cfg.lr': 0.5}``.
        dtype: Type in which convolutions are computed: ``'float32'``, or for half the work on
            processors that have it ``'bfloat16'`` (a GPU: ``'float16'`` too); or a ``torch.dtype``.
        optimize: ``'auto'`` makes the model as fast as it can at once: batch norm is folded into
            the convolutions and, in float32 on a CPU, layers are replaced by faster ones.
            ``'compile'`` folds and compiles the search branch with ``torch.compile``: faster on a
            GPU after a first frame that takes a minute or so; on a CPU it needs a C++ compiler.
            Both change results by rounding only, and the model cannot be trained or saved any more.
            ``'none'`` leaves it as it was trained.
        engine: ``'torch'``, or ``'onnx'`` for ONNX Runtime on a CPU, which needs no PyTorch.
        threads: Threads of the network on a CPU. By default one with PyTorch, whose threads hold up
            each other where other programs run, and two with ONNX Runtime, or one on a single core.
            Large networks on an idle machine, such as the ResNet-50 tracker, gain by more.
        **old_keywords: ``fold``, ``fast`` and ``compiled`` of earlier releases; use ``optimize``.

    Returns:
        A tracker, which waits for its ``init``.

    Raises:
        FileNotFoundError: If the config or the checkpoint does not exist, or there is no trained
            tracker of that name; the message then lists the names there are.
        ValueError: If a checkpoint is given without its config, or an argument is unknown or does
            not fit the engine.
        CheckpointReadError: If the checkpoint is damaged.
        CheckpointMismatchError: If the checkpoint belongs to another config.
        ModelFolderError: If a model folder is damaged.

    Example:
        >>> from mmpolar.apis import init_tracker
        >>> tracker = init_tracker(engine='onnx')
        >>> tracker = init_tracker('ocean-polar_effnet-lite0-tiny_natural', optimize='none')
        >>> tracker.params.template_size
        127
    """
    network = init_engine(
        config, checkpoint, device, cfg_options, dtype, optimize, engine, threads, **old_keywords
    )
    return SingleTargetTracker(network)


def init_engine(
    config: 'str | os.PathLike | Config | None' = None,
    checkpoint: str | os.PathLike | None = None,
    device: 'str | torch.device' = 'cpu',
    cfg_options: Mapping | None = None,
    dtype: 'str | torch.dtype' = 'float32',
    optimize: str = 'auto',
    engine: str = 'torch',
    threads: int | None = None,
    **old_keywords: bool,
) -> TrackEngine:
    """Get the network behind a tracker, for :class:`mmpolar.tracking.Tracker`.

    It takes what :func:`init_tracker` takes.

    Returns:
        A :class:`mmpolar.models.trackers.TorchEngine` or a :class:`mmpolar.runtime.OnnxEngine`.

    Example:
        >>> from mmpolar.apis import init_engine
        >>> from mmpolar.tracking import Tracker
        >>> tracker = Tracker(init_engine(engine='onnx', threads=2))
        >>> tracker.ids
        ()
    """
    if engine not in ENGINES:
        raise ValueError(f'engine must be one of {", ".join(ENGINES)}, got {engine!r}')
    if optimize not in OPTIMIZE:
        raise ValueError(f'optimize must be one of {", ".join(OPTIMIZE)}, got {optimize!r}')
    if engine == 'onnx':
        given = dict(checkpoint=checkpoint, cfg_options=cfg_options)
        unfit = [name for name, value in given.items() if value is not None] + list(old_keywords)
        if unfit or str(device) != 'cpu' or str(dtype) not in ('float32', 'torch.float32'):
            raise ValueError(
                f'the engine onnx takes a model folder, on the CPU; leave out '
                f'{", ".join(unfit or ["device and dtype"])}'
            )
        from mmpolar.runtime import OnnxEngine

        return OnnxEngine(config or DEFAULT_FOLDER, threads)
    speed = _speed(optimize, old_keywords)
    # Here, as ONNX Runtime needs no PyTorch.
    import torch

    from mmpolar.apis.load_model import load_model, optimize_model
    from mmpolar.models.trackers.torch_engine import TorchEngine, usual_threads
    from mmpolar.utils.torch_threads import torch_threads

    kind = dtype if isinstance(dtype, torch.dtype) else getattr(torch, dtype, None)
    if not isinstance(kind, torch.dtype) or not kind.is_floating_point:
        raise ValueError(f"dtype must be 'float32', 'bfloat16' or 'float16', got {dtype!r}")
    threads = usual_threads(torch.device(device)) if threads is None else threads
    speed['pack'] = speed['pack'] and kind == torch.float32
    model = load_model(config, checkpoint, device, cfg_options)
    # Weights are packed for the threads that they are used with.
    with torch_threads(threads):
        model = optimize_model(model, **speed)
    return TorchEngine(model, kind, threads)


def _speed(optimize: str, old_keywords: dict[str, Any]) -> dict[str, bool]:
    """What ``optimize_model`` shall do."""
    unknown = sorted(set(old_keywords) - set(_OLD_KEYWORDS))
    if unknown:
        raise TypeError(f'init_tracker has no argument {unknown[0]!r}')
    if not old_keywords:
        compiled = optimize == 'compile'
        return dict(fold=optimize != 'none', pack=optimize == 'auto', compiled=compiled)
    warn_deprecated('fold, fast and compiled of init_tracker', 'optimize', stacklevel=4)
    fold, compiled, fast = (_OLD_KEYWORDS | old_keywords).values()
    return dict(fold=fold, pack=fast, compiled=compiled)
