import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from published_model import publish_small
from scripts import load_script

from mmpolar.model_zoo import DEFAULT_MODEL, FOLDER_VARIABLE
from mmpolar.registry import MODELS
from mmpolar.utils.image import read_mask

DEMO = Path(__file__).parents[2] / 'demo/track_video.py'
CONFIG = """
model = dict(
    type='Ocean',
    backbone=dict(type='EfficientNetLite0', out_indices=(2,)),
    neck=dict(type='AdjustNeck', in_channels=[40], out_channels=8, template_cells=8),
    head=dict(type='OceanHead', in_channels=8, feat_channels=8, num_convs=1, box_bias=3.5),
    mask_head=dict(type='PolarContourHead', in_channels=8, num_convs=1, n_rays=12))
default_scope = 'mmpolar'
"""


@pytest.fixture(scope='module')
def demo():
    return load_script(DEMO)


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp('demo')
    (root / 'config.py').write_text(CONFIG)
    torch.manual_seed(0)
    torch.save(
        MODELS.build(Config.fromfile(root / 'config.py').model).state_dict(), root / 'weights.pth'
    )
    rng = np.random.default_rng(0)
    (root / 'frames').mkdir()
    for index in range(5):
        frame = rng.integers(0, 255, (120, 160, 3), dtype=np.uint8)
        cv2.imwrite(str(root / f'frames/{index}.png'), frame)
    mask = np.zeros((120, 160), np.uint8)
    mask[30:70, 50:100] = 255
    cv2.imwrite(str(root / 'mask.png'), mask)
    return root


def arguments(project, *more):
    model = ['--config', str(project / 'config.py'), '--checkpoint', str(project / 'weights.pth')]
    return [str(project / 'frames'), *model, *more]


def read_video(path):
    capture = cv2.VideoCapture(str(path))
    frames = []
    while True:
        read, frame = capture.read()
        if not read:
            return frames
        frames.append(frame)


@pytest.mark.parametrize('target', [['--box', '50,30,50,40'], ['--mask', 'mask.png']])
def test_demo_writes_a_video_of_every_frame(demo, project, tmp_path, target):
    target = [str(project / word) if word.endswith('.png') else word for word in target]
    out = tmp_path / 'out.mp4'
    assert demo.main(arguments(project, *target, '--out', str(out))) == 0
    frames = read_video(out)
    assert len(frames) == 5
    assert frames[0].shape == (120, 160, 3)


def test_demo_follows_several_targets_and_writes_their_masks(demo, project, tmp_path):
    out, masks = tmp_path / 'out.mp4', tmp_path / 'masks'
    boxes = ['--box', '50,30,50,40', '--box', '20,60,40,40']
    assert demo.main(arguments(project, *boxes, '--out', str(out), '--masks', str(masks))) == 0
    assert len(read_video(out)) == 5
    ids = [read_mask(path) for path in sorted(masks.iterdir())]
    assert [path.name for path in sorted(masks.iterdir())] == [f'{i:05d}.png' for i in range(5)]
    assert set(np.unique(ids[0])) == {0, 1, 2}
    assert all(img.shape == (120, 160) and img.max() <= 2 for img in ids)


@pytest.mark.parametrize(
    ('more', 'message'),
    [
        (['--box', '50,30,50'], 'left,top,width,height'),
        (['--box', '500,30,50,40'], 'outside the frame'),
        (['--mask', 'no/mask.png'], 'no/mask.png'),
    ],
)
def test_demo_says_in_one_line_what_is_wrong(demo, project, tmp_path, capsys, more, message):
    status = demo.main(arguments(project, *more, '--out', str(tmp_path / 'out.mp4')))
    last_line = capsys.readouterr().err.splitlines()[-1]
    assert status == 2
    assert last_line.startswith('error: ')
    assert message in last_line
    assert not (tmp_path / 'out.mp4').exists()


def test_demo_takes_a_trained_tracker_by_name_or_by_default(demo, project, tmp_path, monkeypatch):
    for name in (DEFAULT_MODEL, 'other'):
        publish_small(tmp_path, name)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    masks = []
    for number, model in enumerate(([], ['--model', 'other'])):
        folder = tmp_path / str(number)
        words = [str(project / 'frames'), '--box', '50,30,50,40', '--masks', str(folder), *model]
        assert demo.main(words) == 0
        masks.append(np.stack([cv2.imread(str(path)) for path in sorted(folder.iterdir())]))
    np.testing.assert_array_equal(*masks)


def test_demo_lists_the_trained_trackers_there_are(demo, project, tmp_path, capsys):
    words = [str(project / 'frames'), '--model', 'none', '--box', '50,30,50,40']
    assert demo.main([*words, '--out', str(tmp_path / 'out.mp4')]) == 2
    assert "no trained tracker 'none'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--config', 'c.py'], 'give both'),
        (['--checkpoint', 'c.pth'], 'give both'),
        (['--model', 'm', '--config', 'c.py', '--checkpoint', 'c.pth'], 'give --model, or'),
    ],
)
def test_demo_takes_one_tracker(demo, project, capsys, words, message):
    with pytest.raises(SystemExit) as stop:
        demo.main([str(project / 'frames'), '--out', 'out.mp4', *words])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_demo_needs_something_to_do(demo, project, capsys):
    with pytest.raises(SystemExit) as stop:
        demo.main(arguments(project, '--box', '50,30,50,40'))
    assert stop.value.code == 2
    assert '--out' in capsys.readouterr().err


@pytest.mark.parametrize('masks', ['frames', 'linked', 'first'])
def test_frames_and_masks_given_are_never_written_over(demo, project, tmp_path, capsys, masks):
    (tmp_path / 'linked').symlink_to(project / 'frames')
    (tmp_path / 'first').mkdir()
    shutil.copy(project / 'mask.png', tmp_path / 'first/00000.png')
    before = {path: path.read_bytes() for path in (project / 'frames').iterdir()}
    folder = project / 'frames' if masks == 'frames' else tmp_path / masks
    target = ['--mask', str(tmp_path / 'first/00000.png')]
    assert demo.main(arguments(project, *target, '--masks', str(folder))) == 2
    assert f'--masks {folder} would write over' in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (project / 'frames').iterdir()} == before
    assert (tmp_path / 'first/00000.png').read_bytes() == (project / 'mask.png').read_bytes()
