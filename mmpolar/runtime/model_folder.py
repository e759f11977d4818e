"""The folder of an exported tracker: its ONNX graphs, and ``model.json`` that describes them."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmpolar.runtime.manifest_values import check_types, check_values
from mmpolar.tracking.mask_stage import MaskParams
from mmpolar.tracking.params import TrackParams, current_spelling
from mmpolar.utils.atomic_write import atomic_write, scratch_folder
from mmpolar.utils.deprecation import warn_deprecated
from mmpolar.version import __version__

MANIFEST_NAME = 'model.json'
FORMAT = 'mmpolar-onnx'
#: Raised whenever a reader of the older version would misunderstand a folder.
FORMAT_VERSION = 4
#: Folders of these versions are read too: in version 3 the contour was called outline.
_OLDER_VERSIONS = (3,)
_NAMES_OF_VERSION_3 = {'outline': 'contour'}
#: Largest ``model.json`` that is read, in bytes.
MAX_MANIFEST_SIZE = 1 << 20
#: Key of the search graph that takes crops of any size.
ANY_SIZE = 'any'

_HOW_TO_EXPORT = 'write a model folder with: mmpolar export CONFIG CHECKPOINT --out DIR'


class ModelFolderError(ValueError):
    """A folder is no exported tracker, is damaged, or is of another version."""


@dataclass(frozen=True)
class ModelManifest:
    """What ``model.json`` says.

    Attributes:
        params: Hyper-parameters of tracking; ``score_ratio`` is part of the search graph.
        n_rays: Points of the contour; None for a tracker of boxes only.
        normalization: ``mean``, ``std`` and ``bgr_to_rgb``; part of both graphs, which take uint8
            BGR crops.
        precision: ``'float32'`` or ``'int8'``.
        kernels: Names of the template graph's outputs, which the search graph takes.
        template: File of the template graph.
        search: Files of the search graphs by side of the search crop in pixels, as text, or one
            for any side under ``'any'``.
        contour: File of the graph that measures the contour at the selected locations; None for a
            tracker of boxes only.
        refines: Whether it measures the rays a second time, on fine maps: the template graph then
            takes where the target is, and gives prototypes.
        masks: File of the graph of the mask stage; None for a tracker without one, and in folders
            that were written before there was one.
        mask_params: How the mask stage is used; None likewise.
        weights_sha256: Hash of the weights that were exported.
        file_sha256: Hash of each graph's file.
        mmpolar_version: Release that wrote the folder.
    """

    params: TrackParams
    n_rays: int | None
    normalization: dict[str, Any]
    precision: str
    kernels: tuple[str, ...]
    template: str
    search: dict[str, str]
    contour: str | None
    refines: bool
    weights_sha256: str
    file_sha256: dict[str, str]
    masks: str | None = None
    mask_params: MaskParams | None = None
    mmpolar_version: str = __version__

    @property
    def outline(self) -> str | None:
        """Old name of ``contour``."""
        warn_deprecated('ModelManifest.outline', 'ModelManifest.contour')
        return self.contour

    def search_file(self, size: int) -> str:
        """File of the graph for search crops of that side."""
        return self.search.get(str(size)) or self.search[ANY_SIZE]

    def write(self, folder: str | os.PathLike) -> None:
        """Write ``model.json``, last of all files: a folder that has it is complete."""
        content = dict(format=FORMAT, format_version=FORMAT_VERSION) | dataclasses.asdict(self)
        content['stride'] = self.params.stride
        atomic_write(Path(folder, MANIFEST_NAME), json.dumps(content, indent=2) + '\n')

    @classmethod
    def read(cls, folder: str | os.PathLike) -> 'ModelManifest':
        """Read and check a model folder.

        Raises:
            FileNotFoundError: If there is no such folder, or it lacks a file.
            ModelFolderError: If it was written in another version of the format, its description
                cannot be read, or a graph is not the one that was written.
        """
        folder = Path(folder)
        content = _read_json(folder)
        if content.get('format') != FORMAT:
            raise ModelFolderError(
                f'{folder / MANIFEST_NAME} describes no tracker; {_HOW_TO_EXPORT}'
            )
        if content.get('format_version') not in (FORMAT_VERSION, *_OLDER_VERSIONS):
            raise ModelFolderError(
                f'{folder} has version {content.get("format_version")} of the format (written by '
                f'mmpolar {content.get("mmpolar_version")}), and mmpolar {__version__} reads version '
                f'{FORMAT_VERSION}: export the tracker again with this mmpolar, or install that one'
            )
        try:
            manifest = cls._checked(content)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelFolderError(
                f'{folder / MANIFEST_NAME} is incomplete or was edited ({error}); {_HOW_TO_EXPORT}'
            ) from error
        for name, digest in manifest.file_sha256.items():
            _check_file(folder / name, digest)
        return manifest

    @classmethod
    def _checked(cls, content: Mapping[str, Any]) -> 'ModelManifest':
        """The manifest of a file's content.

        Raises:
            KeyError: If an entry is missing.
            ValueError: If one has a wrong type, is out of its range or leads out of the folder.
        """
        content = {_NAMES_OF_VERSION_3.get(key, key): content[key] for key in content}
        entries = {name: content[name] for name in _entries(cls, content)}
        check_values(entries)
        given = entries['params']
        given = current_spelling(given) if isinstance(given, dict) else given
        params = TrackParams(**check_types(TrackParams, given, 'params'))
        mask_params = entries.get('mask_params')
        if mask_params is not None:
            mask_params = MaskParams(**check_types(MaskParams, mask_params, 'mask_params'))
        search = entries['search']
        lacking = [size for size in params.search_sizes if not {str(size), ANY_SIZE} & set(search)]
        if lacking:
            raise ValueError(f'search has no graph for crops of {lacking} pixels')
        kernels = tuple(entries['kernels'])
        return cls(**entries | dict(params=params, mask_params=mask_params, kernels=kernels))


def _entries(manifest: type[ModelManifest], content: Mapping[str, Any]) -> list[str]:
    """Names of the entries to read: all but those that a folder may lack."""
    return [
        field.name
        for field in dataclasses.fields(manifest)
        if field.default is dataclasses.MISSING or field.name in content
    ]


@contextmanager
def new_model_folder(folder: str | os.PathLike) -> Iterator[Path]:
    """A folder to write a model to, whose files replace those of another one when the block ends.

    Until then, and if the block raises, an older model stays as it is. Other files in the folder stay.

    Args:
        folder: The model folder; it is made.

    Yields:
        An empty folder; the block writes ``model.json`` and all graphs to it.
    """
    folder = Path(folder)
    is_new = not folder.exists()
    try:
        with scratch_folder(folder) as written:
            yield written
            _replace_model(folder, written)
    except BaseException:
        if is_new and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        raise


def _replace_model(folder: Path, written: Path) -> None:
    """Move the files of a new model, ``model.json`` last, in place of those of an older one."""
    new = ModelManifest.read(written)
    try:
        old = ModelManifest._checked(_read_json(folder)).file_sha256
    except (OSError, KeyError, TypeError, ValueError, AttributeError):
        old = {}
    (folder / MANIFEST_NAME).unlink(missing_ok=True)
    for name in set(old) - set(new.file_sha256):
        (folder / name).unlink(missing_ok=True)
    names = [path.name for path in written.iterdir() if path.name != MANIFEST_NAME]
    for name in (*names, MANIFEST_NAME):
        os.replace(written / name, folder / name)


def file_sha256(path: str | os.PathLike) -> str:
    """Hash of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _read_json(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise FileNotFoundError(f'there is no model folder {folder}; {_HOW_TO_EXPORT}')
    path = folder / MANIFEST_NAME
    if not path.is_file():
        raise FileNotFoundError(
            f'{folder} is no model folder, it has no {path.name}; {_HOW_TO_EXPORT}'
        )
    try:
        if path.stat().st_size > MAX_MANIFEST_SIZE:
            raise ValueError(f'it has more than {MAX_MANIFEST_SIZE} bytes')
        content = json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        raise ModelFolderError(f'{path} cannot be read ({error}); {_HOW_TO_EXPORT}') from error
    return content if isinstance(content, dict) else {}


def _check_file(path: Path, digest: str) -> None:
    if not path.is_file():
        raise FileNotFoundError(f'model folder {path.parent} lacks {path.name}; copy it again')
    if file_sha256(path) != digest:
        raise ModelFolderError(
            f'{path} is not the file that was exported, it is damaged or replaced; copy it again, '
            f'or {_HOW_TO_EXPORT}'
        )
