"""The checkpoint that an interrupted training goes on from."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from mmpolar.utils.checkpoints.safe_reading import CheckpointReadError, read_checkpoint

#: File of a work directory in which MMEngine notes the newest checkpoint.
LAST_CHECKPOINT = 'last_checkpoint'
_NAME = re.compile(r'(epoch|iter)_(\d+)\.pth')


def newest_checkpoint(
    work_dir: str | os.PathLike, folders: Sequence[str | os.PathLike] = ()
) -> tuple[Path | None, list[str]]:
    """The newest checkpoint of a training that is whole.

    That is the one in ``last_checkpoint``, also if the folder was moved since; without that file, or
    if it is damaged, the one of the highest epoch or iteration before it.

    Args:
        work_dir: Work directory of the training.
        folders: Where else it keeps checkpoints.

    Returns:
        The checkpoint, None if there is none at all; and why newer ones were passed over.

    Raises:
        CheckpointReadError: If there are checkpoints and none can be resumed.
        FileNotFoundError: If ``last_checkpoint`` names a file that is not there, and there is no other.
    """
    folders = [Path(folder) for folder in dict.fromkeys(map(str, (work_dir, *folders)))]
    noted = _read_note(Path(work_dir) / LAST_CHECKPOINT)
    last = _find(noted, folders)
    candidates = _candidates(folders, last)
    skipped = []
    if noted is not None and last is None:
        skipped.append(f'{noted}, which {LAST_CHECKPOINT} names, is not there')
    for path in candidates:
        try:
            check_resumable(path)
        except CheckpointReadError as error:
            skipped.append(str(error))
        else:
            return path, skipped
    if candidates:
        raise CheckpointReadError(
            f'none of the checkpoints in {work_dir} can be resumed: {"; ".join(skipped)}. Give '
            'another one to --resume, or move them away to start from the beginning'
        )
    if skipped:
        raise FileNotFoundError(
            f'{skipped[0]}, nor is any other checkpoint in {work_dir}; copy it there, or remove '
            f'{Path(work_dir) / LAST_CHECKPOINT} to start from the beginning'
        )
    return None, []


def check_resumable(path: str | os.PathLike) -> None:
    """Read a checkpoint as resuming will.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointReadError: If it is damaged, or holds weights alone.
    """
    checkpoint = read_checkpoint(path)
    meta = checkpoint.get('meta')
    absent = [name for name in ('state_dict', 'message_hub') if name not in checkpoint]
    absent += [name for name in ('epoch', 'iter') if not isinstance(meta, dict) or name not in meta]
    if absent:
        raise CheckpointReadError(
            f'{path} lacks {", ".join(absent)}, so that no training can be resumed from it; use it as '
            'load_from to start a training from its weights'
        )


def _read_note(path: Path) -> str | None:
    try:
        return path.read_text(encoding='utf-8').strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _find(noted: str | None, folders: Sequence[Path]) -> Path | None:
    """The file that is noted: that of its name here, as the folder may be a copy, or where it was."""
    if noted is None or '\0' in noted:
        return None
    name = re.split(r'[/\\]', noted)[-1]
    for path in (*(folder / name for folder in folders), Path(noted)):
        if path.is_file():
            return path
    return None


def _candidates(folders: Sequence[Path], last: Path | None) -> list[Path]:
    """Checkpoints to try: the last one, and those before it, the newest first."""
    found = {}
    for folder in folders:
        for path in folder.iterdir() if folder.is_dir() else ():
            if (match := _NAME.fullmatch(path.name)) and path.is_file():
                found[path] = (match[1], int(match[2]))
    if last is None:
        return sorted(found, key=lambda path: found[path], reverse=True)
    match = _NAME.fullmatch(last.name)
    of_last = (match[1], int(match[2])) if match else None
    before = [
        path
        for path, step in found.items()
        if of_last is None or (step[0] == of_last[0] and step[1] < of_last[1])
    ]
    return [last, *sorted(before, key=lambda path: found[path], reverse=True)]
