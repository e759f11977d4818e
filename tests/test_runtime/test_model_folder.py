"""Folders that are no model, damaged, or of another version."""

import json
import shutil

import pytest
from small_export import small_model_folder

from mmpolar.runtime import ModelFolderError, ModelManifest, OnnxEngine


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(small_model_folder(), tmp_path / 'model')


def edit(folder, **changes):
    path = folder / 'model.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_manifest_is_read_as_it_was_written(folder, tmp_path):
    manifest = ModelManifest.read(folder)
    manifest.write(folder)
    assert ModelManifest.read(folder) == manifest
    assert manifest.search_file(255) == manifest.search_file(287) == 'search.onnx'
    assert not list(folder.glob('*.partial'))


def test_absent_folder_names_the_command_that_writes_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no model folder .*nowhere; .*mmpolar export'):
        OnnxEngine(tmp_path / 'nowhere')


def test_another_folder_is_no_model(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no model\.json; .*mmpolar export'):
        OnnxEngine(tmp_path)


@pytest.mark.parametrize('text', ['{"half": ', '[1, 2]', '{"format": "other"}'])
def test_another_json_file_is_no_description(folder, text):
    (folder / 'model.json').write_text(text)
    with pytest.raises(ModelFolderError, match=r'mmpolar export'):
        OnnxEngine(folder)


def test_another_version_names_both(folder):
    edit(folder, format_version=99, mmpolar_version='7.0')
    with pytest.raises(
        ModelFolderError, match=r'version 99 .*mmpolar 7\.0.* reads version 4: export'
    ):
        OnnxEngine(folder)


def test_unknown_parameters_are_named(folder):
    params = json.loads((folder / 'model.json').read_text())['params']
    edit(folder, params=params | dict(speed=3))
    with pytest.raises(ModelFolderError, match='speed'):
        OnnxEngine(folder)


def test_damaged_and_missing_graphs_are_named(folder):
    path = folder / 'search.onnx'
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelFolderError, match=r'search\.onnx is not the file that was exported'):
        OnnxEngine(folder)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r'lacks search\.onnx'):
        OnnxEngine(folder)


def test_folders_of_the_version_before_are_read(folder):
    expected = ModelManifest.read(folder)
    content = json.loads((folder / 'model.json').read_text())
    params = dict(content['params'])
    params['outline_share'] = params.pop('contour_share')
    content.update(format_version=3, outline=content.pop('contour'), params=params)
    (folder / 'model.json').write_text(json.dumps(content))
    assert ModelManifest.read(folder) == expected
