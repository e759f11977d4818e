"""Bring annotations into DAVIS's folders: another name of ``mmpolar convert``, see its ``--help``."""

from mmpolar.cli.main import script_of

main = script_of('convert')

if __name__ == '__main__':
    raise SystemExit(main())
