"""The database of a labelling project: clips, targets and labels, each change written at once."""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

#: Form of the tables; raised when it changes.
_VERSION = 1
#: Seconds that a change waits for that of another process.
_BUSY_SECONDS = 10
_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS clips(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, frames INTEGER NOT NULL,
    width INTEGER NOT NULL, height INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS targets(
    id INTEGER PRIMARY KEY, clip INTEGER NOT NULL REFERENCES clips, name TEXT NOT NULL,
    color TEXT NOT NULL, revision INTEGER NOT NULL DEFAULT 1, removed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS steps(
    id INTEGER PRIMARY KEY AUTOINCREMENT, clip INTEGER NOT NULL REFERENCES clips, what TEXT NOT NULL,
    removed_target INTEGER REFERENCES targets, undone INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS labels(
    revision INTEGER PRIMARY KEY AUTOINCREMENT, clip INTEGER NOT NULL, target INTEGER NOT NULL,
    frame INTEGER NOT NULL, kind TEXT NOT NULL, hand INTEGER NOT NULL, mask TEXT, score REAL,
    mark INTEGER, step INTEGER);
CREATE INDEX IF NOT EXISTS labels_of_frame ON labels(target, frame, revision);
CREATE INDEX IF NOT EXISTS labels_of_clip ON labels(clip, revision);
PRAGMA user_version={_VERSION};
COMMIT;
"""
#: What a label says of a target: where it is, that it is not visible, that this is not known, nothing.
MASK, ABSENT, LOST, NONE = 'mask', 'absent', 'lost', 'none'
KINDS = (MASK, ABSENT, LOST, NONE)


class ConflictError(ValueError):
    """A change was based on something that somebody else has changed since."""


@dataclass(frozen=True)
class Clip:
    """A video or a folder of images: its number and name, how many frames it has, their size in pixels."""

    id: int
    name: str
    frames: int
    width: int
    height: int


@dataclass(frozen=True)
class TargetEntry:
    """A target of a clip: its number, color ``#rrggbb``, and how often name and color were changed."""

    id: int
    clip: int
    name: str
    color: str
    revision: int


@dataclass(frozen=True)
class Label:
    """What is known of a target in a frame.

    Attributes:
        revision: Number of this change of the project; later ones are larger.
        target: Number of the target.
        frame: Index of the frame.
        kind: :data:`MASK`, :data:`ABSENT`, :data:`LOST` or :data:`NONE`.
        hand: Whether a person said so: an anchor, which tracking never overwrites.
        mask: File of the mask, relative to the project's own folder; None without one.
        score: The tracker's confidence; None for a person's.
        mark: Tells the anchor that the label was tracked from, or that it is, from others. It stays
            the same where undo brings a label back.
    """

    revision: int
    target: int
    frame: int
    kind: str
    hand: bool
    mask: str | None
    score: float | None
    mark: int | None


_TARGET_COLUMNS = 'id, clip, name, color, revision'
_LABEL_COLUMNS = 'target, frame, kind, hand, mask, score, mark'


class Store:
    """The database; several threads and processes may use it at once.

    Args:
        path: The SQLite file; it is made.

    Raises:
        ValueError: If it is no database of this program, or of a newer one.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(
            path, _BUSY_SECONDS, check_same_thread=False, isolation_level=None
        )
        try:
            self._db.execute('PRAGMA journal_mode=WAL')
            self._db.execute('PRAGMA synchronous=FULL')
            [(version,)] = self._rows('PRAGMA user_version')
            if version < _VERSION:
                self._db.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise ValueError(
                f'{path} cannot be used as the database of a project ({error}); move it away to '
                'start anew, the masks beside it stay'
            ) from error
        if version > _VERSION:
            self._db.close()
            raise ValueError(f'{path} was written by a newer mmpolar; update this one')

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    def clips(self) -> list[Clip]:
        """The clips that were opened before."""
        return [Clip(*row) for row in self._rows('SELECT * FROM clips ORDER BY name')]

    def clip(self, clip: int) -> Clip:
        """A clip by its number; raises KeyError if there is none."""
        return Clip(*self._row('SELECT * FROM clips WHERE id=?', (clip,), f'clip {clip}'))

    def add_clip(self, name: str, frames: int, size: tuple[int, int]) -> Clip:
        """The clip of a name, which is added unless it is there.

        Args:
            name: Name of its file or folder.
            frames: How many there are.
            size: Width and height in pixels.

        Raises:
            ValueError: If it has labels and is not what it was when they were made.
        """
        with self._change() as db:
            known = db.execute('SELECT * FROM clips WHERE name=?', (name,)).fetchone()
            if known is None:
                values = (name, frames, *size)
                cursor = db.execute(
                    'INSERT INTO clips(name, frames, width, height) VALUES(?,?,?,?)', values
                )
                return Clip(cursor.lastrowid, *values)
        if known[2:] != (frames, *size):
            raise ValueError(
                f'{name} has {frames} frames of {size[0]} x {size[1]} pixels, and its labels were '
                f'made for {known[2]} of {known[3]} x {known[4]}: bring the earlier file back, or '
                'give this one another name'
            )
        return Clip(*known)

    def targets(self, clip: int) -> list[TargetEntry]:
        """Targets of a clip, in the order in which they were added."""
        query = f'SELECT {_TARGET_COLUMNS} FROM targets WHERE clip=? AND NOT removed ORDER BY id'
        return [TargetEntry(*row) for row in self._rows(query, (clip,))]

    def target(self, target: int) -> TargetEntry:
        """A target by its number; raises KeyError if there is none."""
        query = f'SELECT {_TARGET_COLUMNS} FROM targets WHERE id=? AND NOT removed'
        return TargetEntry(*self._row(query, (target,), f'target {target}'))

    def add_target(self, clip: int, name: str, color: str) -> TargetEntry:
        """Add a target to a clip."""
        with self._change() as db:
            self.clip(clip)
            cursor = db.execute(
                'INSERT INTO targets(clip, name, color) VALUES(?,?,?)', (clip, name, color)
            )
            return self.target(cursor.lastrowid)

    def change_target(self, target: int, name: str, color: str, seen: int) -> TargetEntry:
        """Rename a target or give it another colour.

        Args:
            target: Its number.
            name: New name.
            color: New colour.
            seen: Revision that the change is based on.

        Raises:
            ConflictError: If that is not the current one.
            KeyError: If there is no such target.
        """
        with self._change() as db:
            entry = self.target(target)
            if entry.revision != seen:
                raise ConflictError(f'{entry.name} was renamed meanwhile; look at it again')
            db.execute(
                'UPDATE targets SET name=?, color=?, revision=revision+1 WHERE id=?',
                (name, color, target),
            )
            return self.target(target)

    def remove_target(self, target: int) -> None:
        """Remove a target with its labels; :meth:`undo` brings it back."""
        with self._change() as db:
            entry = self.target(target)
            db.execute('UPDATE targets SET removed=1 WHERE id=?', (target,))
            db.execute(
                'INSERT INTO steps(clip, what, removed_target) VALUES(?,?,?)',
                (entry.clip, f'remove {entry.name}', target),
            )

    def label(self, revision: int) -> Label:
        """A label, also an earlier one, by its revision; raises KeyError if there is none."""
        found = self._newest('revision=?', revision)
        if not found:
            raise KeyError(f'there is no label {revision}')
        return found[0]

    def labels(self, clip: int, since: int = 0) -> list[Label]:
        """The current labels of a clip that were written after a revision; also those of kind none."""
        return self._newest('clip=? AND revision>?', clip, since)

    def current(self, target: int, frame: int) -> Label | None:
        """The current label of a target in a frame; None where there never was one."""
        found = self._newest('target=? AND frame=?', target, frame)
        return found[0] if found else None

    def put_hand(
        self,
        target: int,
        frames: Sequence[int],
        kind: str,
        mask: str | None,
        seen: int,
        what: str,
    ) -> Label:
        """Write what a person says of a target.

        Args:
            target: Its number.
            frames: Frames of which it is said; in those after the first that have a person's label
                already nothing changes.
            kind: A :data:`KINDS`; :data:`NONE` takes a label back.
            mask: File of the mask, with :data:`MASK`.
            seen: Revision of the person's label in the first frame that the change is based on; 0 if
                there was none.
            what: What is done, for :meth:`undo`.

        Returns:
            The label of the first frame.

        Raises:
            ConflictError: If somebody else has labelled the first frame since.
            KeyError: If there is no such target.
        """
        with self._change() as db:
            entry = self.target(target)
            step = self._add_step(entry.clip, what)
            for number, frame in enumerate(frames):
                known = self.current(target, frame)
                revision = known.revision if known is not None and known.hand else 0
                if number == 0 and revision != seen:
                    raise ConflictError(
                        f'frame {frame} of {entry.name} was changed meanwhile; look at it again'
                    )
                if number and revision:
                    continue
                label = Label(0, target, frame, kind, kind != NONE, mask, None, None)
                self._insert(entry.clip, label, step)
            db.execute('UPDATE labels SET mark=revision WHERE step=? AND hand', (step,))
            return self.current(target, frames[0])

    def begin_step(self, clip: int, what: str) -> int:
        """Number of a new step, which :meth:`put_tracked` fills and :meth:`undo` takes back."""
        with self._change():
            return self._add_step(clip, what)

    def put_tracked(
        self, step: int, anchors: Iterable[Label], labels: Iterable[Label]
    ) -> list[bool]:
        """Write what was tracked in a frame.

        A person's label stays. Nothing is written for an anchor that was changed since.

        Args:
            step: Of :meth:`begin_step`.
            anchors: Where each of the labels was tracked from.
            labels: The labels, without revision.

        Returns:
            For each whether its anchor still holds, so that tracking is to go on.
        """
        holds = []
        with self._change() as db:
            [clip] = db.execute('SELECT clip FROM steps WHERE id=?', (step,)).fetchone()
            present = {target.id for target in self.targets(clip)}
            for anchor, label in zip(anchors, labels, strict=True):
                now = self.current(anchor.target, anchor.frame)
                holds.append(label.target in present and now.mark == anchor.mark)
                known = self.current(label.target, label.frame)
                if holds[-1] and not (known is not None and known.hand):
                    self._insert(clip, label, step)
        return holds

    def last_step(self, clip: int) -> tuple[int, str] | None:
        """Number and name of the step that :meth:`undo` would take back, None if there is none."""
        rows = self._rows(
            'SELECT id, what FROM steps WHERE clip=? AND NOT undone AND (removed_target IS NOT NULL OR '
            'EXISTS(SELECT 1 FROM labels WHERE step=steps.id)) ORDER BY id DESC LIMIT 1',
            (clip,),
        )
        return rows[0] if rows else None

    def undo(self, clip: int, seen: int) -> None:
        """Take the last step of a clip back.

        Args:
            clip: Number of the clip.
            seen: Number of the step that is meant.

        Raises:
            ConflictError: If it is not the last one.
        """
        with self._change() as db:
            last = self.last_step(clip)
            if last is None or last[0] != seen:
                raise ConflictError(
                    'somebody else has changed this clip meanwhile; look at it again'
                )
            db.execute('UPDATE steps SET undone=1 WHERE id=?', (seen,))
            db.execute(
                'UPDATE targets SET removed=0 WHERE id=(SELECT removed_target FROM steps WHERE id=?)',
                (seen,),
            )
            for target, frame, first in db.execute(
                'SELECT target, frame, MIN(revision) FROM labels WHERE step=? GROUP BY target, frame',
                (seen,),
            ).fetchall():
                before = self._newest('target=? AND frame=? AND revision<?', target, frame, first)
                nothing = Label(0, target, frame, NONE, False, None, None, None)
                self._insert(clip, before[0] if before else nothing, None)

    def mask_files(self) -> set[str]:
        """Files of masks that labels name, also earlier ones."""
        return {mask for (mask,) in self._rows('SELECT mask FROM labels WHERE mask IS NOT NULL')}

    def _add_step(self, clip: int, what: str) -> int:
        return self._db.execute('INSERT INTO steps(clip, what) VALUES(?,?)', (clip, what)).lastrowid

    def _insert(self, clip: int, label: Label, step: int | None) -> None:
        self._db.execute(
            f'INSERT INTO labels(clip, step, {_LABEL_COLUMNS}) VALUES(?,?,?,?,?,?,?,?,?)',
            (clip, step, *astuple(label)[1:]),
        )

    def _newest(self, condition: str, *values: int) -> list[Label]:
        """The newest label of each target and frame among those that meet a condition."""
        # SQLite takes the other columns from the row that has the maximum.
        rows = self._rows(
            f'SELECT MAX(revision), {_LABEL_COLUMNS} FROM labels WHERE {condition} '
            'GROUP BY target, frame',
            values,
        )
        return [
            Label(revision, target, frame, kind, bool(hand), *rest)
            for revision, target, frame, kind, hand, *rest in rows
        ]

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """A transaction, which other threads and processes see whole or not at all."""
        with self._lock, self._db:
            self._db.execute('BEGIN IMMEDIATE')
            yield self._db

    def _rows(self, query: str, values: Sequence = ()) -> list[tuple]:
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def _row(self, query: str, values: Sequence, what: str) -> tuple:
        rows = self._rows(query, values)
        if not rows:
            raise KeyError(f'there is no {what}')
        return rows[0]
