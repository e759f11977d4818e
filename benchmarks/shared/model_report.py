"""What benchmarks of one exported tracker have in common on the command line."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmpolar.model_zoo import DEFAULT_MODEL
from mmpolar.utils.tables import write_json


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the tracker, its threads, and the file for what is measured."""
    parser.add_argument(
        '--model', default=DEFAULT_MODEL, help='name or folder (default: %(default)s)'
    )
    parser.add_argument('--threads', type=int, help='threads of the network')
    parser.add_argument('--out', type=Path, help='write what was measured to this JSON file')


def add_online_argument(parser: argparse.ArgumentParser) -> None:
    """Add the share of the online model."""
    parser.add_argument(
        '--online-share',
        type=float,
        help='share of the online model, 0 without (default: as the tracker has it)',
    )


def write_report(path: Path | None, report: Mapping[str, Any]) -> None:
    """Write what was measured as JSON, if a file was given; its folder is made."""
    if path is not None:
        write_json(path, report)
