"""What docs/mine_any_detector.md tells to type works as it stands there, with a detector in ONNX."""

import ast
import csv
import json
import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from mmpolar.cli.main import main
from mmpolar.mining.review import Decision, write_decisions
from mmpolar.visualization.video_writer import VideoWriter

PAGE = Path(__file__).resolve().parents[2] / 'docs' / 'mine_any_detector.md'
HEIGHT, WIDTH, CELL = 96, 128, 16


def blocks(language):
    return re.findall(rf'^```{language}\n(.*?)^```', PAGE.read_text(), re.M | re.S)


def commands(name):
    """Words of the page's commands of one name, without the program's."""
    joined = '\n'.join(blocks('bash')).replace('\\\n', ' ')
    found = [shlex.split(line) for line in joined.splitlines()]
    return [words[1:] for words in found if words[:2] == ['mmpolar', name]]


def rows_of(path):
    return list(csv.DictReader(Path(path).read_text().splitlines()))


def write_red_detector(path):
    """A detector of red cells with the inputs and outputs of torchvision's exported detectors."""
    columns = WIDTH // CELL
    constants = dict(
        count=np.array([3]),
        flat=np.array([1, -1]),
        columns=np.array([columns]),
        zero=np.array([0]),
        side=np.array(CELL, np.float32),
        weights=np.array([1, -0.5, -0.5], np.float32).reshape(1, 3, 1, 1),
    )
    node = helper.make_node
    nodes = [
        node('Conv', ['image', 'weights'], ['red']),
        node('Relu', ['red'], ['positive']),
        node('AveragePool', ['positive'], ['cells'], kernel_shape=[CELL] * 2, strides=[CELL] * 2),
        node('Reshape', ['cells', 'flat'], ['row']),
        node('TopK', ['row', 'count'], ['top', 'index']),
        node('Squeeze', ['top', 'zero'], ['scores']),
        node('Squeeze', ['index', 'zero'], ['at']),
        node('Div', ['at', 'columns'], ['y']),
        node('Mod', ['at', 'columns'], ['x']),
        node('Unsqueeze', ['x', 'one'], ['x_column']),
        node('Unsqueeze', ['y', 'one'], ['y_column']),
        node('Concat', ['x_column', 'y_column'], ['corner'], axis=1),
        node('Cast', ['corner'], ['corner_cells'], to=TensorProto.FLOAT),
        node('Mul', ['corner_cells', 'side'], ['low']),
        node('Add', ['low', 'side'], ['high']),
        node('Concat', ['low', 'high'], ['boxes'], axis=1),
    ]
    constants['one'] = np.array([1])
    graph = helper.make_graph(
        nodes,
        'red',
        [helper.make_tensor_value_info('image', TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH])],
        [
            helper.make_tensor_value_info('boxes', TensorProto.FLOAT, [3, 4]),
            helper.make_tensor_value_info('scores', TensorProto.FLOAT, [3]),
        ],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


@pytest.fixture(scope='module')
def scored(tmp_path_factory):
    """A folder with a pool of 24 images at 2 cameras, scored by the page's script."""
    root = tmp_path_factory.mktemp('any_detector')
    rng = np.random.default_rng(0)
    for number in range(24):
        image = cv2.resize(
            rng.integers(0, 120, (6, 8, 3), dtype=np.uint8), (WIDTH, HEIGHT), interpolation=0
        )
        row, column = divmod(int(rng.integers(48)), 8)
        y, x = CELL * row, CELL * column
        # Above all that the colours around it can reach; rising from image to image.
        image[y : y + CELL, x : x + CELL] = (0, 0, 140 + 4 * number)
        path = root / f'pool/cam{number % 2}/{number:02d}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, 100])
    write_red_detector(root / 'detector.onnx')
    coco = dict(
        images=[dict(id=7, file_name='a.jpg', width=64, height=48)],
        annotations=[
            dict(id=3, image_id=7, category_id=5, bbox=[1, 2, 30, 20], area=600, iscrowd=0)
        ],
        categories=[dict(id=5, name='target')],
    )
    (root / 'train.json').write_text(json.dumps(coco))
    (script,) = [block for block in blocks('python') if 'InferenceSession' in block]
    (root / 'detector.py').write_text(script)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert main(commands('score')[0]) == 0
    return root


def test_command_scores_every_image_of_the_pool(scored):
    rows = rows_of(scored / 'scores.csv')
    assert len(rows) == 24 * 3
    best = {}
    for row in rows:
        best[row['image']] = max(best.get(row['image'], 0), float(row['score']))
    assert sorted(best, key=best.get) == sorted(best, key=lambda image: Path(image).stem)
    assert {row['group'] for row in rows} == {'cam0', 'cam1'}


def test_workers_write_the_same_table(scored, monkeypatch):
    monkeypatch.chdir(scored)
    _, workers, _, _ = commands('score')
    assert workers[-2:] == ['--workers', '8']
    workers[-1] = '2'
    workers[workers.index('scores.csv')] = 'again.csv'
    assert main(workers) == 0
    assert Path('again.csv').read_bytes() == Path('scores.csv').read_bytes()


