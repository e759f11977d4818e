"""mmpolar track in this process, and that it imports nothing but its three packages."""

import json
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from small_export import small_model_folder, video

from mmpolar.cli.main import script_of
from mmpolar.model_zoo import DEFAULT_FOLDER, FOLDER_VARIABLE
from mmpolar.runtime import OnnxEngine
from mmpolar.structures import result_formats as formats
from mmpolar.tracking import SingleTargetTracker, Tracker
from mmpolar.utils import deprecation
from mmpolar.utils.image import read_mask
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


def expected_results(clip, target=(100, 80, 160, 130)):
    frames = list(iter_frames(clip))
    tracker = SingleTargetTracker(OnnxEngine(small_model_folder()))
    first = tracker.init(frames[0], np.array(target))
    return [first] + [tracker.step(frame) for frame in frames[1:]]


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_output_has_every_frame(clip, tmp_path, capsys):
    names = ['new/out.mp4', 'out.jsonl', 'out.json', 'out.txt', 'masks']
    words = [word for name in names for word in ('--out', str(tmp_path / name))]
    assert main(arguments(clip, *words)) == 0
    assert '8 frames, wrote' in capsys.readouterr().out
    expected = expected_results(clip)
    frames, drawn = list(iter_frames(clip)), list(iter_frames(tmp_path / 'new/out.mp4'))
    assert len(drawn) == len(frames) == 8
    assert np.abs(drawn[3].astype(int) - frames[3]).max() > 60  # something was drawn

    lines = read_lines(tmp_path / 'out.jsonl')
    assert [line['frame'] for line in lines] == list(range(8))
    np.testing.assert_allclose([line['seconds'] for line in lines], np.arange(8) / 10, atol=1e-3)
    for line, result in zip(lines, expected, strict=True):
        [found] = formats.from_json(line['targets']).values()
        np.testing.assert_array_equal(found.box, result.box)
        np.testing.assert_array_equal(found.mask, result.mask)
        np.testing.assert_allclose(found.polygon, result.polygon, atol=0.006)

    coco = json.loads((tmp_path / 'out.json').read_text())
    assert [image['id'] for image in coco['images']] == list(range(8))
    assert [entry['area'] for entry in coco['annotations']] == [one.mask.sum() for one in expected]
    mot = formats.from_mot((tmp_path / 'out.txt').read_text())
    np.testing.assert_allclose(mot[7][1].box, expected[7].box, atol=0.01)
    masks = [read_mask(path) for path in sorted((tmp_path / 'masks').iterdir())]
    np.testing.assert_array_equal(masks, [one.mask for one in expected])


def test_lines_go_to_standard_output_alone(clip, capsys):
    assert main(arguments(clip, '--out', '-')) == 0
    said = capsys.readouterr()
    assert len([json.loads(line) for line in said.out.splitlines()]) == 8
    assert '8 frames' in said.err


def test_old_results_are_written_for_one_more_release(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(deprecation, '_warned', set())
    results = tmp_path / 'results.json'
    with pytest.warns(deprecation.MMPolarDeprecationWarning, match='--results of mmpolar track'):
        assert main(arguments(clip, '--results', str(results))) == 0
    [target] = json.loads(results.read_text())['targets']
    np.testing.assert_allclose(
        [entry['box'] for entry in target], [one.box for one in expected_results(clip)], atol=0.01
    )


def test_two_boxes_are_two_targets(clip, tmp_path):
    out = tmp_path / 'out.jsonl'
    more = ['--box', '200', '40', '50', '80', '--out', str(out), '--threads', '1']
    assert main(arguments(clip, *more)) == 0
    targets = read_lines(out)[0]['targets']
    assert [target['box'] for target in targets] == [[100, 80, 160, 130], [200, 40, 250, 120]]
    assert [target['id'] for target in targets] == [1, 2]


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """A folder in which the default model is the small one."""
    (tmp_path / 'zoo').mkdir()
    (tmp_path / 'zoo' / DEFAULT_FOLDER).symlink_to(small_model_folder())
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / 'zoo'))


@pytest.mark.parametrize(
    'named', [[], ['--model', DEFAULT_FOLDER], ['--model', f'mmpolar://{DEFAULT_FOLDER}']]
)
def test_model_that_comes_with_mmpolar_is_the_default_and_has_a_name(clip, tmp_path, zoo, named):
    boxes = []
    for number, model in enumerate((named, ['--model', str(small_model_folder())])):
        out = tmp_path / f'{number}.txt'
        assert main([str(clip), '--box', *BOX, *model, '--out', str(out)]) == 0
        boxes.append(out.read_text())
    assert boxes[0] == boxes[1]


