"""tools/vot: the TraX tracker against its engines, its registration, and VOT's own toolkit on both."""

import configparser
import json
import os
import shlex
import subprocess
import sys
import venv
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from scripts import load_script
from small_export import CONFIG, small_model_folder, small_tracker, video

from mmpolar.datasets.synthetic import make_scene
from mmpolar.evaluation.functional import AnchorRun, FrameState, anchor_scores, pixel_overlap
from mmpolar.evaluation.vot_runs import anchor_frames, run_from_anchor, run_with_resets
from mmpolar.runtime import OnnxEngine
from mmpolar.structures.boxes import to_corner_xywh
from mmpolar.structures.vot_region import (
    MaskRegion,
    format_region,
    mask_to_region,
    parse_region,
    region_box,
    region_mask,
    result_region,
)
from mmpolar.tracking import SingleTargetTracker, Tracker
from mmpolar.utils.image import read_image

trax = pytest.importorskip('trax', reason='pip install vot-trax')
Client = pytest.importorskip('trax.client').Client
Request = pytest.importorskip('trax.server').Request

TOOLS = Path(__file__).resolve().parents[2] / 'tools' / 'vot'
BOX = np.array([100.0, 80, 160, 130])
OTHER = np.array([30.0, 40, 90, 110])


@pytest.fixture(scope='module')
def script():
    return load_script(TOOLS / 'trax_tracker.py')


@pytest.fixture(scope='module')
def registrar():
    return load_script(TOOLS / 'register_tracker.py')


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp('checkpoint') / 'weights.pth'
    torch.save(dict(state_dict=small_tracker().model.state_dict(), meta={}), path)
    return path


@pytest.fixture(scope='module')
def frames(tmp_path_factory):
    """Paths of a video's frames."""
    folder = tmp_path_factory.mktemp('frames')
    for number, frame in enumerate(video()):
        cv2.imwrite(str(folder / f'{number}.png'), frame)
    return [folder / f'{number}.png' for number in range(len(video()))]


def build(script, *words):
    """A tracker as the command line says."""
    return script.build_tracker(script.parse_args([str(word) for word in words]))


def request(kind, path, *given):
    image = {trax.ImageChannel.COLOR: trax.FileImage.create(str(path))}
    return Request(kind, image, [(region, {}) for region in given], trax.Properties())


def rectangle(box):
    return trax.Rectangle.create(*to_corner_xywh(box).tolist())


def as_mask(region, size=(240, 320)):
    """Mask of a TraX mask, in its frame."""
    return region_mask(MaskRegion(*region.offset(), region.array()), size)


def run_through(script, engine, frames, kind, given=BOX):
    """What the engine answers to each frame: a list of regions and properties."""
    asked = [request('initialize', frames[0], rectangle(given))]
    asked += [request('frame', path) for path in frames[1:]]
    return [script.answer(engine, one, kind) for one in asked]


def test_boxes_are_those_of_the_tracker(script, frames):
    engine = build(script, '--model', small_model_folder(), '--region', 'box')
    answers = run_through(script, engine, frames, 'box')
    tracker = SingleTargetTracker(OnnxEngine(small_model_folder()))
    tracker.init(video()[0], BOX)
    for frame, [(region, properties)] in zip(video()[1:], answers[1:], strict=True):
        expected = tracker.step(frame)
        np.testing.assert_allclose(region.bounds(), to_corner_xywh(expected.box), atol=1e-3)
        assert properties == dict(confidence=expected.score)


def test_masks_are_those_of_the_tracker(script, frames):
    engine = build(script, '--model', small_model_folder())
    answers = run_through(script, engine, frames, 'mask')
    tracker = SingleTargetTracker(OnnxEngine(small_model_folder()))
    tracker.init(video()[0], BOX)
    filled = 0
    for frame, [(region, _)] in zip(video()[1:], answers[1:], strict=True):
        expected = tracker.step(frame).mask
        np.testing.assert_array_equal(as_mask(region), expected)
        filled += int(expected.any())
    assert filled > 3


