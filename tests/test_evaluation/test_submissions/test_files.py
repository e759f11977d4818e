"""Folders and archives, and files that lie in the wrong place in them."""

import os
import shutil
import zipfile
from contextlib import suppress

import pytest
from submission_cases import LENGTH, Case

from mmpolar.evaluation.result_folder import ResultFolder
from mmpolar.evaluation.submissions import expected_sequences, make_submission
from mmpolar.evaluation.submissions.files import MAX_FILE_SIZE, create_submission, open_submission
from mmpolar.utils.file_names import FileNameError


def pack(folder, archive, prefix=''):
    with zipfile.ZipFile(archive, 'w') as packed:
        for path in sorted(folder.rglob('*')):
            if path.is_file():
                packed.write(path, prefix + path.relative_to(folder).as_posix())
    return archive


def remake(case: Case, out):
    sequences = expected_sequences(case.dataset)
    make_submission(case.format, sequences, ResultFolder(case.results), out)


def test_a_folder_holds_what_an_archive_holds(davis2017, tmp_path):
    remake(davis2017, tmp_path / 'folder')
    with open_submission(tmp_path / 'folder') as folder:
        assert {name: folder.read(name) for name in folder.names} == davis2017.files()
    assert davis2017.check(tmp_path / 'folder') == set()
    assert sorted(path.name for path in tmp_path.iterdir()) == ['folder']


def test_the_same_results_give_the_same_archive(davis2017, tmp_path):
    remake(davis2017, tmp_path / 'a.zip')
    remake(davis2017, tmp_path / 'a.zip')
    assert (tmp_path / 'a.zip').read_bytes() == davis2017.archive.read_bytes()
    shutil.unpack_archive(tmp_path / 'a.zip', tmp_path / 'unpacked')
    with zipfile.ZipFile(tmp_path / 'a.zip') as archive:
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o644}


