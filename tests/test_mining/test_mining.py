"""The parts of a mining round, without a runner."""

import random

import cv2
import numpy as np
import pytest
import torch
from mining_toys import ToyFolder, write_images
from mmdet.structures import DetDataSample
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmengine.structures import InstanceData
from torch import nn
from torch.utils.data import Dataset

from mmpolar.mining.all_ranks import on_all_ranks
from mmpolar.mining.picks import PickedRound, Picker, PickRule, hardest_first, ranks_in, shuffled
from mmpolar.mining.pool import default_test_pipeline, with_pipeline
from mmpolar.mining.reports import draw_alarm_sheet
from mmpolar.mining.scoring import HardestSamples, PoolScores, SampleDetections, prediction_mode
from mmpolar.mining.scoring.hardest_samples import MAX_DETECTIONS
from mmpolar.utils.random_state import kept_random_state


@pytest.mark.parametrize('size', [1, 2, 50])
def test_hardest_first_is_a_sort_with_ties_in_the_shuffled_order(size):
    rng = np.random.default_rng(size)
    scores = rng.integers(0, 4, size) / 4
    ranks = ranks_in(shuffled(size, 1, 2))
    expected = sorted(range(size), key=lambda i: (-scores[i], ranks[i]))
    assert hardest_first(scores, ranks).tolist() == expected


def test_shuffles_depend_on_seed_and_round():
    orders = {tuple(shuffled(30, seed, number)) for seed in (0, 1) for number in (1, 2)}
    assert len(orders) == 4
    assert shuffled(30, 0, 1).tolist() == shuffled(30, 0, 1).tolist()
    assert ranks_in(shuffled(30, 0, 1))[shuffled(30, 0, 1)].tolist() == list(range(30))


@pytest.mark.parametrize(
    ('rule', 'expected'),
    [
        (PickRule(num_picks=3), 3),
        (PickRule(num_picks=30), 5),
        (PickRule(share=0.5), 2),
        (PickRule(share=0.01), 1),
        (PickRule(share=1.0), 5),
        (PickRule(score_thr=0.5), 3),
        (PickRule(score_thr=1.1), 0),
    ],
)
def test_rules_count(rule, expected):
    assert rule.count(np.array([0.9, 0.7, 0.5, 0.2, 0.0])) == expected


def test_shares_of_ranks_are_merged_in_the_order_of_the_pool():
    shares = [
        PoolScores(np.array([0, 2, 4]), np.array([0.1, 0.2, 0.3]), {6: 'gone'}),
        PoolScores(np.array([1, 5]), np.array([0.5, 0.6]), {3: 'broken'}),
    ]
    merged = PoolScores.merged(shares)
    assert merged.indices.tolist() == [0, 1, 2, 4, 5]
    assert merged.scores.tolist() == [0.1, 0.5, 0.2, 0.3, 0.6]
    assert merged.unreadable == {6: 'gone', 3: 'broken'}


def sample(scores, path='a.png'):
    result = DetDataSample(metainfo=dict(img_path=path))
    scores = torch.tensor(scores)
    boxes = torch.arange(len(scores))[:, None] + torch.tensor([[0.0, 0.0, 9.0, 9.0]])
    result.pred_instances = InstanceData(scores=scores, bboxes=boxes)
    return result


@pytest.mark.parametrize('limit', [0, 3, 40])
def test_hardest_samples_are_those_of_the_whole_pool(limit):
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 5, 30) / 5
    ranks = ranks_in(shuffled(30, 0, 1))
    hardest = HardestSamples(limit, ranks)
    for start in range(0, 30, 7):
        batch = range(start, min(30, start + 7))
        hardest.add(batch, scores[batch], [sample([0.1], path=str(i)) for i in batch])
    kept = hardest.detections()
    assert set(kept) == set(hardest_first(scores, ranks)[:limit].tolist())
    assert all(kept[index].img_path == str(index) for index in kept)


def test_highest_detections_are_kept_in_order():
    found = SampleDetections.from_sample(sample(np.linspace(0, 0.9, 20).tolist()))
    assert found.scores.tolist() == sorted(np.linspace(0, 0.9, 20).astype(np.float32))[:-9:-1]
    assert found.bboxes[:, 0].tolist() == list(range(19, 19 - MAX_DETECTIONS, -1))