def test_unknown_model_lists_those_there_are(clip, tmp_path, zoo, capsys):
    assert main(arguments(clip, '--out', str(tmp_path / 'out.mp4'), model='nowhere')) == 2
    message = capsys.readouterr().err
    assert "no model folder 'nowhere'; those at hand are" in message
    assert DEFAULT_FOLDER in message


def test_folder_of_images_is_a_video(tmp_path):
    for number, frame in enumerate(video()[:3]):
        cv2.imwrite(str(tmp_path / f'{number}.png'), frame)
    assert main(arguments(tmp_path, '--out', str(tmp_path / 'out.mp4'))) == 0
    assert len(list(iter_frames(tmp_path / 'out.mp4'))) == 3


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(box=['400', '80', '60', '50']), 'outside the frame of 320x240'),
        (dict(box=['100', '80', '0', '50']), '--box 100,80,0,50: width and height must be above 0'),
        (dict(box=['100', '80', '60', '-5']), 'a box is left,top,width,height'),
        (dict(box=['1e30', '80', '60', '50']), 'must be finite and at most'),
        (dict(model='nowhere'), 'mmpolar export'),
    ],
)
def test_mistakes_are_one_line_with_the_remedy(clip, tmp_path, capsys, change, message):
    assert main(arguments(clip, '--out', str(tmp_path / 'out.mp4'), **change)) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert line.startswith('error: ')
    assert message in line


def test_a_mask_of_another_size_is_named(clip, tmp_path, capsys):
    mask, out = tmp_path / 'small.png', tmp_path / 'out.txt'
    cv2.imwrite(str(mask), np.full((10, 20), 255, np.uint8))
    words = ['--mask', str(mask), '--model', str(small_model_folder()), '--out', str(out)]
    assert main([str(clip), *words]) == 2
    assert f'mask {mask} has 20x10 pixels and the frame 320x240' in capsys.readouterr().err


@pytest.mark.parametrize('name', ['made.txt', 'made.json', 'made.jsonl', 'made.mp4'])
def test_what_cannot_be_written_is_said_before_the_first_step(
    clip, tmp_path, monkeypatch, capsys, name
):
    (tmp_path / name).mkdir()
    monkeypatch.setattr(Tracker, 'step', interrupted(1))
    assert main(arguments(clip, '--out', str(tmp_path / name))) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert f'{name} is a folder, and a file is written; give another path' in line


def test_a_file_is_no_folder_to_write_to(clip, tmp_path, capsys):
    (tmp_path / 'file').write_text('kept')
    assert main(arguments(clip, '--out', str(tmp_path / 'file' / 'out.txt'))) == 2
    assert 'cannot be written' in capsys.readouterr().err
    assert (tmp_path / 'file').read_text() == 'kept'


def test_masks_are_not_mixed_with_other_files(clip, tmp_path, capsys):
    image = tmp_path / 'holiday' / '00000.png'
    image.parent.mkdir()
    image.write_bytes(b'not to be lost')
    assert main(arguments(clip, '--out', str(image.parent))) == 2
    assert 'holiday is a folder with files in it' in capsys.readouterr().err
    assert image.read_bytes() == b'not to be lost'


def test_a_video_that_was_cut_short_is_tracked_and_reported(tmp_path):
    path, out = tmp_path / 'cut.avi', tmp_path / 'out.txt'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (320, 240))
    for frame in video():
        writer.write(frame)
    writer.release()
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.6)])
    with pytest.warns(UserWarning, match=r'cut\.avi ends early'):
        assert main(arguments(path, '--out', str(out))) == 2
    assert 1 < len(out.read_text().splitlines()) < 8


