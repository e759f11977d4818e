"""A checkpoint of Ocean's published code tracks in mmpolar as it does there."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from plain_ocean import (
    TEMPLATE_SIZE,
    PlainOcean,
    PlainTracker,
    crop_window,
    padded_size,
    randomize,
    to_input,
)
from scripts import load_script
from small_export import state_of

from mmpolar.apis import init_tracker
from mmpolar.datasets.synthetic import make_scene
from mmpolar.registry import MODELS
from mmpolar.structures.polar import mask_to_box
from mmpolar.utils.checkpoints import load_weights

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/ocean_polar/ocean-polar_r50_natural.py'
tool = load_script(ROOT / 'tools/model_converters/ocean_to_mmpolar.py')

# The published code places pixel edges at whole numbers, mmpolar pixel centres.
EDGE = 0.5


@dataclass
class Video:
    """Frames of a generated video and the target's box in the first."""

    frames: list[np.ndarray]
    box: np.ndarray

    @property
    def position(self):
        return (self.box[:2] + self.box[2:]) / 2 + EDGE

    @property
    def size(self):
        return self.box[2:] - self.box[:2]

    def crop(self, out_size):
        """A crop around the target of the first frame, at the scale of tracking."""
        side = round(out_size / TEMPLATE_SIZE * padded_size(*self.size))
        color = self.frames[0].mean((0, 1))
        return to_input(crop_window(self.frames[0], self.position, out_size, side, color))


def make_video(index, frames, size=(320, 240)):
    scene = make_scene(0, 'val', index, frames=24, size=size, difficulty=0.3)
    rendered = [scene.render(number) for number in range(frames)]
    box = mask_to_box(rendered[0][1] != 0).astype(np.float64)
    return Video([frame for frame, _ in rendered], box)


@pytest.fixture(scope='module')
def video():
    return make_video(0, frames=4)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('ocean')


@pytest.fixture(scope='module', params=[True, False], ids=['aligned', 'plain'])
def pair(request, video, folder):
    """The published network with random weights, and a tracker of ours with the same, converted."""
    net = PlainOcean(align=request.param)
    randomize(net, video.crop(127), video.crop(255))
    source, out = folder / 'source.pth', folder / 'converted.pth'
    weights = {f'module.{name}': value for name, value in net.state_dict().items()}
    torch.save(dict(epoch=20, arch='Ocean', state_dict=weights), source)
    tool.main([str(source), str(out), '--no-mask-head'])
    options = {'model.mask_head': None, 'model.test_cfg.crop': 'whole_pixels'}
    if not request.param:
        options['model.head.with_align'] = False
    return net, init_tracker(CONFIG, out, cfg_options=options)


@pytest.fixture
def trainable(pair, folder):
    """The converted model as it is built for training: nothing folded, the default layout."""
    net, _ = pair
    config = Config.fromfile(CONFIG).model
    config.mask_head = None
    config.head.with_align = net.align_head is not None
    model = MODELS.build(config).eval()
    load_weights(model, folder / 'converted.pth')
    return model


def both_maps(net, model, video, size):
    """Maps by name of the published network and of our model, on the same crops."""
    template, search = video.crop(TEMPLATE_SIZE), video.crop(size)
    names = ('cls_logits', 'ltrb', 'align_logits')
    with torch.no_grad():
        net.template(template)
        expected = dict(zip(names, net.track(search), strict=True))
        maps, radii = model.correlate(template, search)
    assert radii is None
    assert (expected['align_logits'] is None) == (maps.align_logits is None)
    return [
        (name, getattr(maps, name), values)
        for name, values in expected.items()
        if values is not None
    ]


