"""Folders that are no model, damaged, or of another version."""

import json
import shutil
from pathlib import Path

import pytest
from small_export import small_model_folder

from mmpolar.runtime import ModelFolderError, ModelManifest, OnnxEngine
from mmpolar.runtime.model_folder import MAX_MANIFEST_SIZE, file_sha256, new_model_folder


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


def changed(content, entry, value):
    """A copy in which an entry, as ``params.stride``, has another value."""
    first, _, rest = entry.partition('.')
    return content | {first: changed(content[first], rest, value) if rest else value}


HASH = '0' * 64


@pytest.mark.parametrize(
    ('entry', 'value'),
    [
        ('params', [1]),
        ('params.stride', 0),
        ('params.scan_zooms', 1.0),
        ('params.scan_zooms', [1.0, '2']),
        ('params.scan_zooms', [1e-9]),
        ('params.stride', '8'),
        ('params.stride', True),
        ('params.stride', 8.5),
        ('params.template_size', -1),
        ('params.search_size', 10**9),
        ('params.lost_search_size', 10**12),
        ('params.penalty_k', None),
        ('params.penalty_k', float('nan')),
        ('params.context_amount', float('inf')),
        ('params.score_slope', 10**400),
        ('params.lr', 2),
        ('params.crop', 3),
        ('mask_params', {'crop_size': 160}),
        ('n_rays', 2),
        ('n_rays', 10**9),
        ('n_rays', None),
        ('n_rays', '72'),
        ('contour', None),
        ('contour', '../contour.onnx'),
        ('template', '/etc/passwd'),
        ('template', ''),
        ('template', 7),
        ('template', 'model.json'),
        ('masks', 'masks.onnx'),
        ('search', {}),
        ('search', ['search.onnx']),
        ('search', {'any': 'a/../search.onnx'}),
        ('search', {'large': 'search.onnx'}),
        ('search', {'255': 'search.onnx'}),
        ('kernels', []),
        ('kernels', ['a', 'a']),
        ('kernels', 'kernel_0'),
        ('kernels', [1]),
        ('refines', 1),
        ('precision', 'int4'),
        ('precision', ['int8']),
        ('normalization', None),
        ('normalization', {}),
        ('normalization.std', [1, 0, 1]),
        ('normalization.mean', [1, 2]),
        ('normalization.mean', 'abc'),
        ('normalization.bgr_to_rgb', 'yes'),
        ('weights_sha256', 'x'),
        ('file_sha256', {}),
        ('file_sha256', None),
        ('file_sha256', {'template.onnx': HASH}),
        ('file_sha256.extra', HASH[1:]),
        ('file_sha256.extra', None),
        ('mmpolar_version', 1),
    ],
)
def test_values_of_another_type_or_range_are_refused(folder, entry, value):
    path = folder / 'model.json'
    path.write_text(json.dumps(changed(json.loads(path.read_text()), entry, value)))
    with pytest.raises(ModelFolderError, match=r'model\.json is incomplete or was edited'):
        OnnxEngine(folder)


def test_each_missing_entry_is_named(folder):
    path = folder / 'model.json'
    content = json.loads(path.read_text())
    for name in set(content) - {'masks', 'mask_params', 'mmpolar_version', 'stride'}:
        path.write_text(json.dumps({key: content[key] for key in content if key != name}))
        with pytest.raises(ModelFolderError, match='describes no tracker|version None|edited'):
            OnnxEngine(folder)


@pytest.mark.parametrize(
    'text',
    ['[' * 100_000, '{"format": ' + '9' * 5000 + '}', ' ' * (MAX_MANIFEST_SIZE + 1), '\udcff', ''],
    ids=['deep', 'digits', 'long', 'no text', 'empty'],
)
def test_json_that_cannot_be_read_is_refused(folder, text):
    (folder / 'model.json').write_bytes(text.encode(errors='surrogateescape'))
    with pytest.raises(ModelFolderError, match=r'model\.json'):
        OnnxEngine(folder)


def test_a_file_with_the_right_hash_that_is_no_graph_is_named(folder):
    (folder / 'template.onnx').write_bytes(b'no graph')
    path = folder / 'model.json'
    content = json.loads(path.read_text())
    content['file_sha256']['template.onnx'] = file_sha256(folder / 'template.onnx')
    path.write_text(json.dumps(content))
    engine = OnnxEngine(folder)
    with pytest.raises(ModelFolderError, match=r'template\.onnx is no graph'):
        engine.encode(None, None)


def listing(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def test_a_new_model_replaces_an_older_one_and_leaves_other_files(folder, tmp_path):
    other = shutil.copytree(small_model_folder(), tmp_path / 'other')
    for path in (other, folder):
        (path / 'README').write_text('mine')
    old = json.loads((folder / 'model.json').read_text())
    (folder / 'old.onnx').write_bytes(b'graph of the older model')
    old['file_sha256']['old.onnx'] = file_sha256(folder / 'old.onnx')
    (folder / 'model.json').write_text(json.dumps(old))
    with new_model_folder(folder) as written:
        assert list(written.iterdir()) == []
        shutil.copytree(small_model_folder(), written, dirs_exist_ok=True)
        assert json.loads((folder / 'model.json').read_text()) == old
    assert listing(folder) == listing(other)


@pytest.mark.parametrize('finish', [False, True])
def test_a_model_that_is_not_whole_replaces_nothing(folder, finish):
    before = listing(folder)

    def fail():
        with new_model_folder(folder) as written:
            shutil.copytree(small_model_folder(), written, dirs_exist_ok=True)
            (written / 'search.onnx').write_bytes(b'half')
            if not finish:
                raise KeyboardInterrupt

    with pytest.raises(ModelFolderError if finish else KeyboardInterrupt):
        fail()
    assert listing(folder) == before


def test_a_folder_that_was_made_for_a_failed_model_is_removed(tmp_path):
    def fail():
        with new_model_folder(tmp_path / 'new'):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []
