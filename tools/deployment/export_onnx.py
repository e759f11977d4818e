"""Write a trained tracker as ONNX graphs: another name of ``mmpolar export``, see its ``--help``."""

from mmpolar.cli.main import script_of

main = script_of('export')

if __name__ == '__main__':
    raise SystemExit(main())
