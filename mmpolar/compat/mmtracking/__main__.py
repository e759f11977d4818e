"""Runs a command in which MMTracking can be imported. See ``--help``."""

import argparse
import os
import shutil
import sys
from pathlib import Path

STARTUP_FOLDER = Path(__file__).resolve().parent / 'startup'
EXAMPLES = """
examples:
  python -m mmpolar.compat.mmtracking .../mmtrack/.mim/tools/train.py CONFIG
  python -m mmpolar.compat.mmtracking tools/test.py CONFIG CHECKPOINT
  python -m mmpolar.compat.mmtracking mim train mmtrack CONFIG
"""


def main() -> None:
    """Replace this process by the command, with the bridge switched on."""
    parser = argparse.ArgumentParser(
        prog='python -m mmpolar.compat.mmtracking',
        description='Run a command in which MMTracking can be imported, by it and by every Python '
        'that it starts.',
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('command', help='a Python script (*.py), or a program')
    parser.add_argument('arguments', nargs=argparse.REMAINDER, help='what to hand to it')
    args = parser.parse_args()
    command = [args.command, *args.arguments]
    if args.command.endswith('.py'):
        command.insert(0, sys.executable)
    if shutil.which(command[0]) is None:
        parser.error(f'no program {command[0]}')
    os.execvpe(command[0], command, bridged_environment())


def bridged_environment() -> dict[str, str]:
    """This process's environment, in which a Python that starts finds the startup folder."""
    folders = os.environ.get('PYTHONPATH', '').split(os.pathsep)
    folders = [folder for folder in folders if folder and folder != str(STARTUP_FOLDER)]
    return os.environ | dict(PYTHONPATH=os.pathsep.join([str(STARTUP_FOLDER), *folders]))


if __name__ == '__main__':
    main()
