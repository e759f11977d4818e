"""Tell the VOT toolkit how to start a tracker, and set up a workspace. See ``--help``."""

import argparse
import configparser
import importlib.util
import json
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from mmpolar.cli.arguments import check_counts, tool_parser
from mmpolar.cli.engine_arguments import (
    add_engine_arguments,
    check_engine_arguments,
    engine_arguments,
)
from mmpolar.cli.errors import report_error
from mmpolar.utils.atomic_write import atomic_path, atomic_write

REGISTRY_NAME = 'trackers.ini'
WORKSPACE_NAME = 'config.yaml'
DESCRIPTION = """\
Write a tracker into trackers.ini, from which the VOT toolkit (pip install vot-toolkit) learns how to start
it; with --stack also config.yaml, which makes the folder a workspace of the toolkit. Trackers of other
names stay in the file (comments do not); one of the same name is replaced. The toolkit may live in an environment of its
own: the tracker is started with the Python that runs this command, which needs vot-trax."""
EPILOG = """\
examples
  the PyTorch tracker, answering with masks, and the toolkit's own check of it:
    python tools/vot/register_tracker.py OceanPolar --config CONFIG --checkpoint CHECKPOINT --out vot
    vot --registry vot test OceanPolar
  an exported model, answering with boxes, in a workspace of the VOT2022 box challenge:
    python tools/vot/register_tracker.py OceanPolarBox --model model --region box --out vot \\
        --stack vot2022/shorttermbox
    vot evaluate --workspace vot OceanPolarBox
    vot analysis --workspace vot OceanPolarBox

the whole story: docs/vot.md
"""
#: What the toolkit accepts as the name of a tracker.
_NAME = re.compile(r'[a-zA-Z0-9_-]+')


def main(argv: Sequence[str] | None = None) -> int:
    """Write what the arguments say; returns the exit status."""
    args = parse_args(argv)
    try:
        written = register(args)
    except (OSError, ValueError, configparser.Error) as error:
        return report_error(error)
    print(f'wrote {" and ".join(str(path) for path in written)}')
    return 0


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG)
    parser.add_argument('name', help='name of the tracker: letters, digits, - and _')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder to write to')
    parser.add_argument('--label', help='name in tables and plots (default: the name)')
    parser.add_argument(
        '--timeout',
        type=int,
        default=120,
        metavar='SECONDS',
        help='how long the toolkit waits for an answer; starting counts too (default: %(default)s)',
    )
    parser.add_argument(
        '--stack',
        help='make the folder a workspace of these experiments: one of those that `vot configure` '
        'lists, such as vot2022/shorttermbox, or a YAML file in the folder',
    )
    add_engine_arguments(parser)
    args = parser.parse_args(argv)
    check_engine_arguments(args, parser)
    if not _NAME.fullmatch(args.name):
        parser.error(f'a name has letters, digits, - and _ only, got {args.name!r}')
    check_counts(args, parser, 'timeout')
    return args


def register(args: argparse.Namespace) -> list[Path]:
    """Write the files; returns their paths.

    Raises:
        FileNotFoundError: If a file of the model does not exist.
        ValueError: If vot-trax is missing, or the folder is a workspace already.
    """
    for path in filter(None, (args.config, args.checkpoint, args.model)):
        if not Path(path).exists():
            raise FileNotFoundError(f'{path} does not exist')
    if importlib.util.find_spec('trax') is None:
        raise ValueError(
            f'{sys.executable}, which is to run the tracker, lacks the TraX protocol: '
            'pip install vot-trax'
        )
    folder = Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    written = [write_registry(folder / REGISTRY_NAME, args)]
    return written if args.stack is None else [*written, write_workspace(folder, args.stack)]


def write_registry(path: Path, args: argparse.Namespace) -> Path:
    """Add the tracker to a ``trackers.ini``, or replace it there."""
    registry = configparser.ConfigParser(interpolation=None)
    registry.optionxform = str
    registry.read(path, encoding='utf-8')
    script = Path(__file__).resolve().with_name('trax_tracker.py')
    command = shlex.join([sys.executable, str(script), *engine_arguments(args)])
    registry[args.name] = dict(
        label=args.label or args.name,
        protocol='trax',
        # The toolkit's reader takes a single % for the start of a reference.
        command=command.replace('%', '%%'),
        timeout=str(args.timeout),
    )
    with atomic_path(path) as unfinished, unfinished.open('w', encoding='utf-8') as file:
        registry.write(file)
    return path


def write_workspace(folder: Path, stack: str) -> Path:
    """Make a folder a workspace of the toolkit.

    Raises:
        ValueError: If it is one of another stack.
    """
    path = folder / WORKSPACE_NAME
    content = f'registry:\n- ./{REGISTRY_NAME}\nstack: {json.dumps(stack)}\n'
    if path.exists() and path.read_text(encoding='utf-8') != content:
        raise ValueError(
            f'{path} exists and says something else; give another folder, or leave --stack out to '
            'add a tracker to this workspace'
        )
    for name in ('sequences', 'results'):
        (folder / name).mkdir(exist_ok=True)
    atomic_write(path, content)
    return path


if __name__ == '__main__':
    sys.exit(main())
