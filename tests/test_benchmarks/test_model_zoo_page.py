"""docs/model_zoo.md says what the published files and the measured metrics say, and no more."""

import json
import shutil
from pathlib import Path

import pytest
from published_model import FACTS, publish_small

from benchmarks import model_zoo_page as tool
from mmpolar.model_zoo import PACKAGE_FOLDER
from mmpolar.utils.checkpoints import read_release_checkpoint

ROOT = Path(__file__).resolve().parents[2]
NAME = 'ocean-polar_effnet-lite0_natural'
VALUES = dict(
    iou=0.61234, J=0.5, F=0.4, T=0.05, J_box=0.35, static_iou=0.3, ceiling=0.9, success=0.6
)
REPORT = dict(
    n_rays=36,
    skip_last=False,
    incomplete=[],
    mean=VALUES,
    intervals=dict(iou=[0.5, 0.7], J=[None, None], success=[0.1, 0.2]),
    quarters=dict(iou=[0.7, 0.65, 0.6, 0.5]),
    sequences=[dict(video_name='walk', n_frames=40, values=VALUES, frames=dict(J=[0.5] * 40))],
)
SPEED = dict(
    parts=[
        dict(name='machine', facts=dict(processor='small', threads='2', load='0.1'), rows=[]),
        dict(
            name='tracking',
            rows=[
                dict(
                    task='tracking step at 720p',
                    way=f'{model}, ONNX Runtime',
                    spread=dict(minimum=9.0, median=ms, maximum=12.125),
                )
                for model, ms in (('lite0', 10.504), ('tiny', 5.0))
            ]
            + [dict(task='outside the network', way='lite0, x', spread={})],
        ),
    ]
)


@pytest.fixture
def zoo(tmp_path):
    """A folder of one published model, a page and measurements; the arguments that name them."""
    publish_small(tmp_path, NAME)
    (tmp_path / 'page.md').write_text(
        'before\n<!-- models: begin -->\nstale words\n<!-- models: end -->\nafter\n'
    )
    (tmp_path / 'report.json').write_text(json.dumps(REPORT))
    (tmp_path / 'speed.json').write_text(json.dumps(SPEED))
    options = dict(page='page.md', results='results.json', folder='.')
    return [word for key, path in options.items() for word in (f'--{key}', str(tmp_path / path))]


def measured(tmp_path):
    return [f'--report={NAME}={tmp_path / "report.json"}', f'--speed={tmp_path / "speed.json"}']


def test_page_of_the_project_agrees_with_its_files():
    assert tool.main(['--check']) == 0
    results = json.loads(tool.RESULTS.read_text())
    models = [read_release_checkpoint(path) for path in PACKAGE_FOLDER.glob('*.pth')]
    expected = {model.name: model.weights_sha256 for model in models}
    assert {name: entry['weights_sha256'] for name, entry in results.items()} == expected


def test_page_shows_facts_values_and_speed(zoo, tmp_path):
    assert tool.main([*zoo, *measured(tmp_path)]) == 0
    page = (tmp_path / 'page.md').read_text()
    assert page.startswith('before\n')
    assert page.endswith('after\n')
    assert 'stale words' not in page
    for told in (FACTS.data, FACTS.machine, FACTS.licence, 'seed 0', read_sha(tmp_path)):
        assert told in page
    assert '| `walk` | 40 | .612 | .500 | .400 | .050 | .350 | .300 | .900 |' in page
    assert '| 95 % interval |  | .500 to .700 |  |' in page
    assert '| box overlap | .700 | .650 | .600 | .500 |' in page
    assert '| **mean** | 40 | .612 |' in page
    assert '| ONNX Runtime | 720p | 10.5 (9 .. 12.12) |' in page
    assert 'contour of 36 rays' in page
    assert 'processor small, threads 2' in page
    assert 'not measured' not in page


def test_calibration_of_the_score_is_told(zoo, tmp_path):
    tool.main(zoo)
    assert 'calibration' not in (tmp_path / 'page.md').read_text()
    publish_small(tmp_path, NAME, {'model.test_cfg.score_slope': 1.5})
    tool.main(zoo)
    assert 'with the calibration of its score (slope 1.5)' in (tmp_path / 'page.md').read_text()


def read_sha(folder):
    return read_release_checkpoint(folder / f'{NAME}.pth').weights_sha256


def test_commands_on_the_page_name_what_exists(zoo, tmp_path):
    tool.main(zoo)
    page = (tmp_path / 'page.md').read_text()
    assert (
        f'python tools/test.py configs/ocean_polar/{NAME}.py mmpolar/model_zoo/{NAME}.pth' in page
    )
    assert f'--checkpoint lite0=mmpolar/model_zoo/{NAME}.pth' in page
    for name in tool.SPEED_NAMES:
        assert (ROOT / f'configs/ocean_polar/{name}.py').is_file()


def test_values_that_nobody_measured_are_called_so(zoo, tmp_path):
    tool.main(zoo)
    page = (tmp_path / 'page.md').read_text()
    assert 'Metrics: not measured.' in page
    assert 'Speed: not measured.' in page


def test_values_are_kept_until_the_weights_change(zoo, tmp_path):
    tool.main([*zoo, *measured(tmp_path)])
    tool.main(zoo)
    assert '.612' in (tmp_path / 'page.md').read_text()
    results = json.loads((tmp_path / 'results.json').read_text())
    results[NAME]['weights_sha256'] = '0' * 64
    (tmp_path / 'results.json').write_text(json.dumps(results))
    tool.main(zoo)
    assert '.612' not in (tmp_path / 'page.md').read_text()


def test_check_notices_a_page_of_other_files(zoo, tmp_path, capsys):
    assert tool.main([*zoo, '--check']) == 1
    assert 'write it anew' in capsys.readouterr().err
    assert 'stale words' in (tmp_path / 'page.md').read_text()
    tool.main(zoo)
    assert tool.main([*zoo, '--check']) == 0
    shutil.copy(tmp_path / f'{NAME}.pth', tmp_path / 'another.pth')
    assert tool.main([*zoo, '--check']) == 1


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--report', 'other={folder}/report.json'], "no published model 'other'"),
        (['--report', f'{NAME}={{folder}}/gone.json'], 'there is no file'),
        (['--report', f'{NAME}={{folder}}/page.md'], 'is no JSON'),
        (['--report', f'{NAME}={{folder}}/speed.json'], 'no report of TrackSegMetric'),
        (['--speed', '{folder}/report.json'], 'no result of benchmarks.speed'),
        (['--page', '{folder}/report.json'], 'must have the lines'),
    ],
)
def test_mistakes_are_told_in_one_line(zoo, tmp_path, capsys, words, message):
    with pytest.raises(SystemExit) as caught:
        tool.main([*zoo, *(word.format(folder=tmp_path) for word in words)])
    assert caught.value.code == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert message in line


def test_unfinished_tests_are_refused(zoo, tmp_path, capsys):
    (tmp_path / 'report.json').write_text(json.dumps(REPORT | dict(incomplete=['run'])))
    with pytest.raises(SystemExit):
        tool.main([*zoo, *measured(tmp_path)[:1]])
    assert 'lacks frames of run' in capsys.readouterr().err
