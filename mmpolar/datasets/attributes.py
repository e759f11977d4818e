"""What benchmarks say about the difficulties of their sequences: occlusion, fast motion and so on."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmpolar.datasets.base_track_dataset import BaseTrackDataset
from mmpolar.datasets.lasot_dataset import LaSOTDataset
from mmpolar.datasets.otb_dataset import OTBDataset
from mmpolar.datasets.sequence_files import read_flags
from mmpolar.datasets.uav123_dataset import UAV123Dataset
from mmpolar.utils.text_file import read_json, read_text

#: By attribute and name of the track: its frames to which the attribute applies, (T,) bool, or None
#: for all of them.
Attributes = dict[str, dict[str, NDArray[np.bool_] | None]]


@dataclass(frozen=True)
class AttributeFiles:
    """One file a sequence with a 0 or 1 for each attribute.

    Attributes:
        names: The attributes, in the order of the files' columns.
        folders: Where the files may lie below ``data_root``; ``{version}`` is the dataset's.
    """

    names: tuple[str, ...]
    folders: tuple[str, ...]


# OTB: tracker_benchmark v1.0 (Wu et al., TPAMI 2015), perfPlot.m and its folder anno/att.
# LaSOT: the official toolkit (Fan et al., CVPR 2019), run_tracker_performance_evaluation.m, annos/att.
# UAV123: the header of the table in the dataset's own DatasetAnnotation.pdf (Mueller et al., ECCV
# 2016), anno/<version>/att.
FORMATS: Mapping[type[BaseTrackDataset], AttributeFiles] = {
    OTBDataset: AttributeFiles(
        ('IV', 'OPR', 'SV', 'OCC', 'DEF', 'MB', 'FM', 'IPR', 'OV', 'BC', 'LR'),
        ('att', 'anno/att'),
    ),
    LaSOTDataset: AttributeFiles(
        ('IV', 'POC', 'DEF', 'MB', 'CM', 'ROT', 'BC', 'VC', 'SV', 'FOC', 'FM', 'OV', 'LR', 'ARC'),
        ('att', 'annos/att'),
    ),
    UAV123Dataset: AttributeFiles(
        ('SV', 'ARC', 'LR', 'FM', 'FOC', 'POC', 'OV', 'BC', 'IV', 'VC', 'CM', 'SOB'),
        ('anno/{version}/att',),
    ),
}
#: Attributes of the frames of VOT's sequences, each in a file ``<attribute>.tag``.
FRAME_TAGS = ('camera_motion', 'illum_change', 'motion_change', 'occlusion', 'size_change')
#: Frames of VOT to which none of these applies.
NO_TAG = 'none'

#: What the short names stand for.
LONG_NAMES = dict(
    ARC='aspect ratio change',
    BC='background clutter',
    CM='camera motion',
    DEF='deformation',
    FM='fast motion',
    FOC='full occlusion',
    IPR='in-plane rotation',
    IV='illumination variation',
    LR='low resolution',
    MB='motion blur',
    OCC='occlusion',
    OPR='out-of-plane rotation',
    OV='out of view',
    POC='partial occlusion',
    ROT='rotation',
    SOB='similar object',
    SV='scale variation',
    VC='viewpoint change',
)


def read_attributes(dataset: BaseTrackDataset, path: str | os.PathLike | None = None) -> Attributes:
    """Attributes of the sequences of a dataset, or of their frames.

    Args:
        dataset: OTB, LaSOT or UAV123, whose official files have an attribute a column; VOT, whose
            ``*.tag`` files have a line a frame; or any other, with ``path``.
        path: Folder with the official files, if it is not where the dataset is; or, for any data
            set, a JSON file with a list of attributes for each sequence,
            ``{"bear": ["occlusion", "fast motion"]}``.

    Returns:
        The attributes in the order of the benchmark, without those that no sequence has.

    Raises:
        FileNotFoundError: If there is no such file or folder, or it lacks a sequence.
        ValueError: If the dataset has no attributes that are known, or a file cannot be read.
    """
    names = [dataset.get_track(index).video_name for index in range(dataset.num_videos)]
    if path is not None and Path(path).suffix == '.json':
        return _from_json(Path(path), names)
    if type(dataset) in FORMATS:
        return _from_files(dataset, names, path)
    found = _from_flags(dataset)
    if not found:
        known = ', '.join(kind.__name__ for kind in FORMATS)
        raise ValueError(
            f'dataset "{dataset.name}" ({type(dataset).__name__}) tells no attributes; those of '
            f'{known} and VOTDataset are known, for others give a JSON file'
        )
    return found


def _from_json(path: Path, names: list[str]) -> Attributes:
    listed = read_json(path)
    is_right = isinstance(listed, dict) and all(isinstance(one, list) for one in listed.values())
    if not is_right:
        raise ValueError(f'{path} must hold a list of attributes by sequence: {{"bear": ["blur"]}}')
    lacking = [name for name in names if name not in listed]
    if lacking:
        raise ValueError(f'{path} lacks {len(lacking)} sequences, the first is {lacking[0]!r}')
    found: Attributes = {}
    for name in names:
        for attribute in listed[name]:
            found.setdefault(str(attribute), {})[name] = None
    return found


def _from_files(
    dataset: BaseTrackDataset, names: list[str], path: str | os.PathLike | None
) -> Attributes:
    columns = FORMATS[type(dataset)].names
    folder = _attribute_folder(dataset) if path is None else Path(path)
    if not folder.is_dir():
        raise FileNotFoundError(f'folder {folder} with the files of the attributes does not exist')
    # OTB's toolkit and its datasets do not agree on capitals.
    files = {entry.stem.lower(): entry for entry in folder.glob('*.txt')}
    found: Attributes = {column: {} for column in columns}
    for name in names:
        if name.lower() not in files:
            raise FileNotFoundError(
                f'folder {folder} has no file {name}.txt with the attributes of that sequence'
            )
        file = files[name.lower()]
        values = read_flags(file, len(columns))
        if len(read_text(file).replace(',', ' ').split()) != len(columns):
            raise ValueError(f'{file} must have {len(columns)} numbers: {", ".join(columns)}')
        for column, value in zip(columns, values, strict=True):
            if value > 0:
                found[column][name] = None
    return {column: sequences for column, sequences in found.items() if sequences}


def _attribute_folder(dataset: BaseTrackDataset) -> Path:
    version = getattr(dataset, 'version', '')
    root = Path(dataset.data_root)
    candidates = [root / part.format(version=version) for part in FORMATS[type(dataset)].folders]
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f'dataset "{dataset.name}": no folder {" or ".join(map(str, candidates))}; put the files '
        "of the benchmark's toolkit there, or say where they are"
    )


def _from_flags(dataset: BaseTrackDataset) -> Attributes:
    """Tags of the frames, where the dataset has them."""
    found: Attributes = {tag: {} for tag in (*FRAME_TAGS, NO_TAG)}
    for index in range(dataset.num_videos):
        track = dataset.get_track(index)
        tags = {tag: track.flags[tag] > 0 for tag in FRAME_TAGS if tag in track.flags}
        if tags:
            tags[NO_TAG] = ~np.any(list(tags.values()), axis=0)
        for tag, frames in tags.items():
            if frames.any():
                found[tag][track.video_name] = frames
    return {tag: sequences for tag, sequences in found.items() if sequences}
