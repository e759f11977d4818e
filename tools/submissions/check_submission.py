"""List everything wrong with a submission: another name of ``mmpolar check submission``."""

from mmpolar.cli.main import script_of

main = script_of('check', 'submission')

if __name__ == '__main__':
    raise SystemExit(main())
