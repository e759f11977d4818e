"""mmpolar track in this process, and that it imports nothing but its three packages."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from small_export import small_model_folder, video

from mmpolar.cli.main import script_of
from mmpolar.model_zoo import DEFAULT_MODEL, FOLDER_VARIABLE
from mmpolar.runtime import OnnxEngine
from mmpolar.tracking import SingleTargetTracker
from mmpolar.utils.video import iter_frames
from mmpolar.visualization.video_writer import VideoWriter

main = script_of('track')
BOX = ['100', '80', '60', '50']


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp('clip') / 'video.mp4'
    with VideoWriter(path, 10, (320, 240)) as writer:
        for frame in video():
            writer.write(frame)
    return path


def arguments(clip, *more, box=BOX, model=None):
    return [str(clip), '--box', *box, '--model', str(model or small_model_folder()), *more]


def test_command_writes_the_video_and_the_results(clip, tmp_path, capsys):
    out, results = tmp_path / 'new' / 'out.mp4', tmp_path / 'results.json'
    assert main(arguments(clip, '--out', str(out), '--results', str(results))) == 0
    assert '8 frames' in capsys.readouterr().out
    frames, drawn = list(iter_frames(clip)), list(iter_frames(out))
    assert len(drawn) == len(frames)
    assert np.abs(drawn[3].astype(int) - frames[3]).max() > 60  # something was drawn
    tracker = SingleTargetTracker(OnnxEngine(small_model_folder()))
    expected = [tracker.init(frames[0], [100, 80, 160, 130])]
    expected += [tracker.step(frame) for frame in frames[1:]]
    [target] = json.loads(results.read_text())['targets']
    assert len(target) == 8
    for entry, result in zip(target, expected, strict=True):
        np.testing.assert_allclose(entry['box'], result.box, atol=0.01)
        np.testing.assert_allclose(entry['polygon'], result.polygon, atol=0.02)


def test_two_boxes_are_two_targets(clip, tmp_path):
    results = tmp_path / 'results.json'
    more = ['--box', '200', '40', '50', '80', '--results', str(results), '--threads', '1']
    assert main(arguments(clip, *more)) == 0
    targets = json.loads(results.read_text())['targets']
    assert [target[0]['box'] for target in targets] == [[100, 80, 160, 130], [200, 40, 250, 120]]


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """A folder in which the default model is the small one."""
    (tmp_path / 'zoo').mkdir()
    (tmp_path / 'zoo' / DEFAULT_MODEL).symlink_to(small_model_folder())
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / 'zoo'))


@pytest.mark.parametrize('named', [[], ['--model', DEFAULT_MODEL]])
def test_model_that_comes_with_mmpolar_is_the_default_and_has_a_name(clip, tmp_path, zoo, named):
    boxes = []
    for number, model in enumerate((named, ['--model', str(small_model_folder())])):
        results = tmp_path / f'{number}.json'
        assert main([str(clip), '--box', *BOX, *model, '--results', str(results)]) == 0
        boxes.append(json.loads(results.read_text()))
    assert boxes[0] == boxes[1]


def test_unknown_model_lists_those_there_are(clip, tmp_path, zoo, capsys):
    assert main(arguments(clip, '--out', str(tmp_path / 'out.mp4'), model='nowhere')) == 2
    message = capsys.readouterr().err
    assert "no model folder 'nowhere'; those at hand are" in message
    assert DEFAULT_MODEL in message


def test_folder_of_images_is_a_video(tmp_path):
    for number, frame in enumerate(video()[:3]):
        cv2.imwrite(str(tmp_path / f'{number}.png'), frame)
    assert main(arguments(tmp_path, '--out', str(tmp_path / 'out.mp4'))) == 0
    assert len(list(iter_frames(tmp_path / 'out.mp4'))) == 3


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(box=['400', '80', '60', '50']), 'outside the frame of 320x240'),
        (dict(box=['100', '80', '0', '50']), 'no positive width'),
        (dict(model='nowhere'), 'mmpolar export'),
    ],
)
def test_mistakes_are_one_line_with_the_remedy(clip, tmp_path, capsys, change, message):
    assert main(arguments(clip, '--out', str(tmp_path / 'out.mp4'), **change)) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert line.startswith('error: ')
    assert message in line


def test_a_file_that_is_no_video_is_named(tmp_path, capsys):
    path = tmp_path / 'text.mp4'
    path.write_text('no video')
    assert main(arguments(path, '--out', str(tmp_path / 'out.mp4'))) == 2
    assert 'text.mp4 cannot be opened' in capsys.readouterr().err
    assert main(arguments(tmp_path / 'gone.mp4', '--out', str(tmp_path / 'out.mp4'))) == 2
    assert 'gone.mp4 does not exist' in capsys.readouterr().err


def test_something_to_write_must_be_named(clip, capsys):
    with pytest.raises(SystemExit):
        main(arguments(clip))
    assert '--out FILE' in capsys.readouterr().err


PROBE = """
import sys
ALLOWED = {'numpy', 'cv2', 'onnxruntime', 'mmpolar'}

