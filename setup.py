"""Installs mmpolar and, beside it, the configs and tools that ``mim`` looks for.

OpenMMLab's habit of adding the ``.mim`` folder looks for the words ``develop`` or ``bdist_wheel``
on the command line, which today's pip no longer puts there. Here it is part of the build step that
pip runs for editable and normal installs alike.
"""

import os
import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
MIM_ENTRIES = ('configs', 'tools', 'demo', 'model-index.yml')


class BuildPyWithMim(build_py):
    """Builds the package and puts ``MIM_ENTRIES`` into its ``.mim`` folder."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            add_mim_folder(ROOT / 'mmpolar', _link)
            # setuptools collects an editable wheel's own files in the folder to install from.
            lead_mim_to_checkout(Path(self.get_finalized_command('install').install_lib))
        else:
            add_mim_folder(Path(self.build_lib) / 'mmpolar', _copy)


def lead_mim_to_checkout(wheel: Path) -> None:
    """Name the checkout's package folder in the metadata of an unpacked editable wheel.

    mim looks for ``.mim`` in the folder that the first line of ``top_level.txt`` names, taken from
    the folder of the metadata. Beside an editable install's metadata there is no such folder, so
    that line is the full path here; the second one is the name that other readers expect.
    """
    [names] = wheel.glob('*.dist-info/top_level.txt')
    names.write_text(f'{ROOT / "mmpolar"}\nmmpolar\n')


def add_mim_folder(package: Path, place) -> None:
    """Fill ``package/.mim``, replacing what an earlier build left there."""
    folder = package / '.mim'
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for entry in MIM_ENTRIES:
        if (ROOT / entry).exists():
            place(ROOT / entry, folder / entry)


def _link(source: Path, target: Path) -> None:
    target.symlink_to(os.path.relpath(source, target.parent))


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(
            source, target, ignore=shutil.ignore_patterns('__pycache__', 'node_modules')
        )
    else:
        shutil.copy2(source, target)


def requirements(name: str) -> list[str]:
    """Requirements listed in ``requirements/<name>.txt``, without comments."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith('#')]


def version() -> str:
    source = (ROOT / 'mmpolar' / 'version.py').read_text()
    return re.search(r"__version__ = '([^']+)'", source)[1]


setup(
    name='mmpolar',
    version=version(),
    description='Tracking with contours, and training with mined negatives, for OpenMMLab',
    long_description=(ROOT / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmpolar', 'mmpolar.*']),
    include_package_data=True,
    python_requires='>=3.10',
    # Training and the runtime want different builds of OpenCV, and pip takes nothing away.
    install_requires=['numpy'],
    extras_require={
        'runtime': requirements('runtime'),
        'studio': requirements('runtime') + requirements('studio'),
        'train': requirements('train'),
        'export': requirements('export'),
        'vot': requirements('vot'),
        'ray': requirements('ray'),
        'all': [
            requirement
            for name in ('train', 'export', 'studio', 'optional', 'ray', 'tests')
            for requirement in requirements(name)
        ],
        'tests': requirements('tests'),
        'optional': requirements('optional'),
        # mim installs these whatever extras are asked for.
        'mim': requirements('mminstall') + requirements('train'),
    },
    entry_points={
        'console_scripts': [
            'mmpolar = mmpolar.cli.main:main',
            'mmpolar-track = mmpolar.cli.old_track:main',
        ]
    },
    classifiers=[
        'Intended Audience :: Science/Research',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
    cmdclass={'build_py': BuildPyWithMim},
)