def test_alarms_of_videos_are_counted(scored, monkeypatch, capsys):
    monkeypatch.chdir(scored)
    (script,) = [block for block in blocks('python') if 'iter_timed_frames' in block]
    Path('video_detector.py').write_text(script)
    for name, red in (('night.mp4', 60), ('with_target/boat.mp4', 250)):
        frames = [np.full((HEIGHT, WIDTH, 3), (0, 0, red), np.uint8)] * 3
        path = Path('videos', name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with VideoWriter(path, 10, (WIDTH, HEIGHT)) as writer:
            for frame in frames:
                writer.write(frame)
    assert main(commands('score')[-1]) == 0
    rows = rows_of('frames.csv')
    assert [row['has_target'] for row in rows] == ['0'] * 3 + ['1'] * 3
    assert [float(row['time']) for row in rows[:3]] == pytest.approx([0, 0.1, 0.2])
    assert max(float(row['score']) for row in rows[:3]) < float(rows[-1]['score'])
    (alarms,) = commands('alarms')
    capsys.readouterr()
    assert main(alarms) == 0
    assert 'recall' in capsys.readouterr().out


def test_rounds_pick_keep_and_take_decisions(scored, monkeypatch, capsys):
    monkeypatch.chdir(scored)
    plain, limited, with_positives, second = commands('mine')
    first = [*plain, '--num-picks', '6', '--diversity', '0']
    assert main(first) == 0
    assert '6 picks, 6 of them new, 6 scenes, 2 groups, of 24 images' in capsys.readouterr().out
    listed = Path('round_1/yolo/picks.txt').read_text().splitlines()
    assert [Path(line).stem for line in listed] == ['23', '22', '21', '20', '19', '18']
    assert all(Path(line).is_absolute() and Path(line).is_file() for line in listed)
    assert Path('round_1/review.html').stat().st_size > 10_000
    box = [float(rows_of('round_1/picks.csv')[0][side]) for side in 'xywh']
    image = cv2.imread(listed[0])
    x, y = int(box[0]) + CELL // 2, int(box[1]) + CELL // 2
    assert image[y, x, 2] > 200

    assert main([*limited, '--num-picks', '6']) == 0
    assert main([*with_positives, '--num-picks', '6']) == 0
    coco = json.loads(Path('round_1/coco.json').read_text())
    assert [image['file_name'] for image in coco['images']][0] == 'a.jpg'
    assert len(coco['images']) == 7
    assert {a['image_id'] for a in coco['annotations']} == {7}

    decisions = [
        Decision('pool/cam1/23.jpg', 'target', box=(10.0, 20.0, 42.0, 68.0), time=1.0),
        Decision('pool/cam0/22.jpg', 'ignore', time=2.0),
        Decision('pool/cam1/21.jpg', 'false_alarm', time=3.0),
    ]
    write_decisions('round_1/review_decisions.jsonl', decisions)
    capsys.readouterr()
    assert main([*second, '--num-picks', '6', '--diversity', '0', '--positives', 'train.json']) == 0
    assert '6 picks, 2 of them new' in capsys.readouterr().out
    picks = [Path(row['image']).stem for row in rows_of('round_2/picks.csv')]
    assert picks == ['21', '20', '19', '18', '17', '16']
    check_target(scored)


def check_target(root):
    """The target that a reviewer saw is a positive in both forms."""
    *listed, copied = (root / 'round_2/yolo/picks.txt').read_text().splitlines()
    assert len(listed) == 6
    # Where YOLO looks: the last folder "images" of the path becomes "labels".
    label = Path('labels'.join(copied.rsplit('images', 1))).with_suffix('.txt')
    values = [float(value) for value in label.read_text().split()]
    np.testing.assert_allclose(values, [0, 26 / 128, 44 / 96, 32 / 128, 48 / 96], atol=1e-5)
    coco = json.loads((root / 'round_2/coco.json').read_text())
    (found,) = [a for a in coco['annotations'] if a['image_id'] != 7]
    image = next(i for i in coco['images'] if i['id'] == found['image_id'])
    assert Path(image['file_name']).name == '23.jpg'
    assert Path(image['file_name']).is_absolute()
    assert (found['bbox'], found['category_id']) == ([10, 20, 32, 48], 5)
    assert len({i['id'] for i in coco['images']}) == len(coco['images']) == 8


def test_targets_for_torchvision_are_boxes_or_none():
    (block,) = [block for block in blocks('python') if 'to_target' in block]
    names = {}
    exec(compile(block, 'page', 'exec'), names)
    none = names['to_target']([])
    assert none['boxes'].shape == (0, 4)
    assert none['labels'].dtype == torch.int64
    one = names['to_target']([dict(bbox=[1, 2, 30, 20], category_id=1)])
    assert one['boxes'].tolist() == [[1, 2, 31, 22]]


def test_scripts_for_packages_that_are_not_installed_here_are_python():
    for block in blocks('python'):
        ast.parse(block)
