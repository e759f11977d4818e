"""``mmpolar studio``: label videos in the browser, export the labels, train on them."""

import argparse
import secrets
import socket
import threading
import webbrowser
from importlib.util import find_spec
from pathlib import Path

from mmpolar.cli.arguments import check_counts
from mmpolar.cli.requirements import MissingPackagesError, require_training
from mmpolar.model_zoo import DEFAULT_FOLDER, ModelNotFoundError, model_name

DESCRIPTION = """\
Label your own videos in the browser: mark a target once, let the tracker follow it, correct it where it
errs. Then export the labels as a dataset, or train a tracker on them.

DIR holds videos, or folders of images. What is done is kept in DIR/mmpolar-studio, at once."""
EPILOG = """\
examples
  mmpolar studio my_videos
  on a server, from your own machine (the printed address has a token):
    mmpolar studio my_videos --host 0.0.0.0 --port 8000
  write the labels as a dataset, without a page:
    mmpolar studio my_videos --export davis --out data/mine
    mmpolar check dataset DavisDataset data/mine --options multi_object=True

Kinds of --export: davis (palette masks; what training reads), coco (run lengths), yolo (polygons), mot
(MOTChallenge). docs/studio.md tells more."""
_PACKAGES = ('starlette', 'uvicorn')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the folder, how it is served, and the export."""
    parser.add_argument('folder', metavar='DIR', type=Path, help='folder of videos')
    parser.add_argument(
        '--model', default=DEFAULT_FOLDER, help='tracker to label with (default: %(default)s)'
    )
    parser.add_argument('--threads', type=int, help='threads of the network (default: 2)')
    served = parser.add_argument_group('the page')
    served.add_argument(
        '--host',
        default='127.0.0.1',
        help='address to listen at (default: %(default)s, this machine alone); with any other one '
        'a token is needed, which is printed',
    )
    served.add_argument(
        '--port', type=int, default=8765, help='(default: %(default)s; 0 takes a free one)'
    )
    served.add_argument('--no-browser', action='store_true', help='open no browser')
    served.add_argument(
        '--max-upload',
        type=int,
        default=2048,
        metavar='MB',
        help='largest video that the page takes (default: %(default)s)',
    )
    exported = parser.add_argument_group('export without a page')
    exported.add_argument(
        '--export', choices=('davis', 'coco', 'yolo', 'mot'), help='what to write'
    )
    exported.add_argument('--out', type=Path, metavar='FOLDER', help='where to')
    exported.add_argument(
        '--clip', action='append', default=[], metavar='NAME', help='only this one; again for more'
    )


def run(args: argparse.Namespace) -> int:
    """Export, or serve the page until Ctrl-C."""
    if bool(args.export) != bool(args.out):
        args.parser.error('an export is --export and --out: give both')
    if args.clip and not args.export:
        args.parser.error('--clip goes with --export')
    check_counts(args, args.parser, 'max_upload', 'threads')
    return export(args) if args.export else serve(args)


def export(args: argparse.Namespace) -> int:
    """Write the labels as a dataset."""
    from mmpolar.studio.exports import export as export_labels
    from mmpolar.studio.project import Project

    summary = export_labels(Project(args.folder), args.export, args.out, args.clip)
    print(f'{len(summary.clips)} clips and {summary.frames} frames are in {args.out}')
    if summary.left_out:
        print(
            f'left out: {summary.left_out} frames in which a target is lost or has no label; mark it, '
            'or mark it as absent'
        )
    return 0


def serve(args: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C."""
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise MissingPackagesError(
            f'mmpolar studio needs {", ".join(missing)}: pip install "mmpolar[studio]"'
        )
    import uvicorn

    from mmpolar.studio.app import StudioOptions, build_app
    from mmpolar.studio.assistant import Assistant
    from mmpolar.studio.guard import LOOPBACK
    from mmpolar.studio.project import Project

    project = Project(args.folder)
    model = model_name(args.model)
    if model not in project.models():
        raise ModelNotFoundError(
            f'there is no tracker {model} to label with; there are {", ".join(project.models())}'
        )
    project.remove_unused_masks()
    try:
        require_training('training')
        cannot_train = None
    except MissingPackagesError as error:
        cannot_train = str(error)
    token = None if args.host in LOOPBACK else secrets.token_urlsafe(24)
    options = StudioOptions(token, args.max_upload * 2**20, cannot_train)
    app = build_app(project, Assistant(project, model, args.threads), options)
    listening = open_socket(args.host, args.port)
    name = f'[{args.host}]' if ':' in args.host else args.host
    address = f'http://{name}:{listening.getsockname()[1]}/' + (f'?token={token}' if token else '')
    print(f'the page is at {address}\nCtrl-C ends it; everything is kept', flush=True)
    if not args.no_browser:
        threading.Timer(1, webbrowser.open, [address]).start()
    config = uvicorn.Config(app, log_level='warning', timeout_graceful_shutdown=2)
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        project.close()
    return 0


def open_socket(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        OSError: If the address cannot be had.
    """
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()  # whoever reads the printed address may connect at once
    except OSError as error:
        listening.close()
        raise OSError(
            f'cannot listen at {host}, port {port} ({error}); give another --port'
        ) from error
    return listening
