"""Hooks of MkDocs: the API reference, and links from the pages to files outside of ``docs``."""

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / 'docs'
#: Where linked files of the repository are put in the site.
OUTSIDE = 'repository'
#: Folder of the pages of the API reference, and what is not part of it.
API = 'api'
PRIVATE = ('compat', 'cli', 'version')

_LINK = re.compile(r'(?<=\]\()(?!https?://|#)([^)#\s]+)')


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page of the API reference for each subpackage, and the files that pages link to."""
    pages = api_pages()
    for uri, content in pages.items():
        files.append(File.generated(config, uri, content=content))
    reference = [{PurePosixPath(uri).stem: uri} for uri in pages]
    if not any('API reference' in entry for entry in config.nav):
        config.nav.append({'API reference': reference})
    pending = [(path, path.read_text()) for path in sorted(DOCS.glob('*.md'))]
    seen = set()
    while pending:
        path, text = pending.pop()
        for target in linked_outside(text, path.parent):
            uri = uri_of(target)
            if uri in seen:
                continue
            seen.add(uri)
            if target.suffix == '.md':
                pending.append((target, target.read_text()))
                files.append(File.generated(config, uri, content=target.read_text()))
            else:
                files.append(File.generated(config, uri, abs_src_path=str(target)))
    config['validation']['nav']['omitted_files'] = 0  # these pages are reached by their links
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links that leave ``docs`` point at the copies in the site."""
    uri = PurePosixPath(page.file.src_uri)
    source = source_of(uri)
    if source is None:
        return markdown

    def replace(match: re.Match) -> str:
        target = (source.parent / match[1]).resolve()
        wanted = uri_of(target) if target.is_file() else None
        return match[1] if wanted is None else os.path.relpath(wanted, uri.parent)

    return _LINK.sub(replace, markdown)


def api_pages() -> dict[str, str]:
    """Pages of the API reference by their address: one for each public subpackage and module."""
    package = ROOT / 'mmpolar'
    names = {path.parent.name for path in package.glob('*/__init__.py')}
    names |= {path.stem for path in package.glob('[a-z]*.py')}
    return {
        f'{API}/{name}.md': f'# mmpolar.{name}\n\n::: mmpolar.{name}\n'
        for name in sorted(names - set(PRIVATE))
    }


def linked_outside(text: str, folder: Path) -> list[Path]:
    """Files of the repository, outside of ``docs``, that a page links to."""
    found = [(folder / match[1]).resolve() for match in _LINK.finditer(text)]
    return [path for path in found if path.is_file() and DOCS not in path.parents]


def uri_of(path: Path) -> str:
    """Address of a file of the repository in the site."""
    if DOCS in path.parents:
        return path.relative_to(DOCS).as_posix()
    inside = path.relative_to(ROOT)
    return (PurePosixPath(OUTSIDE) / inside).as_posix()


def source_of(uri: PurePosixPath) -> Path | None:
    """The file of the repository that a page comes from; None for a generated one."""
    parts = uri.parts
    path = ROOT.joinpath(*parts[1:]) if parts[0] == OUTSIDE else DOCS / uri
    return path if path.is_file() else None
