"""The examples in the docstrings of public names run."""

import doctest

import pytest

import mmpolar.apis
import mmpolar.tracking
from mmpolar.runtime import OnnxEngine

NAMES = [(module, name) for module in (mmpolar.tracking, mmpolar.apis) for name in module.__all__]


def run_examples(item, name):
    runner = doctest.DocTestRunner()
    for test in doctest.DocTestFinder(recurse=False).find(item, name, globs={}):
        runner.run(test)
    return runner.summarize(verbose=False)


@pytest.mark.parametrize(('module', 'name'), NAMES, ids=[name for _, name in NAMES])
def test_example_of_a_public_name_runs(module, name):
    failed, tried = run_examples(getattr(module, name), name)
    assert tried > 0, f'{name} has no example'
    assert failed == 0


def test_example_of_the_onnx_engine_runs():
    failed, tried = run_examples(OnnxEngine, 'OnnxEngine')
    assert (failed, tried > 0) == (0, True)