@pytest.mark.parametrize('size', [255, 287])
def test_maps_equal_those_of_the_published_network(pair, trainable, video, size):
    net, _ = pair
    for _, got, values in both_maps(net, trainable, video, size):
        assert values.shape[-2:] == ((size - 127) // 8 + 9,) * 2
        assert values.std() > 0.3  # a flat map would prove nothing
        torch.testing.assert_close(got, values, rtol=0, atol=1e-4)


@pytest.mark.parametrize('size', [255, 287])
def test_maps_of_a_loaded_tracker_equal_them_but_for_rounding(pair, video, size):
    # Batch norm is folded there and channels come last, so sums are taken in another order.
    net, tracker = pair
    for name, got, values in both_maps(net, tracker.model, video, size):
        if name == 'ltrb':
            torch.testing.assert_close(got, values, rtol=1e-4, atol=0)
        else:
            torch.testing.assert_close(got.sigmoid(), values.sigmoid(), rtol=0, atol=1.5e-4)


def assert_same_boxes(net, tracker, video):
    plain = PlainTracker(net)
    plain.init(video.frames[0], video.position, video.size)
    tracker.init(video.frames[0], video.box)
    assert state_of(tracker).search_size == plain.search_size
    travel = 0.0
    for frame in video.frames[1:]:
        expected = plain.track(frame) - EDGE
        result = tracker.step(frame)
        np.testing.assert_allclose(result.box, expected, atol=0.1)
        travel += np.abs(expected - video.box).max()
    assert travel > 10  # a target at rest would prove nothing


def test_tracking_gives_the_boxes_of_the_published_step(pair, video):
    assert_same_boxes(*pair, video)


@pytest.mark.slow
@pytest.mark.parametrize('index', [1, 2, 3])
def test_tracking_gives_the_published_boxes_also_at_the_border_and_for_small_targets(pair, index):
    video = make_video(index, frames=12, size=(854, 480))
    if index == 3:
        center, half = (video.box[:2] + video.box[2:]) / 2, np.array([17.0, 19.0])
        video.box = np.concatenate([center - half, center + half])
    assert_same_boxes(*pair, video)


@pytest.fixture(scope='module')
def source(folder):
    """Untrained published weights, aligned branch included, in a bare state dict."""
    torch.manual_seed(1)
    path = folder / 'bare.pth'
    torch.save(PlainOcean(align=True).state_dict(), path)
    return path


def test_result_loads_safely_into_the_config_as_it_stands(source, tmp_path, capsys):
    out = tmp_path / 'new' / 'ocean.pth'
    tool.main([str(source), str(out)])
    assert [path.name for path in out.parent.iterdir()] == ['ocean.pth']
    tracker = init_tracker(CONFIG, out, optimize='none')
    checkpoint = torch.load(out, weights_only=True)
    facts = checkpoint['meta']['conversion']
    assert facts['source'] == 'bare.pth'
    assert (facts['with_align'], facts['mask_head']) == (True, 'initialised, seed 0')
    assert len(facts['folded_biases']) == 8
    assert len(facts['source_sha256']) == 64
    assert any(name.startswith('mask_head.') for name in checkpoint['state_dict'])
    said = capsys.readouterr().out
    assert '26 tensors of mask_head keep their initial values' in said
    assert said.splitlines()[-1] == 'use it with the config ocean-polar_r50_natural.py'

    published = torch.load(source, weights_only=True)
    torch.testing.assert_close(
        tracker.model.head.align_conv.weight.detach(),
        published['align_head.rpn_conv.conv.weight'],
        rtol=0,
        atol=0,
    )
    again = tmp_path / 'again.pth'
    tool.main([str(source), str(again)])
    torch.testing.assert_close(
        torch.load(again, weights_only=True)['state_dict'], checkpoint['state_dict'], rtol=0, atol=0
    )


def test_commands_and_code_of_the_guide_work(source, tmp_path, monkeypatch, capsys):
    page = (ROOT / 'docs/checkpoints.md').read_text()
    section = page.split('## Checkpoints of the original Ocean')[1].split('\n## ')[0]
    command = re.search(r'^python \S+/ocean_to_mmpolar\.py (\S+) (\S+) (.*)$', section, re.M)
    code = re.search(r'^```python\n(.*?)^```', section, re.M | re.S).group(1)
    monkeypatch.chdir(tmp_path)
    Path('configs').symlink_to(ROOT / 'configs')
    Path(command[1]).symlink_to(source)
    tool.main([command[1], command[2], *command[3].split()])
    assert capsys.readouterr().out.splitlines()[-1].endswith('--cfg-options model.mask_head=None')
    names = {}
    exec(code, names)
    model = names['tracker'].model
    assert model.mask_head is None
    assert (model.params.penalty_k, model.params.crop) == (0.062, 'whole_pixels')


def refuse(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        tool.main([str(argument) for argument in arguments])
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_misfits_are_told_in_one_line_and_leave_an_older_file_alone(source, tmp_path, capsys):
    weights = torch.load(source, weights_only=True)
    weights['classifier.filter'] = torch.zeros(4)
    odd, out = tmp_path / 'odd.pth', tmp_path / 'out.pth'
    torch.save(dict(state_dict=weights), odd)
    out.write_bytes(b'older')
    line = refuse(capsys, odd, out)
    assert line.startswith(f'error: {odd} was not converted: ')
    assert '1 unknown to the model: classifier.filter 4.' in line
    assert out.read_bytes() == b'older'

    tool.main([str(odd), str(out), '--leave-out', 'classifier.', 'align_head.', '--no-mask-head'])
    said = capsys.readouterr().out
    assert 'classifier.filter' in said
    assert said.splitlines()[-1].endswith('model.head.with_align=False model.mask_head=None')


def test_unusable_arguments_are_told_in_one_line(source, tmp_path, capsys):
    out = tmp_path / 'out.pth'
    assert 'no checkpoint at' in refuse(capsys, tmp_path / 'none.pth', out)
    assert 'would write over SOURCE' in refuse(capsys, source, source)
    assert 'no config at' in refuse(capsys, source, out, '--config', 'nowhere.py')
    runtime = ROOT / 'configs/_base_/default_runtime.py'
    assert 'no config of an Ocean' in refuse(capsys, source, out, '--config', runtime)
    broken = tmp_path / 'broken.pth'
    broken.write_bytes(source.read_bytes()[:1000])
    assert 'cannot read the checkpoint' in refuse(capsys, broken, out)
    (tmp_path / 'file').touch()
    assert 'cannot write' in refuse(capsys, source, tmp_path / 'file' / 'out.pth')
    assert not out.exists()
