"""What may import what, read from the sources. docs/how_it_is_built.md gives the reasons."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / 'mmpolar'
OPENMMLAB = ('mmengine', 'mmcv', 'mmdet', 'mmtrack', 'mmcls', 'mmpretrain', 'mmyolo')
TORCH = ('torch', 'torchvision')
# These, and all of mmpolar that they import in turn, work without PyTorch and OpenMMLab.
WITHOUT_TORCH = (
    *('structures', 'tracking', 'evaluation.functional', 'runtime', 'model_zoo'),
    *('mining.candidate', 'mining.review', 'mining.scenes', 'mining.suspects'),
    'studio',
)
# Of a function, its docstring included.
MOST_LINES = 60
# A pair (a, b): nothing in a imports b, neither directly nor through others.
FORBIDDEN = (
    ('models', 'datasets'),
    ('registry', 'compat'),
    ('evaluation', 'visualization'),  # metrics do not draw
)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


SOURCES = {
    module_name(path): path for path in sorted(PACKAGE.rglob('*.py')) if '.mim' not in path.parts
}
TREES = {name: ast.parse(path.read_text()) for name, path in SOURCES.items()}


def imported(tree: ast.Module, late: bool = True) -> Iterator[str]:
    """Names that a source imports; ``late``: also in functions, which run after the import."""

    def walk(node: ast.AST) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, 'imports are absolute'
                yield from (f'{child.module}.{alias.name}' for alias in child.names)
            elif isinstance(child, ast.If) and 'TYPE_CHECKING' in ast.unparse(child.test):
                continue
            elif late or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from walk(child)

    return walk(tree)


def modules_of(name: str) -> Iterator[str]:
    """Modules of the package that run when a name is imported: ``a.b.c`` runs a, a.b, a.b.c."""
    parts = name.split('.')
    for end in range(1, len(parts) + 1):
        if '.'.join(parts[:end]) in SOURCES:
            yield '.'.join(parts[:end])


def loads(name: str) -> set[str]:
    """Modules of the package that one module imports when it is imported itself."""
    found = {m for target in imported(TREES[name], late=False) for m in modules_of(target)}
    return found - {name}


LOADS = {name: loads(name) for name in SOURCES}


def all_loaded(names: list[str]) -> set[str]:
    """These modules, and all that they import in turn."""
    found, pending = set(), list(names)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += LOADS[name] | set(modules_of(name))
    return found


def modules_in(part: str) -> list[str]:
    prefix = f'mmpolar.{part}'
    return [name for name in SOURCES if name == prefix or name.startswith(f'{prefix}.')]


def outside(name: str) -> set[str]:
    """Other packages that a module imports, also late."""
    return {target.split('.')[0] for target in imported(TREES[name])} - {'mmpolar'}


@pytest.mark.parametrize('part', WITHOUT_TORCH)
def test_works_without_torch(part):
    for name in modules_in(part):
        assert not outside(name) & {*TORCH, *OPENMMLAB}, name
    for name in all_loaded(modules_in(part)):
        loaded = {target.split('.')[0] for target in imported(TREES[name], late=False)}
        assert not loaded & {*TORCH, *OPENMMLAB}, f'{part} imports {name}'
    assert modules_in(part)


@pytest.mark.parametrize(('part', 'other'), FORBIDDEN, ids=lambda part: part)
def test_does_not_import(part, other):
    direct = {
        name: target
        for name in modules_in(part)
        for target in imported(TREES[name])
        if f'{target}.'.startswith(f'mmpolar.{other}.')
    }
    assert direct == {}
    assert not all_loaded(modules_in(part)) & set(modules_in(other))
    assert modules_in(part)
    assert modules_in(other)


def strongly_connected(graph: dict[str, set[str]]) -> list[set[str]]:
    """Groups of nodes that reach each other."""

    def reached(start: str) -> set[str]:
        found, pending = set(), list(graph[start])
        while pending:
            node = pending.pop()
            if node not in found:
                found.add(node)
                pending += graph[node]
        return found

    reach = {node: reached(node) for node in graph}
    groups = {frozenset(b for b in reach[a] if a in reach[b]) for a in graph if a in reach[a]}
    return [set(group) for group in groups]


def test_no_module_imports_itself_through_others():
    """A name of a package counts as its module where there is one: ``from a import b`` is a.b."""

    def direct(name: str) -> set[str]:
        found = set()
        for target in imported(TREES[name], late=False):
            modules = list(modules_of(target))
            found |= set(modules[-1:])
        return found - {name}

    assert strongly_connected({name: direct(name) for name in SOURCES}) == []


def test_no_folder_imports_itself_through_others():
    """Whatever the modules in it, and whenever they import: what is below a folder is not above it."""
    folders = {path.parent.name for path in PACKAGE.glob('*/__init__.py')}
    graph: dict[str, set[str]] = {folder: set() for folder in folders}
    for folder in folders:
        for name in modules_in(folder):
            parts = (target.split('.') for target in imported(TREES[name]))
            graph[folder] |= {path[1] for path in parts if path[0] == 'mmpolar'} & folders
        graph[folder].discard(folder)
    assert len(graph) > 10
    assert strongly_connected(graph) == []


def registered(tree: ast.Module) -> list[str]:
    """Names of the classes that a source registers."""
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and any('register_module' in ast.unparse(decorator) for decorator in node.decorator_list)
    ]


def snake_case(name: str) -> str:
    name = re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', name)
    return re.sub(r'(?<=[A-Z])(?=[A-Z][a-z])', '_', name).lower()


def test_a_registered_class_has_a_file_of_its_name():
    found = {name: registered(tree) for name, tree in TREES.items()}
    assert sum(map(len, found.values())) > 60
    for name, classes in found.items():
        assert len(classes) <= 1, name
        for cls in classes:
            stem = name.rpartition('.')[2]
            assert stem.replace('_', '') == snake_case(cls).replace('_', ''), name


def test_only_compat_tests_the_version_of_a_library():
    tests = re.compile(r'\b(?!mmpolar)\w+\.__version__|digit_version|version\.parse')
    asking = [name for name, path in SOURCES.items() if tests.search(path.read_text())]
    assert [name for name in asking if not name.startswith('mmpolar.compat')] == []


def test_functions_are_short_enough_to_be_read_at_once():
    long = [
        f'{name}.{node.name}'
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= MOST_LINES
    ]
    assert long == []


def test_package_imports_nothing_that_is_not_installed():
    """Tools, demos, benchmarks and tests import the package, not the other way round."""
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name != 'mmpolar'}
    for name in SOURCES:
        assert not outside(name) & folders, name