def test_both_engines_answer_the_same(script, frames, checkpoint):
    pytorch = build(script, '--config', CONFIG, '--checkpoint', checkpoint, '--region', 'box')
    onnx = build(script, '--model', small_model_folder(), '--region', 'box')
    one, other = (run_through(script, engine, frames, 'box') for engine in (pytorch, onnx))
    for [(mine, _)], [(theirs, _)] in zip(one, other, strict=True):
        np.testing.assert_allclose(mine.bounds(), theirs.bounds(), atol=0.05)


def test_a_target_may_be_given_as_any_region(script, frames):
    corners = [(99.5, 79.5), (159.5, 79.5), (159.5, 129.5), (99.5, 129.5)]
    mask = np.zeros((50, 60), np.uint8) + 1
    box = np.array([99.5, 79.5, 159.5, 129.5])
    given = [
        rectangle(box),
        trax.Polygon.create([(x + 0.5, y + 0.5) for x, y in corners]),
        trax.Mask.create(mask, 100, 80),
    ]
    targets = [script.to_target(script.from_trax(region), (240, 320)) for region in given]
    np.testing.assert_allclose(targets[:2], [box] * 2, atol=1e-4)
    assert targets[2].shape == (240, 320)
    assert targets[2][80:130, 100:160].all()
    assert targets[2].sum() == 50 * 60
    engine = build(script, '--model', small_model_folder(), '--region', 'box')
    for region in given:
        [(echo, _)] = script.answer(engine, request('initialize', frames[0], region), 'box')
        assert echo is region


def test_a_target_that_comes_later_joins_the_others(script, frames):
    engine = build(script, '--model', small_model_folder(), '--region', 'box')
    script.answer(engine, request('initialize', frames[0], rectangle(BOX)), 'box')
    late = rectangle(OTHER)
    joined = script.answer(engine, request('frame', frames[1], late), 'box')
    assert len(joined) == 2
    assert joined[1][0] is late
    answers = script.answer(engine, request('frame', frames[2]), 'box')
    alone = SingleTargetTracker(OnnxEngine(small_model_folder()))
    alone.init(video()[1], OTHER)
    expected = to_corner_xywh(alone.step(video()[2]).box)
    np.testing.assert_allclose(answers[1][0].bounds(), expected, atol=1e-3)


@pytest.mark.parametrize('kind', ['box', 'mask'])
def test_a_lost_target_is_its_last_box_or_an_empty_mask_of_no_confidence(script, frames, kind):
    engine = build(script, '--model', small_model_folder(), '--region', kind)
    engine.params = replace(engine.params, lost_score=1.0)
    [(region, properties)] = run_through(script, engine, frames[:2], kind)[1]
    assert properties == dict(confidence=0.0)
    if kind == 'box':
        np.testing.assert_allclose(region.bounds(), to_corner_xywh(BOX), atol=0.02)
    else:
        assert not region.array().any()


def test_an_empty_mask_is_a_single_zero(script):
    region = script.to_trax(mask_to_region(np.zeros((240, 320), np.uint8)))
    assert region.size() == (1, 1)
    assert not region.array().any()


