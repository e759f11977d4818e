"""python -m benchmarks.mining on a handful of images."""

import re

import pytest

from benchmarks import mining


@pytest.fixture(scope='module')
def tool():
    return mining


def test_both_are_timed_over_the_same_images(tool, monkeypatch, capsys):
    options = '--num-images 5 --batch-size 2 --num-picks 2 --repeats 2'
    monkeypatch.setattr('sys.argv', ['mining.py', *options.split()])
    tool.main()
    table = capsys.readouterr().out
    assert '5 images, batches of 2, 0 workers, cpu' in table
    assert '2 repeats' in table
    for name in ('plain, clock', 'mining, clock', 'plain, cpu', 'mining, cpu'):
        low, median, high = map(float, re.search(rf'{name}(.*)', table)[1].split(' s')[:3])
        assert 0 < low <= median <= high
    for kind in ('clock', 'cpu'):
        low, median, high = map(float, re.search(rf'ratio, {kind}(.*)', table)[1].split())
        assert 0 < low <= median <= high


def test_a_missing_gpu_is_told(tool, monkeypatch, capsys):
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    monkeypatch.setattr('sys.argv', ['mining.py', '--device', 'cuda'])
    with pytest.raises(SystemExit):
        tool.parse_args()
    assert 'PyTorch sees no GPU here' in capsys.readouterr().err
