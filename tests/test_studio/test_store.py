"""Labels are written at once; a change that is based on an older one is refused."""

import sqlite3

import pytest

from mmpolar.studio.store import ABSENT, LOST, MASK, NONE, ConflictError, Label, Store


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path / 'project.db')
    yield opened
    opened.close()


@pytest.fixture
def target(store):
    clip = store.add_clip('car.mp4', 100, (160, 120))
    return store.add_target(clip.id, 'car', '#ff8800')


def tracked(anchor, frame, kind=MASK):
    return Label(0, anchor.target, frame, kind, False, f'{frame}.png', 0.5, anchor.mark)


def put_tracked(store, anchor, frames, clip=1):
    step = store.begin_step(clip, 'tracking')
    for frame in frames:
        store.put_tracked(step, [anchor], [tracked(anchor, frame)])


def kinds(store, clip=1):
    return {one.frame: (one.kind, one.hand) for one in store.labels(clip) if one.kind != NONE}


def test_labels_of_others_are_not_overwritten_silently(store, target, tmp_path):
    other = Store(tmp_path / 'project.db')  # another process, with its own connection
    first = store.put_hand(target.id, [3], MASK, 'a.png', 0, 'a')
    with pytest.raises(ConflictError, match='frame 3 of car was changed'):
        other.put_hand(target.id, [3], MASK, 'b.png', 0, 'b')
    second = other.put_hand(target.id, [3], MASK, 'b.png', first.revision, 'b')
    with pytest.raises(ConflictError):
        store.put_hand(target.id, [3], ABSENT, None, first.revision, 'c')
    assert store.current(target.id, 3) == second
    other.close()


def test_tracking_never_overwrites_what_a_person_said(store, target):
    anchor = store.put_hand(target.id, [0], MASK, 'a.png', 0, 'mark')
    store.put_hand(target.id, [2], ABSENT, None, 0, 'absent')
    put_tracked(store, anchor, range(1, 5))
    expected = {0: (MASK, True), 2: (ABSENT, True)} | dict.fromkeys((1, 3, 4), (MASK, False))
    assert kinds(store) == expected
    # A person may say otherwise of a tracked frame at any time.
    store.put_hand(target.id, [3], LOST, None, 0, 'lost')
    assert kinds(store)[3] == (LOST, True)


def test_tracking_ends_where_its_anchor_was_changed(store, target):
    anchor = store.put_hand(target.id, [0], MASK, 'a.png', 0, 'mark')
    step = store.begin_step(1, 'tracking')
    assert store.put_tracked(step, [anchor], [tracked(anchor, 1)]) == [True]
    store.put_hand(target.id, [0], MASK, 'b.png', anchor.revision, 'mark again')
    assert store.put_tracked(step, [anchor], [tracked(anchor, 2)]) == [False]
    assert 2 not in kinds(store)


def test_undo_takes_steps_back_one_by_one(store, target):
    anchor = store.put_hand(target.id, [0], MASK, 'a.png', 0, 'mark')
    put_tracked(store, anchor, range(1, 4))
    before = kinds(store)
    store.put_hand(target.id, [2, 3], ABSENT, None, 0, 'absent')
    store.remove_target(target.id)
    assert store.targets(1) == []
    for what in ('remove car', 'absent'):
        number, name = store.last_step(1)
        assert name == what
        store.undo(1, number)
    assert kinds(store) == before
    assert store.current(target.id, 2).mask == '2.png'
    # What was tracked still counts as tracked from its anchor.
    assert {one.mark for one in store.labels(1)} == {anchor.mark}
    store.undo(1, store.last_step(1)[0])
    assert kinds(store) == {0: (MASK, True)}
    store.undo(1, store.last_step(1)[0])
    assert kinds(store) == {}
    assert store.last_step(1) is None


def test_undo_of_a_step_that_is_not_the_last_is_refused(store, target):
    store.put_hand(target.id, [0], MASK, 'a.png', 0, 'mark')
    seen = store.last_step(1)[0]
    store.put_hand(target.id, [1], MASK, 'b.png', 0, 'mark')
    with pytest.raises(ConflictError):
        store.undo(1, seen)
    assert set(kinds(store)) == {0, 1}


def test_changes_since_a_revision_are_told(store, target):
    first = store.put_hand(target.id, [0], MASK, 'a.png', 0, 'mark')
    store.put_hand(target.id, [1], MASK, 'b.png', 0, 'mark')
    assert [one.frame for one in store.labels(1, first.revision)] == [1]
    store.put_hand(target.id, [0], NONE, None, first.revision, 'clear')
    assert {one.frame: one.kind for one in store.labels(1, first.revision)} == {0: NONE, 1: MASK}


def test_a_range_keeps_what_a_person_said_in_it(store, target):
    store.put_hand(target.id, [2], MASK, 'a.png', 0, 'mark')
    store.put_hand(target.id, range(1, 4), ABSENT, None, 0, 'absent')
    assert kinds(store) == {1: (ABSENT, True), 2: (MASK, True), 3: (ABSENT, True)}


def test_targets_are_renamed_by_one_at_a_time(store, target):
    store.change_target(target.id, 'bus', '#000000', target.revision)
    with pytest.raises(ConflictError, match='bus was renamed'):
        store.change_target(target.id, 'van', '#000000', target.revision)
    assert store.target(target.id).name == 'bus'


def test_a_video_that_is_no_longer_the_labelled_one_is_refused(store, target):
    with pytest.raises(ValueError, match='made for 100 of 160 x 120'):
        store.add_clip('car.mp4', 90, (160, 120))


def test_files_that_are_no_project_are_refused_and_kept(tmp_path):
    path = tmp_path / 'project.db'
    path.write_bytes(b'something else' * 100)
    with pytest.raises(ValueError, match='cannot be used as the database'):
        Store(path)
    assert path.read_bytes().startswith(b'something else')
    newer = sqlite3.connect(tmp_path / 'newer.db')
    newer.execute('PRAGMA user_version=99')
    newer.close()
    with pytest.raises(ValueError, match='newer mmpolar'):
        Store(tmp_path / 'newer.db')