def test_process_speaks_trax(frames):
    words = [sys.executable, str(TOOLS / 'trax_tracker.py'), '--model', str(small_model_folder())]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    streams = process.stdin.fileno(), process.stdout.fileno()
    client = Client(streams, log=lambda text: None)
    assert client.tracker_name == 'mmpolar'
    assert client.get('multiobject')
    images = [{trax.ImageChannel.COLOR: trax.FileImage.create(str(path))} for path in frames]
    given = [(rectangle(box), {}) for box in (BOX, OTHER)]
    status, _ = client.initialize(images[0], given, {})
    np.testing.assert_allclose(status[1][0].bounds(), to_corner_xywh(OTHER))
    tracker = Tracker(OnnxEngine(small_model_folder()))
    tracker.init(video()[0], [BOX, OTHER])
    for image, frame in zip(images[1:], video()[1:], strict=True):
        status, seconds = client.frame(image, {}, [])
        for (region, properties), expected in zip(status, tracker.step(frame), strict=True):
            np.testing.assert_array_equal(as_mask(region), expected.mask)
            assert float(properties['confidence']) == pytest.approx(expected.score)
        assert seconds > 0
    client.quit()
    assert process.wait(20) == 0


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--model', 'nowhere'], "there is no model folder 'nowhere'"),
        (['--config', 'nowhere.py', '--checkpoint', 'w.pth'], 'there is no config nowhere.py'),
    ],
)
def test_process_says_what_is_wrong(script, capsys, words, message):
    assert script.main(words) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    'words', [[], ['--model', 'm', '--config', 'c'], ['--config', 'c'], ['--model', 'm', '--threads', '0']]
)  # fmt: skip
def test_exactly_one_engine_is_chosen(script, words):
    with pytest.raises(SystemExit) as error:
        script.parse_args(words)
    assert error.value.code == 2


def test_masks_need_a_model_that_draws_them(script, tmp_path):
    config = tmp_path / 'boxes.py'
    config.write_text(f"_base_ = '{CONFIG}'\nmodel = dict(mask_head=None)\n")
    path = tmp_path / 'weights.pth'
    torch.save(small_tracker(mask_head=None).model.state_dict(), path)
    words = ['--config', config, '--checkpoint', path]
    with pytest.raises(ValueError, match='--region box'):
        build(script, *words)
    assert build(script, *words, '--region', 'box')


# register_tracker.py


def register(registrar, out, name, *words):
    return registrar.main([name, '--out', str(out), '--model', str(small_model_folder()), *words])


def test_registered_command_starts_the_tracker(registrar, script, tmp_path):
    assert register(registrar, tmp_path, 'Ours', '--region', 'box', '--threads', '1') == 0
    registry = configparser.ConfigParser()  # as the toolkit reads it
    registry.read(tmp_path / 'trackers.ini')
    section = registry['Ours']
    assert (section['protocol'], section['label'], section['timeout']) == ('trax', 'Ours', '120')
    python, path, *words = shlex.split(section['command'])
    assert (python, path) == (sys.executable, str(TOOLS / 'trax_tracker.py'))
    args = script.parse_args(words)
    assert (args.region, args.threads) == ('box', 1)
    assert Path(args.model).is_absolute()


def test_paths_of_any_kind_survive(registrar, tmp_path, checkpoint, monkeypatch):
    odd = tmp_path / "100% o'dd name"
    odd.mkdir()
    (odd / 'weights.pth').write_bytes(checkpoint.read_bytes())
    monkeypatch.chdir(odd)
    words = ['--config', str(CONFIG), '--checkpoint', 'weights.pth', '--out', str(tmp_path)]
    assert registrar.main(['Ours', *words]) == 0
    registry = configparser.ConfigParser()
    registry.read(tmp_path / 'trackers.ini')
    assert str(odd / 'weights.pth') in shlex.split(registry['Ours']['command'])


def test_other_trackers_stay(registrar, tmp_path):
    other = '[Theirs]\nprotocol = trax\ncommand = theirs\nenv_PATH = /there\n'
    (tmp_path / 'trackers.ini').write_text(other)
    register(registrar, tmp_path, 'Ours')
    register(registrar, tmp_path, 'Ours', '--label', 'new')
    text = (tmp_path / 'trackers.ini').read_text()
    assert 'env_PATH = /there' in text
    registry = configparser.ConfigParser()
    registry.read_string(text)
    assert registry.sections() == ['Theirs', 'Ours']
    assert registry['Ours']['label'] == 'new'


