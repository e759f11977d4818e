"""The command ``mmpolar-track``: the old name of ``mmpolar track``."""

import sys
from collections.abc import Sequence

from mmpolar.cli.main import script_of, show_warnings_in_one_line
from mmpolar.utils.deprecation import warn_deprecated


def main(argv: Sequence[str] | None = None) -> int:
    """Track as the arguments say; returns the exit status."""
    show_warnings_in_one_line()
    warn_deprecated('the command mmpolar-track', 'mmpolar track', stacklevel=1)
    return script_of('track')(argv)


if __name__ == '__main__':
    sys.exit(main())
