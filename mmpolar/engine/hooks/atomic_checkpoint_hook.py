"""Checkpoints that survive the end of the process that writes them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mmpolar.registry import HOOKS
from mmpolar.utils.atomic_local_backend import AtomicLocalBackend
from mmpolar.utils.checkpoints import check_resumable, newest_checkpoint
from mmpolar.utils.folder_lock import lock_folder, release_folder


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook``, safe against a process that dies while it saves.

    At every moment the file ``last_checkpoint`` names a checkpoint that is whole:

    - a checkpoint is written under another name, flushed to the disk and then renamed, and
      ``last_checkpoint`` likewise, once the checkpoint has its name;
    - outdated checkpoints, and the former best one, are removed after that, not before.

    A training that is resumed without a path goes on from the newest checkpoint that is whole, see
    :func:`mmpolar.utils.checkpoints.newest_checkpoint`. Two trainings in one work directory would
    write over each other's checkpoints: the second is refused.

    One more checkpoint than ``max_keep_ckpts`` needs room on the disk therefore. Outputs that are
    not local files keep the backend that MMEngine has for them.

    Args:
        **kwargs: See :class:`mmengine.hooks.CheckpointHook`.
    """

    def before_run(self, runner: Runner) -> None:
        """Choose the checkpoint to resume from.

        Raises:
            CheckpointReadError: If there are checkpoints, and none can be resumed.
            FileNotFoundError: If the newest one is gone, and there is no other.
        """
        # MMEngine offers no other way: it would start from the beginning where last_checkpoint is missing.
        if not runner._resume:
            return
        if runner._load_from is not None:
            if os.path.isfile(runner._load_from):
                check_resumable(runner._load_from)
            return
        folders = [] if self.out_dir is None else [Path(self.out_dir, Path(runner.work_dir).name)]
        found, skipped = newest_checkpoint(runner.work_dir, folders)
        for reason in skipped:
            runner.logger.warning(f'not resumed: {reason}')
        if found is None:
            runner.logger.warning(
                f'no checkpoint in {runner.work_dir}: the training starts from the beginning'
            )
            runner._resume = False
            return
        runner.logger.info(f'The training is resumed from {found}')
        runner._load_from = str(found)

    def before_train(self, runner: Runner) -> None:
        """Choose where and how to write; see :class:`mmengine.hooks.CheckpointHook`.

        Raises:
            FolderInUseError: If another training writes to the work directory.
        """
        if is_main_process():
            lock_folder(runner.work_dir, 'training')
        if self.backend_args is None and self.file_client_args is None:
            backend = get_file_backend(str(self.out_dir or runner.work_dir))
            if type(backend) is LocalBackend:
                self.backend_args = dict(backend='atomic_local')
        super().before_train(runner)

    def after_train(self, runner: Runner) -> None:
        """Let another training write to the work directory."""
        super().after_train(runner)
        release_folder(runner.work_dir)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        # In place of MMEngine's method, which removes before it saves.
        outdated = self._keep(runner, step)
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if not is_main_process():
            return
        AtomicLocalBackend().put_text(self.last_ckpt, Path(runner.work_dir) / 'last_checkpoint')
        if outdated is not None and self.file_backend.isfile(outdated):
            self.file_backend.remove(outdated)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, float]) -> None:
        with self._removal_afterwards():
            super()._save_best_checkpoint(runner, metrics)

    def _keep(self, runner: Runner, step: int) -> str | None:
        """Count a checkpoint among those that are kept; the path of the one that it drives out."""
        if self.max_keep_ckpts <= 0 or step in list(self.keep_ckpt_ids)[-1:]:
            return None
        outdated = None
        if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
            name = self.filename_tmpl.format(self.keep_ckpt_ids.popleft())
            outdated = self.file_backend.join_path(self.out_dir, name)
        self.keep_ckpt_ids.append(step)
        runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        return outdated

    @contextmanager
    def _removal_afterwards(self) -> Iterator[None]:
        """Files that the block removes go at its end, save those that it has written again."""
        backend = self.file_backend
        self.file_backend = postponing = _PostponedRemoval(backend)
        try:
            yield
        finally:
            self.file_backend = backend
        best = {getattr(self, 'best_ckpt_path', None)}
        best.update(getattr(self, 'best_ckpt_path_dict', {}).values())
        for path in postponing.removed:
            if path not in best:
                backend.remove(path)


class _PostponedRemoval:
    """A file backend that notes what to remove instead of removing it."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.removed: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self.removed.append(path)
