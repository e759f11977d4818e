"""Which checkpoint an interrupted training goes on from."""

import shutil

import pytest
import torch

from mmpolar.utils.checkpoints import CheckpointReadError, check_resumable, newest_checkpoint


def write(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        number = int(name.split('_')[-1].removesuffix('.pth'))
        meta = dict(epoch=number, iter=10 * number)
        torch.save(
            dict(meta=meta, state_dict=dict(a=torch.ones(99)), message_hub={}), folder / name
        )


def note(folder, text):
    (folder / 'last_checkpoint').write_text(str(text))


def cut(path):
    path.write_bytes(path.read_bytes()[:-500])


@pytest.fixture
def work_dir(tmp_path):
    write(tmp_path / 'w', 'epoch_2.pth', 'epoch_9.pth', 'epoch_10.pth')
    note(tmp_path / 'w', tmp_path / 'w/epoch_10.pth')
    return tmp_path / 'w'


def newest(work_dir, *folders):
    path, skipped = newest_checkpoint(work_dir, folders)
    return path.relative_to(work_dir.parent).as_posix(), len(skipped)


def test_the_noted_checkpoint_is_the_newest(work_dir):
    assert newest(work_dir) == ('w/epoch_10.pth', 0)
    note(work_dir, work_dir / 'epoch_9.pth')  # a training that was started again
    assert newest(work_dir) == ('w/epoch_9.pth', 0)


@pytest.mark.parametrize('text', [None, '', ' \n'])
def test_without_a_note_it_is_that_of_the_highest_epoch(work_dir, text):
    (work_dir / 'last_checkpoint').unlink()
    if text is not None:
        note(work_dir, text)
    assert newest(work_dir) == ('w/epoch_10.pth', 0)


def test_a_note_that_is_no_text_is_as_none(work_dir):
    (work_dir / 'last_checkpoint').write_bytes(b'\xff\0\xfe')
    assert newest(work_dir) == ('w/epoch_10.pth', 0)


def test_a_note_that_cannot_be_read_is_as_none(work_dir):
    (work_dir / 'last_checkpoint').unlink()
    (work_dir / 'last_checkpoint').mkdir()
    assert newest(work_dir) == ('w/epoch_10.pth', 0)


def test_a_folder_that_was_moved_or_copied_has_its_own(work_dir, tmp_path):
    note(work_dir, work_dir / 'epoch_9.pth')
    shutil.copytree(work_dir, tmp_path / 'copy')
    assert newest(tmp_path / 'copy') == ('copy/epoch_9.pth', 0)
    work_dir.rename(tmp_path / 'moved')
    assert newest(tmp_path / 'moved') == ('moved/epoch_9.pth', 0)


def test_a_noted_checkpoint_that_is_gone_is_said(work_dir):
    note(work_dir, work_dir / 'epoch_11.pth')
    path, [reason] = newest_checkpoint(work_dir)
    assert path.name == 'epoch_10.pth'
    assert 'epoch_11.pth' in reason


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_taken(work_dir):
    cut(work_dir / 'epoch_10.pth')
    path, [reason] = newest_checkpoint(work_dir)
    assert path.name == 'epoch_9.pth'
    assert 'epoch_10.pth' in reason
    note(work_dir, '')
    assert newest(work_dir) == ('w/epoch_9.pth', 1)


def test_one_before_is_not_one_of_an_older_training(work_dir):
    note(work_dir, work_dir / 'epoch_9.pth')
    cut(work_dir / 'epoch_9.pth')
    assert newest(work_dir) == ('w/epoch_2.pth', 1)


def test_weights_alone_are_passed_over(work_dir):
    torch.save(dict(state_dict=dict(a=torch.ones(3))), work_dir / 'epoch_10.pth')
    path, [reason] = newest_checkpoint(work_dir)
    assert path.name == 'epoch_9.pth'
    assert 'lacks message_hub, epoch, iter' in reason


def test_if_none_is_whole_all_are_named(work_dir):
    for name in ('epoch_2.pth', 'epoch_9.pth', 'epoch_10.pth'):
        cut(work_dir / name)
    with pytest.raises(CheckpointReadError, match=r'epoch_10\.pth.*epoch_9\.pth.*epoch_2\.pth'):
        newest_checkpoint(work_dir)


def test_checkpoints_may_lie_elsewhere(tmp_path):
    write(tmp_path / 'out', 'iter_100.pth', 'iter_20.pth')
    (tmp_path / 'w').mkdir()
    assert newest(tmp_path / 'w', tmp_path / 'out') == ('out/iter_100.pth', 0)


def test_nothing_to_resume(tmp_path):
    assert newest_checkpoint(tmp_path / 'none') == (None, [])
    (tmp_path / 'epoch_x.pth').touch()
    (tmp_path / '.epoch_3.pth.vm-1-12345678.unfinished').touch()
    assert newest_checkpoint(tmp_path) == (None, [])
    note(tmp_path, '/gone/epoch_3.pth')
    with pytest.raises(FileNotFoundError, match='/gone/epoch_3.pth'):
        newest_checkpoint(tmp_path)


def test_a_checkpoint_that_is_given_is_checked_too(work_dir):
    check_resumable(work_dir / 'epoch_2.pth')
    torch.save(dict(state_dict={}, meta={}), work_dir / 'weights.pth')
    with pytest.raises(CheckpointReadError, match=r'weights\.pth lacks .*load_from'):
        check_resumable(work_dir / 'weights.pth')