def test_samples_without_boxes_have_no_detections():
    found = SampleDetections.from_sample(DetDataSample())
    assert found.img_path is None
    assert found.bboxes.shape == (0, 4)


def test_picks_return_from_a_checkpoint_where_they_are_now():
    picked = PickedRound(3, np.array([4, 0, 2]), np.array([0.9, 0.8, 0.7]))
    state = picked.to_state(['a', 'b', 'c', 'd', 'e'])
    same, lost = PickedRound.from_state(state, ['a', 'b', 'c', 'd', 'e'])
    assert (same.indices.tolist(), same.scores.tolist(), lost) == ([4, 0, 2], [0.9, 0.8, 0.7], 0)
    moved, lost = PickedRound.from_state(state, ['new', 'a', 'e', 'x'])
    assert (moved.indices.tolist(), moved.scores.tolist(), lost) == ([2, 1], [0.9, 0.8], 1)
    gone, lost = PickedRound.from_state(state, ['x'])
    assert (gone.indices.tolist(), lost) == ([], 3)


def test_picks_with_equal_names_keep_their_places():
    picked = PickedRound(1, np.array([2, 1]), None)
    back, lost = PickedRound.from_state(picked.to_state(['a', 'a', 'a']), ['a', 'a', 'a'])
    assert (back.indices.tolist(), back.scores, lost) == ([2, 1], None, 0)


class Merging(nn.Module):
    """Has a part with its own rule of what is trained."""

    def __init__(self):
        super().__init__()
        self.free, self.fixed = nn.Dropout(), nn.Dropout()
        self.fixed.eval()


@pytest.mark.parametrize('is_training', [True, False])
def test_each_module_gets_its_own_mode_back_even_after_an_error(is_training):
    model = Merging()
    model.training = is_training
    modes = []

    def look_and_fail():
        with prediction_mode(model):
            modes.extend(module.training for module in model.modules())
            raise KeyError

    with pytest.raises(KeyError):
        look_and_fail()
    assert modes == [False] * 3
    assert [m.training for m in (model, model.free, model.fixed)] == [is_training, True, False]


def test_random_numbers_go_on_as_if_nothing_had_been():
    def draw():
        return random.random(), np.random.rand(), torch.rand(()).item()  # noqa: NPY002

    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    expected = [draw() for _ in range(3)]
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    got = [draw()]
    with kept_random_state():
        draw()
    got.append(draw())

    def draw_and_fail():
        with kept_random_state():
            draw()
            raise KeyError

    with pytest.raises(KeyError):
        draw_and_fail()
    assert [*got, draw()] == expected


def test_one_process_gets_its_own_error():
    with pytest.raises(ZeroDivisionError):
        on_all_ranks(lambda: 1 / 0)
    assert on_all_ranks(lambda: 7) == [7]


@pytest.fixture
def folders(tmp_path):
    for number, count in enumerate((3, 2)):
        write_images(tmp_path / str(number), count, seed=number)
    roots = [str(tmp_path / str(number)) for number in (0, 1)]
    return [ToyFolder(data_root=root, pipeline=[], serialize_data=False) for root in roots]


def paths(dataset):
    return [dataset[index] for index in range(len(dataset))]


@pytest.mark.parametrize('kind', ['one', 'concatenated', 'repeated', 'nested'])
def test_data_sets_are_read_through_another_pipeline(folders, kind):
    dataset = dict(
        one=lambda: folders[0],
        concatenated=lambda: ConcatDataset(folders),
        repeated=lambda: RepeatDataset(folders[0], times=2),
        nested=lambda: RepeatDataset(dict(type='ConcatDataset', datasets=folders), times=2),
    )[kind]()
    before = paths(dataset)
    changed = with_pipeline(dataset, [lambda results: results['img_path']])
    assert paths(changed) == [info['img_path'] for info in before]
    assert paths(dataset) == before
    assert not folders[0].test_mode


def test_annotations_are_shared_with_the_copy(folders):
    assert with_pipeline(folders[0], []).data_list is folders[0].data_list


class Bare(Dataset):
    def __len__(self):
        return 1