def test_a_file_that_is_no_video_is_named(tmp_path, capsys):
    path = tmp_path / 'text.mp4'
    path.write_text('no video')
    assert main(arguments(path, '--out', str(tmp_path / 'out.mp4'))) == 2
    assert 'text.mp4 cannot be opened' in capsys.readouterr().err
    assert main(arguments(tmp_path / 'gone.mp4', '--out', str(tmp_path / 'out.mp4'))) == 2
    assert 'gone.mp4 does not exist' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('more', 'message'),
    [
        ([], 'give --out FILE or --show'),
        (['--out', 'x.mp4', '--resume'], '--resume needs --out FILE.jsonl'),
        (['--out', 'x.mp4', '--size', '4,4'], 'raw frames need a source - and --size'),
        (['--out', 'x.mp4', '--config', 'c.py'], 'give both'),
        (['--out', 'x.mp4', '--fps', '25'], '--fps is the rate of raw frames'),
        (['--out', 'x.mp4', '--threads', '0'], '--threads must be at least 1, got 0'),
    ],
)
def test_arguments_that_do_not_go_together_are_usage_errors(clip, capsys, more, message):
    with pytest.raises(SystemExit) as stopped:
        main(arguments(clip, *more))
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_a_camera_is_not_gone_on_with(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(['0', '--box', '1,2,3,4', '--out', 'x.jsonl', '--resume'])
    assert stopped.value.code == 2
    assert '--resume needs a file or a folder' in capsys.readouterr().err


def test_an_unknown_ending_is_refused_before_anything_is_written(clip, tmp_path, capsys):
    words = ['--out', str(tmp_path / 'a.txt'), '--out', str(tmp_path / 'out.avi')]
    assert main(arguments(clip, *words)) == 2
    assert 'must be .mp4, .jsonl, .json or .txt' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


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
assert not loaded & {'torch', 'mmcv', 'mmengine', 'mmdet', 'matplotlib', 'PIL', 'tqdm', 'av'}, loaded
sys.exit(status)
"""


def test_command_imports_its_three_packages_only(clip, tmp_path):
    done = subprocess.run(
        [sys.executable, '-c', PROBE, *arguments(clip, '--out', str(tmp_path / 'out.txt'))],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / 'out.txt').read_text().splitlines()) == 8


@pytest.mark.parametrize('option', ['--out', '--results'])
@pytest.mark.filterwarnings('ignore::mmpolar.utils.deprecation.MMPolarDeprecationWarning')
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
    assert main(arguments(clip, '--out', str(manifest))) != 0
    assert 'would write over the model' in capsys.readouterr().err
    assert manifest.read_bytes() == before


def test_images_of_other_sizes_are_tracked_and_drawn_to_the_first_ones(clip, tmp_path):
    sizes = [(320, 240), (300, 200), (241, 321), (64, 48)]
    for number, (frame, size) in enumerate(zip(iter_frames(clip), sizes, strict=False)):
        cv2.imwrite(str(tmp_path / f'{number}.png'), cv2.resize(frame, size))
    out, lines = tmp_path / 'out.mp4', tmp_path / 'out.jsonl'
    assert main(arguments(tmp_path, '--out', str(out), '--out', str(lines))) == 0
    assert [frame.shape for frame in iter_frames(out)] == [(240, 320, 3)] * 4
    assert len(read_lines(lines)) == 4


# targets


@pytest.fixture
def mask_file(tmp_path):
    path = tmp_path / 'given.png'
    mask = np.zeros((240, 320), np.uint8)
    mask[80:130, 100:160] = 1
    mask[40:120, 200:250] = 2
    cv2.imwrite(str(path), mask)
    return path


def first_boxes(clip, tmp_path, *words):
    out = tmp_path / 'out.jsonl'
    model = ['--model', str(small_model_folder()), '--out', str(out)]
    assert main([str(clip), *model, *words]) == 0
    return [target['box'] for target in read_lines(out)[0]['targets']]


def test_each_value_of_a_mask_is_a_target(clip, tmp_path, mask_file):
    boxes = first_boxes(clip, tmp_path, '--mask', str(mask_file))
    assert boxes == [[99.5, 79.5, 159.5, 129.5], [199.5, 39.5, 249.5, 119.5]]


def test_detections_of_the_first_image_are_targets(clip, tmp_path):
    entries = [
        dict(image_id=7, bbox=[1, 1, 9, 9], score=0.9),
        dict(image_id=3, bbox=[100, 80, 60, 50], score=0.9),
        dict(image_id=3, bbox=[200, 40, 50, 80], score=0.4),
    ]
    coco, mot = tmp_path / 'found.json', tmp_path / 'found.txt'
    coco.write_text(json.dumps(entries))
    mot.write_text('1,-1,100,80,60,50,0.9,-1,-1,-1\n1,-1,200,40,50,80,0.4,-1,-1,-1\n')
    for path in (coco, mot):
        assert first_boxes(clip, tmp_path, '--detections', str(path)) == [
            [99.5, 79.5, 159.5, 129.5]
        ]
        words = ['--detections', str(path), '--min-score', '0.3']
        assert len(first_boxes(clip, tmp_path, *words)) == 2


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--box', '1,2,3'], 'left,top,width,height'),
        (['--point', '1,2,3'], '--point wants x,y'),
        (['--point', '1,2'], 'a point needs a model with a mask stage'),
        (['--mask', 'no/mask.png'], 'no/mask.png'),
        (['--detections', 'none.json'], 'there is no file of detections none.json'),
    ],
)
def test_targets_that_cannot_be_used_are_one_line(clip, tmp_path, capsys, words, message):
    out = ['--model', str(small_model_folder()), '--out', str(tmp_path / 'out.mp4')]
    assert main([str(clip), *out, *words]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith('error: ')
    assert message in line
    assert not list(tmp_path.iterdir())


def test_detections_below_the_score_are_counted(clip, tmp_path, capsys):
    path = tmp_path / 'found.json'
    path.write_text(json.dumps([dict(image_id=0, bbox=[1, 1, 9, 9], score=0.2)]))
    assert main([str(clip), '--detections', str(path), '--out', str(tmp_path / 'x.txt')]) == 2
    assert 'no detection with a score of at least 0.5, of 1' in capsys.readouterr().err


# raw frames


def test_raw_frames_on_standard_input_are_a_video(clip, tmp_path):
    data = b''.join(frame.tobytes() for frame in iter_frames(clip))
    out = tmp_path / 'out.txt'
    command = [sys.executable, '-m', 'mmpolar.cli', 'track']
    words = arguments('-', '--size', '320,240', '--out', str(out))
    done = subprocess.run([*command, *words], input=data, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert main(arguments(clip, '--out', str(tmp_path / 'file.txt'))) == 0
    assert out.read_text() == (tmp_path / 'file.txt').read_text()


# going on after an interruption


STEP = Tracker.step


def interrupted(frame):
    """Stops the program in a step, as Ctrl-C does after the network has run."""
    count = 0

    def step(tracker, image):
        nonlocal count
        count += 1
        results = STEP(tracker, image)
        if count == frame:
            raise KeyboardInterrupt
        return results

    return step


OUTPUTS = ('out.jsonl', 'out.mp4', 'out.txt', 'out.json')


def track_into(folder, clip, *more):
    words = [word for name in OUTPUTS for word in ('--out', str(folder / name))]
    two = ['--box', '200,40,50,80', '--threads', '1']
    return main(arguments(clip, *words, *two, *more))


def test_a_run_that_is_cut_goes_on_as_if_it_had_not_been(clip, tmp_path, monkeypatch, capsys):
    assert track_into(tmp_path / 'whole', clip) == 0
    cut = tmp_path / 'cut'
    for at, known in ((3, 3), (2, 4)):
        monkeypatch.setattr(Tracker, 'step', interrupted(at))
        assert track_into(cut, clip, '--resume') == 130
        assert f'stopped after {known} frames; go on with --resume' in capsys.readouterr().err
        assert len(read_lines(cut / 'out.jsonl')) == known
        assert len(list(iter_frames(cut / 'out.mp4'))) == known
    with (cut / 'out.jsonl').open('a') as file:
        file.write('{"frame": 4, "sec')  # a line that was being written
    monkeypatch.setattr(Tracker, 'step', STEP)
    assert track_into(cut, clip, '--resume') == 0
    for name in ('out.jsonl', 'out.txt', 'out.json'):
        assert (cut / name).read_text() == (tmp_path / 'whole' / name).read_text()
    assert len(list(iter_frames(cut / 'out.mp4'))) == 8
    assert sorted(path.name for path in cut.iterdir()) == sorted(OUTPUTS)


def test_a_finished_run_or_another_source_is_not_gone_on_with(clip, tmp_path, monkeypatch, capsys):
    assert track_into(tmp_path, clip, '--resume') == 0
    assert track_into(tmp_path, clip, '--resume') == 2
    assert 'is complete' in capsys.readouterr().err
    (tmp_path / 'out.jsonl').unlink()
    monkeypatch.setattr(Tracker, 'step', interrupted(3))
    assert track_into(tmp_path, clip) == 130
    other = tmp_path / 'other.mp4'
    other.write_bytes(clip.read_bytes())
    assert track_into(tmp_path, other, '--resume') == 2
    assert f'is of the source {clip}' in capsys.readouterr().err


def test_a_run_goes_on_with_its_own_targets_and_model(clip, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Tracker, 'step', interrupted(3))
    assert track_into(tmp_path, clip) == 130
    lines = (tmp_path / 'out.jsonl').read_text()
    capsys.readouterr()
    out = ['--out', str(tmp_path / 'out.jsonl'), '--resume']
    assert main(arguments(clip, *out, box=['1', '2', '30', '40'])) == 2
    assert (
        'was begun with --box 100,80,60,50 200,40,50,80, not 1,2,30,40' in capsys.readouterr().err
    )
    assert main([str(clip), *out]) == 2
    assert f'was begun with --model {small_model_folder()}, not {DEFAULT_FOLDER}' in (
        capsys.readouterr().err
    )
    assert (tmp_path / 'out.jsonl').read_text() == lines
    monkeypatch.setattr(Tracker, 'step', STEP)
    assert main([str(clip), *out, '--model', str(small_model_folder())]) == 0  # without a target
    assert len(read_lines(tmp_path / 'out.jsonl')) == 8


def test_what_a_cut_run_has_left_is_not_written_over(clip, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Tracker, 'step', interrupted(3))
    assert track_into(tmp_path, clip) == 130
    lines = (tmp_path / 'out.jsonl').read_text()
    assert track_into(tmp_path, clip) == 2
    assert 'is of a run that was cut: add --resume' in capsys.readouterr().err
    assert (tmp_path / 'out.jsonl').read_text() == lines


def test_a_damaged_state_is_named(clip, tmp_path, capsys):
    (tmp_path / 'out.jsonl.resume').write_bytes(b'no state')
    assert track_into(tmp_path, clip, '--resume') == 2
    assert 'out.jsonl.resume cannot be read' in capsys.readouterr().err


def test_a_state_of_an_older_format_is_refused_and_left(clip, tmp_path, capsys):
    """It was a file of NumPy."""
    state = tmp_path / 'out.jsonl.resume'
    with state.open('wb') as file:
        np.savez_compressed(file, source=str(clip), given='{}', frames=3, target_count=0)
    content = state.read_bytes()
    for more in ([], ['--resume']):
        assert track_into(tmp_path, clip, *more) == 2
        assert 'or one of another version of mmpolar; remove it' in capsys.readouterr().err
    assert state.read_bytes() == content


def test_two_runs_with_the_same_lines_are_refused(clip, tmp_path, monkeypatch, capsys):
    def step(tracker, image):
        monkeypatch.setattr(Tracker, 'step', STEP)
        assert track_into(tmp_path, clip, '--resume') == 2
        assert 'another run with the same --out is in progress' in capsys.readouterr().err
        return STEP(tracker, image)

    monkeypatch.setattr(Tracker, 'step', step)
    assert track_into(tmp_path, clip) == 0
    assert len(read_lines(tmp_path / 'out.jsonl')) == 8


def test_without_windows_showing_says_what_to_install(clip, monkeypatch, capsys):
    def imshow(name, image):
        raise cv2.error('no windows')

    monkeypatch.setattr(cv2, 'imshow', imshow)
    assert main(arguments(clip, '--show')) == 2
    assert 'pip install opencv-python' in capsys.readouterr().err


def test_q_ends_and_what_was_seen_is_written(clip, tmp_path, monkeypatch):
    keys = iter([-1, -1, ord('q')])
    monkeypatch.setattr(cv2, 'imshow', lambda name, image: None)
    monkeypatch.setattr(cv2, 'waitKey', lambda delay: next(keys))
    monkeypatch.setattr(cv2, 'destroyWindow', lambda name: None)
    assert main(arguments(clip, '--show', '--out', str(tmp_path / 'out.jsonl'))) == 0
    assert len(read_lines(tmp_path / 'out.jsonl')) == 3


def lines_of_a_stream(clip, tmp_path, *more):
    """What is written of a clip that comes from an address, as fast as it can be read."""
    out = tmp_path / 'stream.jsonl'
    words = arguments(clip, '--threads', '1', '--out', str(out), *more)
    assert main([f'file://{clip}', *words[1:]]) == 0
    return read_lines(out)


def test_the_newest_frame_of_a_stream_is_tracked_next(clip, tmp_path, capsys, monkeypatch):
    step = Tracker.step
    monkeypatch.setattr(Tracker, 'step', lambda *args: time.sleep(1) or step(*args))
    lines = lines_of_a_stream(clip, tmp_path)
    # All others came while the first frame was tracked, or the second one.
    numbers = [line['frame'] for line in lines]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 7
    assert len(numbers) <= 4
    assert (
        f'{len(numbers)} frames, {8 - len(numbers)} more came too fast' in capsys.readouterr().out
    )


def test_no_frame_of_a_stream_is_lost_if_it_can_wait(clip, tmp_path):
    lines = lines_of_a_stream(clip, tmp_path, '--policy', 'wait')
    assert [line['frame'] for line in lines] == list(range(8))


def test_frames_of_a_file_all_wait(clip, capsys):
    with pytest.raises(SystemExit):
        main(arguments(clip, '--out', '-', '--policy', 'skip'))
    assert 'those of a file or a folder all wait' in capsys.readouterr().err