def test_a_folder_that_holds_something_is_left_alone(lasot, tmp_path):
    (tmp_path / 'old.txt').write_text('x')
    with pytest.raises(FileExistsError, match='not an empty folder'):
        remake(lasot, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['old.txt']


def test_an_empty_folder_is_filled(lasot, tmp_path):
    remake(lasot, tmp_path)
    assert lasot.check(tmp_path) == set()


@pytest.mark.parametrize('name', ['new.zip', 'new'])
def test_nothing_half_made_is_left_behind(name, tmp_path):
    with suppress(KeyboardInterrupt), create_submission(tmp_path / name) as writer:
        writer.put('a/b.txt', b'x')
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_results_without_a_video_are_refused(lasot, tmp_path):
    shutil.copytree(lasot.results, tmp_path / 'results')
    os.remove(tmp_path / 'results/boxes/cat-7.txt')
    sequences = expected_sequences(lasot.dataset)
    with pytest.raises(FileNotFoundError, match='lack 1 of 2 videos: cat-7'):
        make_submission(
            lasot.format, sequences, ResultFolder(tmp_path / 'results'), tmp_path / 'x.zip'
        )
    assert not (tmp_path / 'x.zip').exists()


@pytest.mark.parametrize('prefix', ['results/', 'a/b/'])
@pytest.mark.parametrize('case', ['got10k', 'trackingnet', 'davis2017', 'youtube_vos'])
def test_a_folder_too_much_is_the_only_thing_found(case, prefix, request, tmp_path):
    case = request.getfixturevalue(case)
    archive = pack(case.unpack(), tmp_path / 'x.zip', prefix)
    assert case.check(archive) == {('error', 'wrong folder', prefix)}


def test_a_lacking_folder_is_the_only_thing_found(youtube_vos, tmp_path):
    archive = pack(youtube_vos.unpack() / 'Annotations', tmp_path / 'x.zip')
    assert youtube_vos.check(archive) == {('error', 'wrong folder', 'Annotations/')}


def test_images_without_their_folders_belong_nowhere(davis2017, tmp_path):
    archive = pack(davis2017.unpack() / 'one', tmp_path / 'x.zip')
    frames = {f'{frame:05d}.png' for frame in range(LENGTH)}
    assert davis2017.check(archive) == {
        ('error', 'missing sequence', 'one'),
        ('error', 'missing sequence', 'two'),
    } | {('error', 'extra file', name) for name in frames}


def test_other_faults_are_found_below_a_folder_too_much(lasot, tmp_path):
    folder = lasot.unpack()
    (folder / 'cat-7.txt').unlink()
    (folder / 'cat-8.txt').write_text('1,1,1,1\n')
    archive = pack(folder, tmp_path / 'x.zip', 'mine/')
    assert lasot.check(archive) == {
        ('error', 'wrong folder', 'mine/'),
        ('error', 'missing sequence', 'cat-7'),
        ('error', 'extra file', 'mine/cat-8.txt'),
    }


def test_what_is_no_archive_is_said_to_be_none(lasot, tmp_path):
    (tmp_path / 'x.zip').write_bytes(b'no zip')
    found = lasot.check(tmp_path / 'x.zip')
    assert found == {('error', 'no archive', str(tmp_path / 'x.zip'))}
    with pytest.raises(FileNotFoundError, match='no submission at'):
        lasot.check(tmp_path / 'y.zip')


@pytest.mark.filterwarnings('ignore:Duplicate name')
def test_an_entry_that_is_there_twice_is_found(lasot, tmp_path):
    archive = shutil.copy(lasot.archive, tmp_path / 'x.zip')
    with zipfile.ZipFile(archive, 'a') as packed:
        packed.writestr('cat-7.txt', lasot.files()['cat-7.txt'])
    assert lasot.check(archive) == {('error', 'repeated file', 'cat-7.txt')}


def test_a_damaged_entry_is_unreadable(davis2017, tmp_path):
    content = bytearray(davis2017.archive.read_bytes())
    at = content.index(davis2017.files()['one/00003.png']) + 40
    content[at] ^= 0xFF
    (tmp_path / 'x.zip').write_bytes(content)
    assert davis2017.check(tmp_path / 'x.zip') == {('error', 'unreadable file', 'one/00003.png')}


def test_an_empty_submission_lacks_every_sequence(davis2017, tmp_path):
    with create_submission(tmp_path / 'x.zip'):
        pass
    found = davis2017.check(tmp_path / 'x.zip')
    assert found == {('error', 'missing sequence', name) for name in ('one', 'two')}


@pytest.mark.parametrize('out', ['new.zip', 'new'])
@pytest.mark.parametrize('name', ['../x.txt', '/x.txt', 'a/../../x.txt', 'a//x.txt', 'a\\x.txt'])
def test_names_that_lead_out_of_a_submission_are_refused(out, name, tmp_path):
    with pytest.raises(FileNameError, match=r'x\.txt'), create_submission(tmp_path / out) as writer:
        writer.put(name, b'x')
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('out', ['new.zip', 'new'])
def test_two_results_of_one_name_are_refused(out, tmp_path):
    with create_submission(tmp_path / out) as writer:
        writer.put('a.txt', b'x')
        with pytest.raises(ValueError, match='two results'):
            writer.put('a.txt', b'y')


def test_a_file_that_is_huge_once_unpacked_is_not_unpacked(lasot, tmp_path):
    archive = tmp_path / 'x.zip'
    with (
        zipfile.ZipFile(archive, 'w', zipfile.ZIP_DEFLATED) as packed,
        packed.open('a.txt', 'w', force_zip64=True) as file,
    ):
        for _ in range(MAX_FILE_SIZE >> 22):
            file.write(bytes(1 << 22))
        file.write(b'x')
    assert archive.stat().st_size < MAX_FILE_SIZE / 100
    with open_submission(archive) as files, pytest.raises(OSError, match='bytes unpacked'):
        files.read('a.txt')
