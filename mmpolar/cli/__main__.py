"""``python -m mmpolar.cli``: the command ``mmpolar`` where its script is not on the path."""

import sys

from mmpolar.cli.main import main

if __name__ == '__main__':
    sys.exit(main())