class Blocker:
    def find_spec(self, name, path=None, target=None):
        top = name.partition('.')[0]
        caller = sys._getframe(1)
        while 'importlib' in caller.f_code.co_filename:
            caller = caller.f_back
        if top not in ALLOWED | sys.stdlib_module_names and '/mmpolar/' in caller.f_code.co_filename:
            raise ImportError(f'{name} is not for the runtime')

sys.meta_path.insert(0, Blocker())
from mmpolar.cli.main import main
status = main(['track', *sys.argv[1:]])
loaded = {name.partition('.')[0] for name in sys.modules}
assert not loaded & {'torch', 'mmcv', 'mmengine', 'mmdet', 'matplotlib', 'PIL', 'tqdm'}, loaded
sys.exit(status)
"""


def test_command_imports_its_three_packages_only(clip, tmp_path):
    done = subprocess.run(
        [sys.executable, '-c', PROBE, *arguments(clip, '--out', str(tmp_path / 'out.mp4'))],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'out.mp4').stat().st_size > 0


@pytest.mark.parametrize('option', ['--out', '--results'])
@pytest.mark.parametrize('name', ['video.mp4', 'link.mp4', 'hard.mp4'])
def test_the_source_is_never_written_over(clip, tmp_path, capsys, option, name):
    source = tmp_path / 'video.mp4'
    source.write_bytes(clip.read_bytes())
    (tmp_path / 'link.mp4').symlink_to(source)
    (tmp_path / 'hard.mp4').hardlink_to(source)
    assert main(arguments(source, option, str(tmp_path / name))) != 0
    assert f'{option} {tmp_path / name} would write over the source' in capsys.readouterr().err
    assert source.read_bytes() == clip.read_bytes()
    assert len(list(tmp_path.iterdir())) == 3


def test_files_of_the_model_are_never_written_over(clip, capsys):
    manifest = small_model_folder() / 'model.json'
    before = manifest.read_bytes()
    assert main(arguments(clip, '--results', str(manifest))) != 0
    assert 'would write over the model' in capsys.readouterr().err
    assert manifest.read_bytes() == before


def test_images_of_other_sizes_are_tracked_and_drawn_to_the_first_ones(clip, tmp_path):
    sizes = [(320, 240), (300, 200), (241, 321), (64, 48)]
    for number, (frame, size) in enumerate(zip(iter_frames(clip), sizes, strict=False)):
        cv2.imwrite(str(tmp_path / f'{number}.png'), cv2.resize(frame, size))
    out, results = tmp_path / 'out.mp4', tmp_path / 'results.json'
    assert main(arguments(tmp_path, '--out', str(out), '--results', str(results))) == 0
    assert [frame.shape for frame in iter_frames(out)] == [(240, 320, 3)] * 4
    [target] = json.loads(results.read_text())['targets']
    assert len(target) == 4
