"""Reads checkpoints and model folders that are damaged at random; run as a program, with little memory.

It prints how many of each kind were read and refused, and ends with the traceback of the first file
whose reader raised anything but the documented errors.
"""

import io
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from damaged_files import damage, limit_memory, read_damaged
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from torch import nn

from mmpolar.datasets.track import Track
from mmpolar.datasets.track_index import encode_tracks, open_index_file, pack_index_file
from mmpolar.runtime import ModelFolderError, ModelManifest, OnnxEngine
from mmpolar.runtime.model_folder import file_sha256
from mmpolar.tracking import TrackParams
from mmpolar.utils.checkpoints import (
    CheckpointMismatchError,
    CheckpointReadError,
    TrainingFacts,
    check_resumable,
    load_from_local,
    load_weights,
    read_checkpoint,
    read_release_checkpoint,
    write_release_checkpoint,
)

Change = Callable[[bytes, np.random.Generator], bytes]
#: A file to damage, how, what reads it, and what that may raise.
Case = tuple[Path, Change, Callable[[], object], tuple[type[Exception], ...]]
CHECKPOINT_ERRORS = (CheckpointReadError, CheckpointMismatchError)
FOLDER_ERRORS = (ModelFolderError, FileNotFoundError)


def as_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    return damage(data, rng, is_text=False)


def as_text(data: bytes, rng: np.random.Generator) -> bytes:
    return damage(data, rng, is_text=True)


def in_pickle(data: bytes, rng: np.random.Generator) -> bytes:
    """A whole archive whose pickle is damaged, in which checksums are right."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as whole, zipfile.ZipFile(changed, 'w') as archive:
        for entry in whole.infolist():
            content = whole.read(entry)
            is_pickle = entry.filename.endswith('.pkl')
            archive.writestr(
                entry.filename, damage(content, rng, rng.random() < 0.5) if is_pickle else content
            )
    return changed.getvalue()


def training(root: Path, change: Change, is_archive: bool = True) -> Case:
    """A checkpoint of a training."""
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    content = dict(
        meta=dict(epoch=3, iter=30, seed=1, cfg="model = dict(type='Ocean')", time='20261129_1'),
        state_dict=model.state_dict(),
        message_hub=dict(log_scalars=dict(loss=HistoryBuffer([3.0, 1.0], [1, 1]))),
        optimizer=dict(state={0: dict(step=torch.tensor(3.0), value=np.float64(2))}),
    )
    path = root / 'epoch_3.pth'
    torch.save(content, path, _use_new_zipfile_serialization=is_archive)

    def read() -> None:
        for reader in (read_checkpoint, load_from_local, check_resumable):
            reader(str(path))
        load_weights(model, path)

    return path, change, read, CHECKPOINT_ERRORS


def release(root: Path, change: Change) -> Case:
    """A release checkpoint."""
    text = 'said by nobody'
    facts = TrainingFacts(3, 30, 1, True, '2026-11-29', text, text, text, text, '0' * 64)
    config = Config(dict(model=dict(type='MaskStage', channels=[3, 4], name='x'), lr=0.1))
    path = root / 'small.pth'
    write_release_checkpoint(path, nn.Linear(3, 4).state_dict(), config, facts)
    return path, change, lambda: read_release_checkpoint(path), CHECKPOINT_ERRORS


def release_text(root: Path) -> Case:
    """A release checkpoint whose config is damaged, and nothing else."""
    path, *rest = release(root, as_text)
    content = torch.load(path, weights_only=True)
    source = root / 'config.py'
    source.write_text(content['meta']['cfg'])

    def read() -> None:
        content['meta']['cfg'] = source.read_text(encoding='utf-8', errors='surrogateescape')
        torch.save(content, path)
        read_release_checkpoint(path)

    return source, as_text, read, CHECKPOINT_ERRORS


def model_folder(root: Path) -> tuple[Path, ModelManifest]:
    folder = root / 'model'
    folder.mkdir(exist_ok=True)
    names = ('template.onnx', 'search.onnx', 'contour.onnx')
    for name in names:
        (folder / name).write_bytes(name.encode())
    manifest = ModelManifest(
        params=TrackParams(),
        n_rays=36,
        normalization=dict(mean=[0.0] * 3, std=[1.0] * 3, bgr_to_rgb=True),
        precision='float32',
        kernels=('kernel_0',),
        template=names[0],
        search=dict(any=names[1]),
        contour=names[2],
        refines=False,
        weights_sha256='0' * 64,
        file_sha256={name: file_sha256(folder / name) for name in names},
    )
    manifest.write(folder)
    return folder, manifest


def description(root: Path) -> Case:
    """The ``model.json`` of a folder."""
    folder, _ = model_folder(root)
    return folder / 'model.json', as_text, lambda: ModelManifest.read(folder), FOLDER_ERRORS


def graph(root: Path) -> Case:
    """A graph, whose hash is right."""
    folder, manifest = model_folder(root)
    path = folder / manifest.template
    path.write_bytes(_identity_graph())

    def read() -> None:
        manifest.file_sha256[manifest.template] = file_sha256(path)
        manifest.write(folder)
        OnnxEngine(folder, threads=1)._session(manifest.template)

    return path, as_bytes, read, FOLDER_ERRORS


def _identity_graph() -> bytes:
    from onnx import TensorProto, helper

    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ['T', 3]) for n in ('a', 'b')]
    weight = helper.make_tensor('w', TensorProto.FLOAT, [3], [1.0, 2.0, 3.0])
    node = helper.make_node('Add', ['a', 'w'], ['b'])
    made = helper.make_graph([node], 'g', values[:1], values[1:], [weight])
    opset = [helper.make_opsetid('', 17)]
    return helper.make_model(made, opset_imports=opset, ir_version=8).SerializeToString()


def index(root: Path) -> Case:
    """The index of a dataset, which is made again if it is damaged."""
    boxes = np.arange(8, dtype=np.float32).reshape(2, 4)
    tracks = [
        Track(video_name=str(i), frames=['a/0.jpg', 'a/1.jpg'], boxes=boxes) for i in range(3)
    ]
    path = root / 'x.index'
    path.write_bytes(pack_index_file(encode_tracks(tracks), dict(a=[1, 2])))

    def read() -> None:
        if open_index_file(path, dict(a=[1, 2])) is None:
            raise LookupError

    return path, as_bytes, read, (LookupError,)


CASES = {
    'training': lambda root: training(root, as_bytes),
    'training, pickle': lambda root: training(root, in_pickle),
    'training, old': lambda root: training(root, as_bytes, is_archive=False),
    'release': lambda root: release(root, as_bytes),
    'release, pickle': lambda root: release(root, in_pickle),
    'release, config': release_text,
    'model.json': description,
    'graph': graph,
    'index': index,
}


def main(root: Path, count: int) -> None:
    """Read ``count`` damaged files of each kind below ``root``."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    limit_memory()
    for number, (name, make) in enumerate(CASES.items()):
        folder = root / str(number)
        folder.mkdir()
        path, change, read, documented = make(folder)

        def seeded(whole: bytes, seed: int, number=number, change=change) -> bytes:
            return change(whole, np.random.default_rng([number, seed]))

        read_damaged(name, path, seeded, read, documented, count)


if __name__ == '__main__':
    main(Path(sys.argv[1]), int(sys.argv[2]))
