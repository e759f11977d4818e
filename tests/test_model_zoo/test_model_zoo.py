"""Trained trackers are found by name, and what the package holds is whole."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from published_model import publish_small
from small_export import small_model_folder

from mmpolar.apis import available_models, init_tracker
from mmpolar.model_zoo import (
    DEFAULT_FOLDER,
    FOLDER_VARIABLE,
    INT8_SUFFIX,
    PACKAGE_FOLDER,
    ModelNotFoundError,
    available_model_folders,
    find_checkpoint,
    find_model_folder,
)
from mmpolar.runtime import ModelManifest
from mmpolar.tracking.params import RENAMED_PARAMS
from mmpolar.utils.checkpoints import read_release_checkpoint
from mmpolar.utils.deprecation import with_new_keys
from mmpolar.utils.shared_values import load_config

ROOT = Path(__file__).resolve().parents[2]
PACKAGED = sorted(PACKAGE_FOLDER.glob('*.pth'))
PACKAGED_INT8 = sorted(PACKAGE_FOLDER.glob('*_int8'))
CALIBRATION = ('score_slope', 'score_offset')
#: What a package of this kind may weigh: each tracker holds a mask stage of 7 MB, and twice, two once more in
#: 8 bits. PyPI takes 100 MB.
MAX_BYTES = 86e6


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder of two models of one's own, one of them with graphs."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    for name in ('small', 'other'):
        publish_small(tmp_path, name)
    (tmp_path / 'small').symlink_to(small_model_folder())
    return tmp_path


def test_own_models_are_listed_beside_those_of_the_package(own):
    packaged = [path.stem for path in PACKAGED]
    assert available_models() == sorted(['small', 'other', *packaged])
    copies = {path.name for path in PACKAGED_INT8}
    assert set(available_model_folders()) - set(packaged) - copies == {'small'}


def test_models_are_found_by_name(own):
    assert find_checkpoint('other') == own / 'other.pth'
    assert find_model_folder('small') == own / 'small'


@pytest.mark.parametrize(
    ('find', 'there', 'remedy'),
    [
        (find_checkpoint, 'other, small|small', 'publish_model.py'),
        (find_model_folder, 'small', 'mmpolar export'),
    ],
)
def test_unknown_name_lists_those_there_are(own, find, there, remedy):
    with pytest.raises(ModelNotFoundError) as caught:
        find('smal')
    assert "'smal'" in str(caught.value)
    assert any(names in str(caught.value) for names in there.split('|'))
    assert remedy in str(caught.value)


def test_looking_for_models_needs_the_standard_library_only():
    code = (
        'import sys; import mmpolar.model_zoo; '
        "third = {'numpy', 'torch', 'mmengine'} & set(sys.modules); sys.exit(bool(third))"
    )
    assert subprocess.run([sys.executable, '-c', code]).returncode == 0


def without_calibration(model):
    """A model's config in today's words but for what is fitted to its weights after the training."""
    model = model.to_dict()
    options = with_new_keys(model['test_cfg'], RENAMED_PARAMS, 'test_cfg')
    model['test_cfg'] = {k: v for k, v in options.items() if k not in CALIBRATION}
    # A training takes the packaged stage, the release was given one whose weights are in it.
    model['mask_stage'].pop('init_cfg', None)
    return model


@pytest.mark.parametrize('path', PACKAGED, ids=lambda path: path.stem)
def test_packaged_checkpoint_is_whole_and_fits_the_config_of_its_name(path):
    published = read_release_checkpoint(path)
    assert published.name == path.stem
    config = load_config(ROOT / f'configs/ocean_polar/{path.stem}.py')
    assert without_calibration(published.config.model) == without_calibration(config.model)
    assert init_tracker(path.stem).model.mask_head.n_rays == config.model.mask_head.n_rays


@pytest.mark.parametrize('path', PACKAGED, ids=lambda path: path.stem)
def test_packaged_graphs_are_those_of_the_checkpoint(path):
    manifest = ModelManifest.read(find_model_folder(path.stem))
    assert manifest.weights_sha256 == read_release_checkpoint(path).weights_sha256


@pytest.mark.parametrize('folder', PACKAGED_INT8, ids=lambda path: path.name)
def test_packaged_8_bit_copies_are_those_of_the_checkpoint(folder):
    manifest = ModelManifest.read(folder)
    exact = ModelManifest.read(find_model_folder(folder.name.removesuffix(INT8_SUFFIX)))
    assert manifest.precision == 'int8'
    # Parameters, weights and all else but the graphs.
    assert (
        dataclasses.replace(manifest, precision='float32', file_sha256=exact.file_sha256) == exact
    )


def test_the_default_of_the_runtime_is_that_of_pytorch_in_8_bits():
    assert find_model_folder() == PACKAGE_FOLDER / DEFAULT_FOLDER
    assert find_checkpoint().stem + INT8_SUFFIX == DEFAULT_FOLDER


def test_pytorch_takes_no_8_bit_copy():
    with pytest.raises(
        ModelNotFoundError, match='for ONNX Runtime; with PyTorch name one of .*natural'
    ):
        find_checkpoint(DEFAULT_FOLDER)


def test_package_stays_small():
    files = [path for path in PACKAGE_FOLDER.rglob('*') if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MAX_BYTES
