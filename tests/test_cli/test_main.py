"""The command ``mmpolar``: one grammar, help that needs nothing, errors in one line."""

import ast
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from mmpolar.cli import requirements
from mmpolar.cli.arguments import read_options
from mmpolar.cli.main import COMMANDS, build_parser, main
from mmpolar.cli.old_track import main as old_track
from mmpolar.model_zoo import DEFAULT_FOLDER, DEFAULT_MODEL
from mmpolar.utils import deprecation

ROOT = Path(__file__).resolve().parents[2]
NEED_TRAINING = {
    'check': ['check', 'dataset', 'DavisDataset', 'data'],
    'export': ['export', 'config.py', 'weights.pth', '--out', 'x'],
    'submit': ['submit', 'got10k', 'results', 'data', '--out', 'x'],
}
#: A Python in which only the runtime's packages can be imported.
LIGHT = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in ('torch', 'mmengine', 'mmcv', 'mmdet', 'PIL', 'tqdm', 'rich'):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocker())
from mmpolar.cli.main import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize('name', COMMANDS)
def test_help_has_examples_and_needs_no_pytorch(name):
    done = subprocess.run(
        [sys.executable, '-c', LIGHT, name, '--help'], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert f'usage: mmpolar {name}' in done.stdout
    assert f'mmpolar {name} ' in done.stdout.partition('examples')[2] or name == 'models'


def test_help_of_the_command_imports_no_subcommand():
    code = "import sys; from mmpolar.cli.main import main; main(['--help'])"
    probe = f'import atexit; atexit.register(lambda: print(sorted(sys.modules))); {code}'
    done = subprocess.run(
        [sys.executable, '-c', f'import sys; {probe}'], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    for name, summary in COMMANDS.items():
        assert name in done.stdout
        assert summary.split()[0] in done.stdout
        assert f"'mmpolar.cli.{name}'" not in done.stdout
    for heavy in ('torch', 'cv2', 'onnxruntime'):
        assert f"'{heavy}'" not in done.stdout


def test_commands_that_need_pytorch_are_those_that_say_so():
    assert set(NEED_TRAINING) == {n for n, text in COMMANDS.items() if 'needs PyTorch' in text}


@pytest.mark.parametrize('name', NEED_TRAINING)
def test_missing_pytorch_is_said_with_the_remedy(name, monkeypatch, capsys):
    monkeypatch.setattr(requirements, 'find_spec', lambda name: None)
    assert main(NEED_TRAINING[name]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f'error: mmpolar {name} needs torch, mmengine, mmcv, mmdet')
    assert 'make train-env' in line


def test_scripts_are_other_names_of_commands():
    """What mim runs has no code of its own beside the command's."""
    found = {}
    for path in sorted((ROOT / 'tools').rglob('*.py')):
        if 'script_of' in path.read_text():
            [call] = [
                node
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Call) and ast.unparse(node.func) == 'script_of'
            ]
            found[path.name] = [argument.value for argument in call.args]
            assert len(path.read_text().splitlines()) < 12, path
    assert found == {
        'check_dataset.py': ['check', 'dataset'],
        'check_submission.py': ['check', 'submission'],
        'convert_to_davis.py': ['convert'],
        'export_onnx.py': ['export'],
        'make_submission.py': ['submit'],
    }


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['nothing'], "invalid choice: 'nothing'"),
        (['--nothing'], 'required: COMMAND'),
        (['models', '--nothing'], 'unrecognized arguments: --nothing; see "mmpolar models --help"'),
        (['track'], 'required: source; see "mmpolar track --help"'),
        (['eval', 'davis2016'], 'required: --data; see "mmpolar eval --help"'),
        (
            ['eval', 'davis2016', '--data', '.', '--threads', '0'],
            '--threads must be at least 1, got 0',
        ),
        (['studio', '.', '--threads', '0'], '--threads must be at least 1, got 0'),
        (['check', 'dataset'], 'required: what; see "mmpolar check dataset --help"'),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(words, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith('error: ')
    assert message in line


def test_the_command_alone_shows_its_help(capsys):
    assert main([]) == 2
    shown = capsys.readouterr().err
    assert [name for name in COMMANDS if f'    {name} ' in shown] == list(COMMANDS)


def test_studio_names_the_trackers_there_are(tmp_path, capsys):
    pytest.importorskip('starlette')
    assert main(['studio', str(tmp_path), '--model', 'mmpolar://nowhere']) == 2
    message = capsys.readouterr().err
    assert 'there is no tracker nowhere to label with' in message
    assert DEFAULT_MODEL in message


def test_two_models_are_refused(capsys):
    with pytest.raises(SystemExit):
        main(['track', 'x.mp4', '--box', '1,2,3,4', '--model', 'one', '--model', 'two'])
    assert '--model is given twice, one and two: give one' in capsys.readouterr().err


def test_a_command_that_is_stopped_ends_as_shells_expect(monkeypatch, capsys):
    def run(args):
        raise KeyboardInterrupt

    monkeypatch.setattr(import_module('mmpolar.cli.models'), 'run', run)
    assert main(['models']) == 130
    assert capsys.readouterr().err == 'stopped\n'


def test_models_are_listed_for_people_and_programs(capsys):
    assert main(['models']) == 0
    printed = capsys.readouterr().out
    assert f'{DEFAULT_FOLDER} (default)' in printed
    assert f'{DEFAULT_MODEL} (default with PyTorch)' in printed
    assert main(['models', '--json']) == 0
    models = {model['name']: model for model in json.loads(capsys.readouterr().out)}
    assert [name for name, model in models.items() if model['default']] == [DEFAULT_FOLDER]
    default = models[DEFAULT_FOLDER]
    assert (default['engines'], default['precision']) == (['onnx'], 'int8')
    assert models[DEFAULT_MODEL]['engines'] == ['torch', 'onnx']
    assert default['gives'] == ['box', 'score', 'contour of 72 points', 'mask']
    assert default['licence'] == 'research use only'
    assert 5 < default['megabytes'] < 50


def test_options_get_their_types():
    assert read_options([]) == {}
    assert read_options(['split=val', 'n=3', 'names=[a,b]']) == dict(
        split='val', n=3, names=['a', 'b']
    )
    with pytest.raises(ValueError, match='KEY=VALUE'):
        read_options(['split'])


def test_old_command_still_tracks_and_warns(monkeypatch, capsys):
    monkeypatch.setattr(deprecation, '_warned', set())
    with pytest.warns(deprecation.MMPolarDeprecationWarning, match='use mmpolar track'):
        assert old_track(['gone.mp4', '--box', '1,2,3,4', '--out', 'x.mp4']) == 2
    assert 'gone.mp4 does not exist' in capsys.readouterr().err


def test_warnings_are_one_line():
    done = subprocess.run(
        [sys.executable, '-m', 'mmpolar.cli.old_track', 'gone', '--box', '1,2,3,4', '--out', 'x'],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert first.startswith('warning: the command mmpolar-track is deprecated')
    assert second.startswith('error: ')


def test_words_choose_the_subcommand_behind_options():
    assert build_parser(['models']).parse_args(['models']).json is False
