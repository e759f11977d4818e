"""``mmpolar models``: the trained trackers that are at hand."""

import argparse
import json
from pathlib import Path
from typing import Any

from mmpolar.model_zoo import (
    DEFAULT_FOLDER,
    DEFAULT_MODEL,
    FOLDER_VARIABLE,
    available_model_folders,
    available_models,
    find_model_folder,
)
from mmpolar.runtime.model_folder import ModelManifest

DESCRIPTION = 'List the trained trackers that come with mmpolar, and your own.'
EPILOG = f"""\
examples
  mmpolar models
  mmpolar models --json
  {FOLDER_VARIABLE}=my_models mmpolar models        a folder of your own models too

Give a name to "mmpolar track --model NAME". docs/model_zoo.md says what each reaches.
"""

#: What is said behind the names of those that are used where none is named.
DEFAULTS = {DEFAULT_FOLDER: ' (default)', DEFAULT_MODEL: ' (default with PyTorch)'}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the form of the list."""
    parser.add_argument('--json', action='store_true', help='print JSON, for programs')


def run(args: argparse.Namespace) -> int:
    """Print the list."""
    models = [describe(name) for name in sorted({*available_models(), *available_model_folders()})]
    if args.json:
        print(json.dumps(models, indent=1))
        return 0
    for model in models:
        print(f'{model["name"]}{DEFAULTS.get(model["name"], "")}')
        for label in ('engines', 'gives', 'megabytes', 'precision', 'licence'):
            if model.get(label):
                value = model[label]
                print(f'  {label:10}{", ".join(value) if isinstance(value, list) else value}')
    return 0


def describe(name: str) -> dict[str, Any]:
    """What is known of a model without PyTorch: its name, engines, outputs, size and licence."""
    runs_without = name in available_model_folders()
    engines = ['torch'] * (name in available_models()) + ['onnx'] * runs_without
    known: dict[str, Any] = dict(name=name, default=name == DEFAULT_FOLDER, engines=engines)
    if not runs_without:
        return known
    folder = find_model_folder(name)
    manifest = ModelManifest.read(folder)
    gives = ['box', 'score']
    gives += [f'contour of {manifest.n_rays} points'] * (manifest.n_rays is not None)
    gives += ['mask'] * (manifest.masks is not None)
    size = sum((folder / file).stat().st_size for file in manifest.file_sha256)
    return known | dict(
        gives=gives,
        megabytes=round(size / 1e6, 1),
        precision=manifest.precision,
        licence=_licence(folder / 'NOTICE.txt'),
        folder=str(folder),
    )


def _licence(notice: Path) -> str | None:
    """Licence of the weights in a model's notice."""
    head = 'Licence of the weights: '
    lines = notice.read_text().splitlines() if notice.is_file() else []
    return next((line.removeprefix(head) for line in lines if line.startswith(head)), None)
