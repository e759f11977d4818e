"""Small changes to a module's syntax tree, each made only where the installed packages need it."""

import ast
from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib import import_module

import numpy as np
from mmengine.utils import digit_version

#: Above every release.
_NO_CEILING = '9999'


class Repair(ABC):
    """One change to the source of a module."""

    @abstractmethod
    def apply(self, tree: ast.Module) -> str | None:
        """Change the tree if that is needed.

        Args:
            tree: Syntax tree of the module, changed in place.

        Returns:
            What was changed, to continue 'the module is loaded ...'; None if nothing was.
        """


@dataclass(frozen=True)
class Ceiling(Repair):
    """Raises the version below which a module wants a package to be.

    The module's own check still runs, so that a release too old is refused as before.

    Attributes:
        constant: Name of the module's constant that holds the version.
        package: The package that the version is about.
    """

    constant: str
    package: str

    def apply(self, tree: ast.Module) -> str | None:
        value = _assigned_value(tree, self.constant)
        installed = import_module(self.package).__version__
        if value is None or digit_version(installed) < digit_version(value.value):
            return None
        note = f'with {self.package} {installed} though it asks for {self.package}<{value.value}'
        value.value = _NO_CEILING
        return note


@dataclass(frozen=True)
class MissingClass(Repair):
    """Takes a class from elsewhere if the package that had it has it no longer.

    Attributes:
        module: Module that the class is imported from.
        name: The class.
        substitute: Module that has one of this name.
    """

    module: str
    name: str
    substitute: str

    def apply(self, tree: ast.Module) -> str | None:
        statement = _import_of(tree, self.module, self.name)
        if statement is None or hasattr(import_module(self.module), self.name):
            return None
        statement.module = self.substitute
        return f'without {self.module}.{self.name}, which is gone: what needs it cannot be built'


@dataclass(frozen=True)
class MissingNumpyAlias(Repair):
    """Writes ``bool`` for ``np.bool``, which NumPy 1.24 dropped and NumPy 2 has again.

    Attributes:
        name: The builtin type that NumPy had under its name.
    """

    name: str

    def apply(self, tree: ast.Module) -> str | None:
        if self.name in np.__dict__:
            return None
        rewrite = _AliasToBuiltin(self.name)
        rewrite.visit(tree)
        return f'with {self.name} for the missing np.{self.name}' if rewrite.found else None


class _AliasToBuiltin(ast.NodeTransformer):
    def __init__(self, name: str) -> None:
        self.name = name
        self.found = False

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        is_alias = isinstance(node.value, ast.Name) and node.value.id == 'np'
        if not is_alias or node.attr != self.name:
            return node
        self.found = True
        return ast.copy_location(ast.Name(self.name, node.ctx), node)


def _assigned_value(tree: ast.Module, name: str) -> ast.Constant | None:
    """The literal that a module assigns to a name."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
            target = statement.targets[0]
            if isinstance(target, ast.Name) and target.id == name:
                return statement.value
    return None


def _import_of(tree: ast.Module, module: str, name: str) -> ast.ImportFrom | None:
    """The statement ``from module import name``."""
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.module == module:
            names = [alias.name for alias in statement.names]
            if names == [name]:
                return statement
    return None
