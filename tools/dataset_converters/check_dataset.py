"""List everything that is broken in a dataset: another name of ``mmpolar check dataset``."""

from mmpolar.cli.main import script_of

main = script_of('check', 'dataset')

if __name__ == '__main__':
    raise SystemExit(main())