def test_data_sets_without_a_pipeline_need_a_pool_of_their_own():
    with pytest.raises(TypeError, match=r'negatives of Bare .* pool=dict\(type=...\)'):
        with_pipeline(Bare(), [])


LOAD, ANNOTATE, PACK = (
    dict(type=name) for name in ('LoadImageFromFile', 'LoadAnnotations', 'PackDetInputs')
)


@pytest.mark.parametrize('loader', ['test_dataloader', 'val_dataloader'])
@pytest.mark.parametrize('wrapper', [None, 'RepeatDataset', 'ConcatDataset'])
def test_default_pipeline_loads_no_annotations(loader, wrapper):
    annotate = dict(ANNOTATE, type='mmdet.LoadAnnotations', with_mask=True)
    dataset = dict(type='CocoDataset', pipeline=[LOAD, annotate, PACK])
    if wrapper == 'RepeatDataset':
        dataset = dict(type=wrapper, dataset=dataset, times=2)
    elif wrapper == 'ConcatDataset':
        dataset = dict(type=wrapper, datasets=[dataset, dict(type='CocoDataset')])
    assert default_test_pipeline({loader: dict(dataset=dataset)}) == [LOAD, PACK]


def test_test_data_come_before_validation_data():
    config = dict(
        val_dataloader=dict(dataset=dict(pipeline=[PACK])),
        test_dataloader=dict(dataset=dict(pipeline=[LOAD])),
    )
    assert default_test_pipeline(config) == [LOAD]
    config['test_dataloader'] = None
    assert default_test_pipeline(config) == [PACK]


def test_a_config_without_test_data_has_no_default_pipeline():
    with pytest.raises(ValueError, match=r'give it pipeline=\[...\]'):
        default_test_pipeline({})


def test_sheets_leave_out_what_cannot_be_read(tmp_path):
    (path,) = write_images(tmp_path, 1)
    box, score = np.array([[2.0, 3.0, 9.0, 9.0]]), np.array([0.5])
    samples = [SampleDetections(p, box, score) for p in (path, str(tmp_path / 'none.png'), None)]
    sheet = draw_alarm_sheet(samples, ['one', 'two', 'three'])
    assert sheet.shape == (210 + 22 + 8, 284 + 4, 3)
    assert draw_alarm_sheet(samples[1:], ['two', 'three']) is None


def test_boxes_are_drawn_where_they_are_in_the_image(tmp_path):
    path = str(tmp_path / 'black.png')
    cv2.imwrite(path, np.zeros((420, 560, 3), np.uint8))
    low = SampleDetections(path, np.array([[200.0, 100, 400, 300]]), np.array([0.9]))
    sheet = draw_alarm_sheet([low], ['x'])[4 : 4 + 210, 4 : 4 + 280]
    rows, columns = np.nonzero(np.abs(sheet.astype(int) - [0, 140, 255]).sum(2) < 60)
    on_right = columns > 160
    assert columns[on_right].max() == pytest.approx(200, abs=2)
    assert rows.max() == pytest.approx(150, abs=2)


def test_sampled_picks_prefer_high_scores():
    scores = np.array([0.8, 0.4, 0.2, 0.1, 0.0])
    ranks, indices = np.arange(5), np.arange(5)
    picker = Picker(PickRule(num_picks=1), 'sampled')
    first = [picker.pick_hardest(n, ranks, indices, scores).indices[0] for n in range(1, 2001)]
    # The first of a sample without replacement is taken in proportion to the scores.
    np.testing.assert_allclose(np.bincount(first, minlength=5) / 2000, scores / 1.5, atol=0.03)
    cold = Picker(PickRule(num_picks=3), 'sampled', temperature=1e-3)
    assert cold.pick_hardest(1, ranks, indices, scores).indices.tolist() == [0, 1, 2]
    assert picker.pick_hardest(7, ranks, indices, scores).indices == first[6]
    with pytest.raises(ValueError, match='temperature must be above 0'):
        Picker(PickRule(num_picks=1), 'sampled', temperature=0)
    with pytest.raises(ValueError, match='sampled picks have no least score'):
        Picker(PickRule(score_thr=0.5), 'sampled')
