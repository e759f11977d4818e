"""Small files that ask for much memory are refused before it is taken."""

import io
import os
import zipfile

import pytest
import torch

from mmpolar.utils.checkpoints import CheckpointReadError, load_from_local, read_checkpoint

HUGE = 2 * 10**9
FORMATS = pytest.mark.parametrize('is_archive', [True, False])
READERS = pytest.mark.parametrize('read', [read_checkpoint, load_from_local])


def save(path, content, is_archive=True):
    torch.save(content, path, _use_new_zipfile_serialization=is_archive)
    return str(path)


@FORMATS
@READERS
@pytest.mark.parametrize(
    'content',
    [
        dict(state_dict=dict(a=torch.zeros(1).expand(HUGE))),
        dict(meta=[(torch.zeros(2, 1).expand(2, HUGE),)], state_dict={}),
        dict(state_dict={str(n): torch.zeros(500_000) for n in range(1)} | {}),
        dict(state_dict=dict(a=bytearray(8))),
        dict(state_dict=dict(a=torch.eye(3).to_sparse())),
        dict(state_dict=dict(a=torch.zeros(HUGE, device='meta'))),
    ],
    ids=['repeated', 'nested', 'plain', 'bytes', 'sparse', 'meta'],
)
def test_only_what_is_in_the_file_is_read(tmp_path, request, content, read, is_archive):
    path = save(tmp_path / 'a.pth', content, is_archive)
    if 'plain' in request.node.callspec.id:
        assert torch.equal(read(path)['state_dict']['0'], content['state_dict']['0'])
        return
    with pytest.raises(CheckpointReadError, match=r'a\.pth .*memory than it has bytes'):
        read(path)


@READERS
def test_many_views_of_the_same_numbers_are_refused(tmp_path, read):
    numbers = torch.zeros(1_000_000)
    content = dict(state_dict={str(n): numbers.view(1000, 1000) for n in range(200)})
    with pytest.raises(CheckpointReadError, match='its tensors have 800000000 bytes'):
        read(save(tmp_path / 'a.pth', content))


@FORMATS
def test_weights_that_layers_share_are_read(tmp_path, is_archive):
    weight = torch.rand(300, 300)
    content = dict(state_dict=dict(a=weight, b=weight, c=weight[10:20], d=weight.t()))
    got = read_checkpoint(save(tmp_path / 'a.pth', content, is_archive))['state_dict']
    assert all(torch.equal(got[name], value) for name, value in content['state_dict'].items())


@READERS
def test_compressed_entries_are_refused(tmp_path, read):
    buffer = io.BytesIO()
    torch.save(dict(state_dict=dict(a=torch.zeros(2_000_000))), buffer)
    path = tmp_path / 'a.pth'
    with (
        zipfile.ZipFile(buffer) as source,
        zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as packed,
    ):
        for info in source.infolist():
            packed.writestr(info.filename, source.read(info))
    assert os.path.getsize(path) < 40_000
    with pytest.raises(CheckpointReadError, match='compressed'):
        read(str(path))


@FORMATS
@READERS
def test_damaged_files_are_named(tmp_path, read, is_archive):
    whole = tmp_path / 'whole.pth'
    save(whole, dict(state_dict=dict(a=torch.rand(1000))), is_archive)
    data = whole.read_bytes()
    for length in (0, 1, 3, 10, len(data) // 2, len(data) - 1):
        (tmp_path / 'cut.pth').write_bytes(data[:length])
        with pytest.raises(CheckpointReadError, match=r'cut\.pth'):
            read(str(tmp_path / 'cut.pth'))
