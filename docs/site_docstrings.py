"""Extension of Griffe: brings docstrings into the form that the site renders."""

import re

import griffe

# Sphinx's notation for references: :class:`~mmpolar.structures.polar.X`.
_ROLE = re.compile(r':(?:class|func|meth|mod|data|attr|exc|obj):`(~?)([^`]+)`')
_EXAMPLE = re.compile(r'^(\s*)Example:$', re.M)


class Docstrings(griffe.Extension):
    """Makes ``Examples:`` of ``Example:``, and code of Sphinx's references."""

    def on_instance(self, *, obj: griffe.Object, **kwargs) -> None:
        """Change the docstring of an object that was read."""
        if obj.docstring is not None:
            text = _EXAMPLE.sub(r'\1Examples:', obj.docstring.value)
            obj.docstring.value = _ROLE.sub(_as_code, text)


def _as_code(match: re.Match) -> str:
    name = match[2].rpartition('.')[2] if match[1] else match[2]
    return f'`{name}`'
