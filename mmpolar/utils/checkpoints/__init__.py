"""Checkpoints: safe reading, loading weights, release checkpoints, conversion of Ocean's."""

from mmpolar.utils.checkpoints.local_files import load_from_local
from mmpolar.utils.checkpoints.newest import check_resumable, newest_checkpoint
from mmpolar.utils.checkpoints.packaged_scheme import load_trained_tracker
from mmpolar.utils.checkpoints.release_checkpoint import (
    ReleaseCheckpoint,
    TrainingFacts,
    facts_of_training,
    halve,
    read_release_checkpoint,
    write_release_checkpoint,
)
from mmpolar.utils.checkpoints.safe_reading import (
    CheckpointReadError,
    read_checkpoint,
    register_safe_globals,
)
from mmpolar.utils.checkpoints.untrusted_config import (
    UnsafeConfigError,
    check_untrusted_config,
    read_untrusted_config,
)
from mmpolar.utils.checkpoints.weights import CheckpointMismatchError, load_weights, weights_sha256

__all__ = [
    'CheckpointMismatchError',
    'CheckpointReadError',
    'ReleaseCheckpoint',
    'TrainingFacts',
    'UnsafeConfigError',
    'check_resumable',
    'check_untrusted_config',
    'facts_of_training',
    'halve',
    'load_from_local',
    'load_trained_tracker',
    'load_weights',
    'newest_checkpoint',
    'read_checkpoint',
    'read_release_checkpoint',
    'read_untrusted_config',
    'register_safe_globals',
    'weights_sha256',
    'write_release_checkpoint',
]