def test_stack_makes_a_workspace_once(registrar, tmp_path, capsys):
    assert register(registrar, tmp_path, 'Ours', '--stack', 'vot2022/shorttermbox') == 0
    assert (tmp_path / 'config.yaml').read_text() == (
        'registry:\n- ./trackers.ini\nstack: "vot2022/shorttermbox"\n'
    )
    assert register(registrar, tmp_path, 'More', '--stack', 'vot2022/shorttermbox') == 0
    assert register(registrar, tmp_path, 'More', '--stack', 'vot2019/shortterm') == 2
    assert 'config.yaml exists' in capsys.readouterr().err


@pytest.mark.parametrize('words', [['no name', '--model', 'm'], ['Ours', '--timeout', '0']])
def test_unusable_arguments_are_refused(registrar, tmp_path, words):
    with pytest.raises(SystemExit) as error:
        registrar.main([*words, '--out', str(tmp_path)])
    assert error.value.code == 2


def test_registering_names_what_is_missing(registrar, tmp_path, capsys):
    assert registrar.main(['Ours', '--out', str(tmp_path), '--model', 'nowhere']) == 2
    assert 'nowhere does not exist' in capsys.readouterr().err
    assert not (tmp_path / 'trackers.ini').exists()


# docs/vot.md


def test_commands_of_the_page_are_understood(registrar):
    text = (TOOLS.parents[1] / 'docs' / 'vot.md').read_text().replace('\\\n', ' ')
    lines = [line.partition('#')[0] for line in text.splitlines() if 'register_tracker.py' in line]
    commands = [shlex.split(line)[2:] for line in lines if line.startswith('python ')]
    found = [registrar.parse_args(words) for words in commands]
    assert [(args.region, args.stack) for args in found] == [
        ('mask', None),
        ('box', 'vot2022/shorttermbox'),
    ]
    for requirement in TOOLKIT:
        assert requirement in text


# the toolkit itself

#: The last release whose experiments with restarts run, and what it needs on Python 3.11 and later.
TOOLKIT = ('vot-toolkit==0.7.4', 'attributee==0.1.9')
LENGTH = 16
ANCHORS = [1] + [0] * 7 + [1] + [0] * 6 + [-1]
STACK = """
title: miniature
experiments:
  multistart:
    type: multistart
    analyses:
      - type: multistart_average_ar
        name: ar
  supervised:
    type: supervised
    repetitions: 1
    skip_initialize: 5
"""


@pytest.fixture(scope='module')
def toolkit(tmp_path_factory):
    """Runs the toolkit's commands in an environment of its own: that of $VOT_PYTHON, or a new one."""
    folder = tmp_path_factory.mktemp('toolkit')
    python = os.environ.get('VOT_PYTHON') or install_toolkit(folder / 'venv')
    # Its test sequence and matplotlib's settings go there too; results become text.
    own = dict(TMPDIR=str(folder), MPLCONFIGDIR=str(folder), VOT_RESULTS_BINARY='0')

    def run(*words, cwd=folder):
        done = subprocess.run(
            [str(python), '-m', 'vot', *map(str, words)],
            cwd=cwd, env={**os.environ, **own}, capture_output=True, text=True, timeout=900,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def install_toolkit(folder):
    """Python of a new environment with the toolkit."""
    venv.create(folder, with_pip=True)
    python = folder / 'bin' / 'python'
    install = [python, '-m', 'pip', 'install', '--quiet', *TOOLKIT]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f'vot-toolkit cannot be installed: {done.stderr[-300:]}')
    return python


