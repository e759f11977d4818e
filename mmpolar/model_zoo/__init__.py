"""Trained trackers by name: those that come with the package, and your own.

``<name>.pth`` is what ``tools/model_converters/publish_model.py`` writes, the folder ``<name>`` holds
the same tracker as ONNX graphs, and the folder ``<name>_int8``, where there is one, in 8 bits.
Imports the standard library only, as the runtime looks here too.
"""

import os
from collections.abc import Iterator
from pathlib import Path

#: The trained weights that are used where none are named.
DEFAULT_MODEL = 'ocean-polar_effnet-lite0_natural'
#: Ending of the names of model folders in 8-bit integers, beside those in float32.
INT8_SUFFIX = '_int8'
#: The model folder that ONNX Runtime uses where none is named: those weights in 8 bits, as they find as much in
#: two thirds of the time.
DEFAULT_FOLDER = DEFAULT_MODEL + INT8_SUFFIX
#: Where models of the package are.
PACKAGE_FOLDER = Path(__file__).resolve().parent
#: Environment variable with a folder of further models, which come before those of the package.
FOLDER_VARIABLE = 'MMPOLAR_MODEL_ZOO'

#: Before a name where MMEngine's configs take a checkpoint's path, and wherever a name is taken.
SCHEME = 'mmpolar://'

#: Ending of release checkpoints.
CHECKPOINT_SUFFIX = '.pth'

_MANIFEST = 'model.json'


class ModelNotFoundError(FileNotFoundError):
    """There is no trained tracker of that name."""


def model_name(text: str | os.PathLike | None, default: str = DEFAULT_MODEL) -> str:
    """The name, or the path, that a text means: without ``mmpolar://``, and the default for none.

    Example:
        >>> from mmpolar.model_zoo import model_name
        >>> model_name('mmpolar://ocean-polar_effnet-lite0_natural')
        'ocean-polar_effnet-lite0_natural'
    """
    return str(text or '').removeprefix(SCHEME) or default


def available_models() -> list[str]:
    """Names of the trained trackers that are at hand, sorted.

    :func:`mmpolar.apis.init_tracker` takes them. Besides those of the package there are those in the
    folder that the environment variable ``MMPOLAR_MODEL_ZOO`` names.

    Example:
        >>> from mmpolar.apis import available_models
        >>> 'ocean-polar_effnet-lite0_natural' in available_models()
        True
    """
    return sorted(
        {path.stem for folder in _folders() for path in folder.glob(f'*{CHECKPOINT_SUFFIX}')}
    )


def available_model_folders() -> list[str]:
    """Names of the trained trackers that the runtime can use without PyTorch, sorted."""
    found = (path.parent for folder in _folders() for path in folder.glob(f'*/{_MANIFEST}'))
    return sorted({folder.name for folder in found})


def find_checkpoint(name: str = DEFAULT_MODEL) -> Path:
    """The published checkpoint of a model.

    Raises:
        ModelNotFoundError: If there is none. The message lists the names there are.
    """
    if name in available_models():
        return next(
            folder / f'{name}{CHECKPOINT_SUFFIX}'
            for folder in _folders()
            if (folder / f'{name}{CHECKPOINT_SUFFIX}').is_file()
        )
    if name in available_model_folders():
        raise ModelNotFoundError(
            f'{name!r} is a folder of ONNX graphs alone, for ONNX Runtime; with PyTorch name one of '
            f'{", ".join(available_models())}'
        )
    raise ModelNotFoundError(
        f'there is no trained tracker {name!r}; {_those_there_are(available_models())}. Train one '
        'and publish it: python tools/model_converters/publish_model.py --help'
    )


def find_model_folder(name: str = DEFAULT_FOLDER) -> Path:
    """The model folder, of ONNX graphs, of a model.

    Raises:
        ModelNotFoundError: If there is none. The message lists the names there are.
    """
    if name in available_model_folders():
        return next(folder / name for folder in _folders() if (folder / name / _MANIFEST).is_file())
    raise ModelNotFoundError(
        f'there is no model folder {name!r}; {_those_there_are(available_model_folders())}. Write '
        'one of a checkpoint: mmpolar export CONFIG CHECKPOINT --out DIR'
    )


def _folders() -> Iterator[Path]:
    own = os.environ.get(FOLDER_VARIABLE)
    if own:
        yield Path(own)
    yield PACKAGE_FOLDER


def _those_there_are(names: list[str]) -> str:
    return f'those at hand are {", ".join(names)}' if names else 'none is at hand'
