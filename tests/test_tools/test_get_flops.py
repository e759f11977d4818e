"""tools/analysis_tools/get_flops.py beside counts made by hand and by MMEngine."""

import csv
import json
from pathlib import Path

import pytest
import torch
from analysis_tools import load_tool
from mmengine.analysis import FlopAnalyzer
from torch import nn

from mmpolar.apis import init_tracker

SMALL = str(Path(__file__).resolve().parents[1] / 'small_ocean.py')


@pytest.fixture(scope='module')
def tool():
    return load_tool('get_flops')


@pytest.fixture(scope='module')
def model():
    return init_tracker(SMALL, optimize='none').model


@pytest.fixture(scope='module')
def counts(tool, model):
    return {count.part: count for count in tool.count_parts(model, 127, [255, 287])}


class Search(nn.Module):
    """The search branch as a function of the crop alone."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        with torch.no_grad():
            self.kernels = model.encode_template(torch.zeros(1, 3, 127, 127))

    def forward(self, crop):
        maps = self.model.search(self.kernels, crop)
        radii = self.model.radii_at(maps, None, torch.tensor([[312]]))
        return maps.cls_logits, maps.align_logits, maps.ltrb, radii


def test_total_is_that_of_mmengine(model, counts):
    analyzer = FlopAnalyzer(Search(model), torch.zeros(1, 3, 255, 255))
    analyzer.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    by_operator = analyzer.by_operator()
    products = sum(by_operator[name] for name in ('conv', 'matmul', 'einsum', 'linear', 'bmm'))
    assert counts['total'].search[255] == products


def test_parts_add_up_and_own_every_parameter(model, counts):
    *parts, total = counts.values()
    assert total.part == 'total'
    assert total.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert total.parameters == sum(part.parameters for part in parts)
    assert total.template == sum(part.template for part in parts)
    for size in (255, 287):
        assert total.search[size] == sum(part.search[size] for part in parts)


def test_parts_are_those_of_the_network(model, counts):
    assert list(counts) == [
        'backbone', 'neck', 'combination', 'towers', 'object-aware', 'mask head', 'total',
    ]  # fmt: skip
    # 8 channels in and out. The neck is a 1x1 convolution of 40 channels over 32 x 32 cells.
    assert counts['neck'].search[255] == 40 * 8 * 32 * 32
    assert counts['neck'].template == 40 * 8 * 16 * 16
    # Of one location: a 3x3 convolution with 8 outputs at 5 x 5 cells, one with 36 at 3 x 3.
    assert counts['mask head'].search[255] == (8 * 8 * 5 * 5 + 8 * 36 * 3 * 3) * 9
    assert counts['mask head'].template == counts['towers'].template == 0
    # Two towers of one convolution, and predictions with 1 and 4 outputs.
    assert counts['towers'].search[255] == (2 * 8 * 8 + 8 * 5) * 9 * 25 * 25
    assert counts['object-aware'].search[255] == (8 * 8 * 9 + 8) * 25 * 25
    own = sum(p.numel() for p in model.head.parameters(recurse=False))
    towers = (model.head.cls_tower, model.head.reg_tower, model.head.cls_pred, model.head.bbox_pred)
    modules = sum(p.numel() for tower in towers for p in tower.parameters())
    assert counts['towers'].parameters == own + modules


def test_larger_crops_cost_more(counts):
    for part in counts.values():
        # One outline costs the same in any crop.
        at_least = part.search[255] + (part.part != 'mask head')
        assert part.search[287] >= at_least


def test_counting_leaves_the_tracker_as_it_was(tool, model):
    params = model.params
    tool.count_parts(model, 127, [271])
    assert model.params is params
    assert not any(module._forward_hooks for module in model.modules())


def test_sizes_that_do_not_fit_are_refused(tool, capsys):
    with pytest.raises(SystemExit) as error:
        tool.main([SMALL, '--search-sizes', '100'])
    assert error.value.code == 2
    assert 'search_size must exceed the template size' in capsys.readouterr().err
    with pytest.raises(SystemExit) as error:
        tool.main([SMALL, '--template-size', '20'])
    assert error.value.code == 2


def test_other_models_are_refused(tool, tmp_path, capsys):
    config = tmp_path / 'neck.py'
    config.write_text("model = dict(type='AdjustNeck', in_channels=[3])")
    with pytest.raises(SystemExit) as error:
        tool.main([str(config)])
    assert error.value.code == 2
    assert 'has a AdjustNeck; this tool counts trackers' in capsys.readouterr().err


def test_table_and_files(tool, tmp_path, capsys):
    out = tmp_path / 'new' / 'flops.json'
    tool.main(
        [SMALL, '--search-sizes', '255', '--out', str(out)]
        + ['--cfg-options', 'model.mask_head=None', 'model.head.with_align=False']
    )
    assert 'search 255 px' in capsys.readouterr().out
    entries = json.loads(out.read_text())
    assert [entry['part'] for entry in entries] == [
        'backbone', 'neck', 'combination', 'towers', 'total',
    ]  # fmt: skip
    with out.with_suffix('.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert int(rows[-1]['search 255 px']) == entries[-1]['search']['255']
