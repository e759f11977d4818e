"""Make a submission from the results of a test: another name of ``mmpolar submit``."""

from mmpolar.cli.main import script_of

main = script_of('submit')

if __name__ == '__main__':
    raise SystemExit(main())