@pytest.fixture(scope='module')
def workspace(registrar, checkpoint, tmp_path_factory):
    """A workspace with both engines and a generated sequence."""
    folder = tmp_path_factory.mktemp('workspace')
    (folder / 'stack.yaml').write_text(STACK)
    pytorch = ['--config', str(CONFIG), '--checkpoint', str(checkpoint)]
    words = ['--threads', '1', '--stack', 'stack.yaml', '--timeout', '600', '--out', str(folder)]
    for region in ('box', 'mask'):
        onnx = ['--model', str(small_model_folder())]
        for name, engine in (('Onnx', onnx), ('Torch', pytorch)):
            registrar.main([f'{name}-{region}', '--region', region, *engine, *words])
    sequence = folder / 'sequences' / 'one'
    (sequence / 'color').mkdir(parents=True)
    scene = make_scene(seed=0, split='val', index=1, frames=LENGTH)
    lines = []
    for number in range(LENGTH):
        frame, mask = scene.render(number)[:2]
        cv2.imwrite(str(sequence / 'color' / f'{number + 1:08d}.jpg'), frame)
        lines.append(format_region(mask_to_region(mask)))
    (sequence / 'groundtruth.txt').write_text('\n'.join(lines))
    (sequence / 'anchor.value').write_text('\n'.join(map(str, ANCHORS)))
    (sequence / 'sequence').write_text('channels.color=color/%08d.jpg\nfps=30\nname=one\n')
    (folder / 'sequences' / 'list.txt').write_text('one\n')
    return folder


def as_the_toolkit_drives(workspace, kind):
    """Truth of the sequence, and the ONNX Runtime tracker as two functions of a frame's number."""
    sequence = workspace / 'sequences' / 'one'
    truth = [parse_region(line) for line in (sequence / 'groundtruth.txt').read_text().split()]
    frames = [read_image(path) for path in sorted((sequence / 'color').iterdir())]
    tracker = SingleTargetTracker(OnnxEngine(small_model_folder(), threads=1))

    def start(frame):
        tracker.init(frames[frame], region_box(truth[frame]))

    def step(frame):
        return result_region(tracker.step(frames[frame]), kind)

    return truth, start, step


def assert_recorded(path, run, size=(240, 320)):
    """The toolkit's file of a run says what ours says."""
    recorded = [parse_region(line) for line in path.read_text().split()]
    assert len(recorded) == len(run.frames)
    for found, state, expected in zip(recorded, run.states, run.regions, strict=True):
        if state != FrameState.TRACKED:
            assert found.code == state
        else:
            assert pixel_overlap(found, expected, size) == pytest.approx(1, abs=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['Onnx-box', 'Onnx-mask', 'Torch-box', 'Torch-mask'])
def test_toolkit_finds_the_integration_right(toolkit, workspace, name):
    printed = toolkit('--registry', workspace, 'test', name)
    assert 'Test concluded successfuly' in printed  # spelt so by the toolkit
    assert printed.count('@@TRAX:state') >= 3 * 50
    assert ('mask:' if name.endswith('mask') else '"confidence=') in printed


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['box', 'mask'])
def test_toolkit_evaluates_what_the_tracker_does(toolkit, workspace, kind):
    name = f'Onnx-{kind}'
    assert 'concluded successfuly' in toolkit('evaluate', '--workspace', workspace, name)
    truth, start, step = as_the_toolkit_drives(workspace, kind)
    overlap = partial(pixel_overlap, size=(240, 320))
    results = workspace / 'results' / name
    reset = run_with_resets(truth, start, step, overlap)
    assert_recorded(results / 'supervised' / 'one' / 'one_001.txt', reset)
    runs = [run_from_anchor(truth, f, start, step, overlap) for f in anchor_frames(ANCHORS)]
    for run in runs:
        path = results / 'multistart' / 'one' / f'one_{run.frames[0]:08d}.txt'
        assert_recorded(path, run)
    toolkit('analysis', '--workspace', workspace, name, '--name', kind)
    report = json.loads((workspace / 'analysis' / f'{kind}.json').read_text())
    accuracy, robustness, *_ = report['results']['multistart']['results'][0][0]
    ours = anchor_scores([[AnchorRun(run.overlaps, run.present) for run in runs]], [LENGTH])
    assert ours.accuracy == pytest.approx(accuracy, abs=1e-3)
    assert ours.robustness == pytest.approx(robustness, abs=1e-3)
