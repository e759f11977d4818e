"""Headers of ONNX Runtime for C++: those of the system, or of a package that is unpacked for the test."""

import os
import re
import shutil
import subprocess
from pathlib import Path

_NAME = 'onnxruntime_cxx_api.h'
_SYSTEM = ('/usr/include/onnxruntime', '/usr/local/include/onnxruntime', '/usr/local/include')
#: Debian's release that has libonnxruntime-dev, which is made of headers.
_SUITE, _PACKAGE = 'trixie', 'libonnxruntime-dev'


def find_headers(folder: Path) -> Path | None:
    """Folder with the headers; None where they cannot be had.

    Args:
        folder: An empty folder for what is downloaded where the system has none, on Debian. Nothing is
            installed.
    """
    for folder_name in (os.environ.get('ONNXRUNTIME_INCLUDE'), *_SYSTEM):
        if folder_name and Path(folder_name, _NAME).is_file():
            return Path(folder_name)
    try:
        _download(folder)
    except (OSError, subprocess.SubprocessError):
        return None
    return next((path.parent for path in folder.rglob(_NAME)), None)


def _download(folder: Path) -> None:
    """Unpack the package with an apt of its own, which has the system's servers and another release."""
    sources = Path('/etc/apt/sources.list.d/debian.sources').read_text()
    first = sources.split('\n\n')[0]
    for name in ('sources', 'lists/partial', 'cache/archives/partial'):
        (folder / name).mkdir(parents=True)
    text = re.sub(r'(?m)^Suites:.*$', f'Suites: {_SUITE}', first)
    (folder / 'sources/debian.sources').write_text(text + '\n')
    options = {
        'Dir::Etc::SourceList': '/dev/null',
        'Dir::Etc::SourceParts': folder / 'sources',
        'Dir::State::Lists': folder / 'lists',
        'Dir::Cache': folder / 'cache',
        'APT::Sandbox::User': 'root',
    }
    apt = [shutil.which('apt-get') or 'apt-get', '-qq']
    apt += [word for name, value in options.items() for word in ('-o', f'{name}={value}')]
    for words in (['update'], ['download', _PACKAGE]):
        subprocess.run([*apt, *words], cwd=folder, check=True, timeout=180)
    [package] = folder.glob('*.deb')
    subprocess.run(['dpkg-deb', '-x', package, folder], check=True, timeout=60)
