import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mining_toys import ToyDetector, folder_config, make_config, make_pool, scores_one_by_one, train
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmpolar.mining import HardNegativeMiningHook
from mmpolar.utils import deprecation
from mmpolar.utils.deprecation import MMPolarDeprecationWarning

EPOCH_LENGTH = 2
UNUSED_PICKS = dict(mined_share=0.0)


@pytest.fixture
def root(tmp_path):
    make_pool(tmp_path)
    return tmp_path


def reports(root):
    return [json.loads(path.read_text()) for path in sorted((root / 'work/mining').glob('*.json'))]


def names(report):
    """File names of the picks, in their order."""
    return [Path(pick['key']).name for pick in report['picks']]


def log_text(runner):
    return ''.join(path.read_text() for path in Path(runner.log_dir).glob('*.log'))


def model_of(checkpoint):
    model = ToyDetector()
    model.load_state_dict(torch.load(checkpoint, weights_only=True)['state_dict'])
    return model


def hardest(scores, count):
    return sorted(scores, key=scores.get, reverse=True)[:count]


def with_dataset(root, hook, by_epoch=True, **options):
    """Changes of the training data set, for ``train``."""
    loader = make_config(root, hook, by_epoch)['train_dataloader']
    return dict(train_dataloader={**loader, 'dataset': {**loader['dataset'], **options}})


def drawn(recorder, epoch):
    per_iteration = [recorder.negatives[epoch * EPOCH_LENGTH + i] for i in range(EPOCH_LENGTH)]
    return set(sum(per_iteration, []))


def test_picks_are_those_of_scoring_every_image_alone(root):
    runner, recorder = train(root, dict(num_picks=5))
    found = reports(root)
    assert [report['epoch'] for report in found] == [0, 1, 2]
    assert runner.model.num_tested == 3 * 21
    for epoch in (1, 2):
        model = model_of(root / f'work/epoch_{epoch}.pth')
        scores = scores_one_by_one(model, root / 'negatives')
        report = found[epoch]
        assert names(report) == hardest(scores, 5)
        np.testing.assert_allclose(
            [pick['score'] for pick in report['picks']],
            [scores[name] for name in names(report)],
            rtol=1e-5,
        )
        quantiles = np.quantile(list(scores.values()), [0, 0.5, 0.9, 0.99, 1])
        np.testing.assert_allclose(list(report['quantiles'].values()), quantiles, rtol=1e-5)
        assert report['share_above'] == np.mean(np.array(list(scores.values())) >= 0.3)
        assert drawn(recorder, epoch) <= set(names(report))


@pytest.mark.parametrize(
    ('options', 'count'), [(dict(share=0.25), 5), (dict(share=0.001), 1), (dict(score_thr=0), 21)]
)
def test_number_of_picks_follows_the_rule(root, options, count):
    train(root, options, train_cfg=dict(by_epoch=True, max_epochs=1))
    assert [len(report['picks']) for report in reports(root)] == [count]


def test_threshold_picks_all_above_it(root):
    train(root, dict(num_picks=21))
    scores = [pick['score'] for pick in reports(root)[0]['picks']]
    threshold = (scores[6] + scores[7]) / 2
    train(root, dict(score_thr=threshold))
    assert [pick['score'] for pick in reports(root)[0]['picks']] == scores[:7]


def test_without_picks_above_the_threshold_the_whole_pool_is_drawn(root):
    runner, recorder = train(root, dict(score_thr=2.0))
    assert [report['num_picks'] for report in reports(root)] == [0, 0, 0]
    assert runner.train_dataloader.dataset.mined.read()[0].tolist() == []
    assert len(drawn(recorder, 2)) == 8


def test_a_round_leaves_no_trace_in_the_training(root):
    """Weights, losses, modes and random numbers are bit for bit those of a training without."""
    changes = with_dataset(root, None, **UNUSED_PICKS)
    plain, plain_record = train(root, None, **changes)
    runner, record = train(root, dict(num_picks=5), **changes)
    assert runner.model.num_tested == 3 * 21
    assert record.losses == plain_record.losses
    assert record.draws == plain_record.draws
    assert record.negatives == plain_record.negatives
    assert record.modes == plain_record.modes
    assert not record.modes[1]['frozen']
    assert record.modes[1]['dropout']
    expected = plain.model.state_dict()
    for name, value in runner.model.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_ema_weights_score_and_are_swapped_back(root):
    changes = with_dataset(root, None, **UNUSED_PICKS)
    ema = dict(type='EMAHook', momentum=0.3)

    def run(hook):
        config = make_config(root, hook, **changes)
        config['custom_hooks'] = [ema, *config['custom_hooks']]
        runner = Runner(**config)
        runner.train()
        return runner

    runner = run(dict(num_picks=5, use_ema=True))
    found = reports(root)
    for epoch in (1, 2):
        # What a checkpoint holds as the model's weights is the average.
        averaged = model_of(root / f'work/epoch_{epoch}.pth')
        assert names(found[epoch]) == hardest(scores_one_by_one(averaged, root / 'negatives'), 5)
    expected = run(None).model.state_dict()
    for name, value in runner.model.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_before_the_first_update_the_average_is_the_model_itself(root):
    """EMAHook copies the model before its weights are initialised."""
    one_epoch = dict(train_cfg=dict(by_epoch=True, max_epochs=1))
    train(root, dict(num_picks=5), **one_epoch)
    expected = reports(root)[0]['picks']
    config = make_config(root, dict(num_picks=5, use_ema=True), **one_epoch)
    config['custom_hooks'].append(dict(type='EMAHook'))
    Runner(**config).train()
    assert reports(root)[0]['picks'] == expected


def test_ema_without_its_hook_is_refused(root):
    with pytest.raises(ValueError, match='needs an EMAHook'):
        train(root, dict(num_picks=5, use_ema=True))


@pytest.mark.parametrize('mining_workers', [0, 2])
def test_persistent_workers_see_the_picks(root, mining_workers):
    hook = dict(num_picks=3, num_workers=mining_workers)
    loader = make_config(root, hook)['train_dataloader']
    loader.update(num_workers=2, persistent_workers=True)
    # All scores are equal, so that the picks change from round to round.
    _, recorder = train(root, hook, train_dataloader=loader, model=dict(type='BlindDetector'))
    picked = [set(names(report)) for report in reports(root)]
    assert [drawn(recorder, epoch) for epoch in range(3)] == picked
    assert picked[0] != picked[1]


def test_old_picks_are_kept_for_some_rounds(root):
    runner, _ = train(root, dict(num_picks=3, keep_rounds=1))
    found = reports(root)
    fresh = [[p['index'] for p in r['picks'] if p['round'] == r['round']] for r in found]
    assert [len(indices) for indices in fresh] == [3, 3, 3]
    for number in (1, 2):
        indices = [pick['index'] for pick in found[number]['picks']]
        kept = [index for index in fresh[number - 1] if index not in fresh[number]]
        assert indices == fresh[number] + kept
    picks, last_round = runner.train_dataloader.dataset.mined.read()
    assert picks.tolist() == [pick['index'] for pick in found[2]['picks']]
    assert last_round == 3


def test_new_picks_are_counted(root):
    train(root, dict(num_picks=4))
    before = set()
    for report in reports(root):
        assert report['num_new'] == len(set(names(report)) - before)
        assert {Path(p['key']).name for p in report['picks'] if p['is_new']} == (
            set(names(report)) - before
        )
        before = set(names(report))


def test_rounds_by_iterations(root):
    _, recorder = train(root, dict(num_picks=3, interval=2, by_epoch=False), by_epoch=False)
    found = reports(root)
    # The report of a round inside an iteration counts the iterations before it.
    assert [report['iter'] for report in found] == [0, 1, 3]
    for iteration in range(6):
        assert set(recorder.negatives[iteration]) <= set(names(found[iteration // 2]))


def test_warm_up_and_interval_by_epochs(root):
    _, recorder = train(
        root,
        dict(num_picks=2, begin=1, interval=2),
        train_cfg=dict(by_epoch=True, max_epochs=5),
    )
    found = reports(root)
    assert [report['epoch'] for report in found] == [1, 3]
    assert len(drawn(recorder, 0)) == 8
    for epoch in (1, 2, 3, 4):
        assert drawn(recorder, epoch) == set(names(found[(epoch - 1) // 2]))


def test_warm_up_by_iterations(root):
    train(root, dict(num_picks=2, begin=3, interval=2, by_epoch=False), by_epoch=False)
    assert [report['iter'] for report in reports(root)] == [2, 4]


def test_epochs_are_not_counted_in_training_by_iterations(root):
    with pytest.raises(ValueError, match='by_epoch=False'):
        train(root, dict(num_picks=2), by_epoch=False)


def test_random_picks_need_no_scoring(root):
    runner, _ = train(root, dict(num_picks=6, selection='random'))
    first = [names(report) for report in reports(root)]
    assert runner.model.num_tested == 0
    assert len({tuple(picks) for picks in first}) == 3
    assert not list((root / 'work/mining').glob('*.jpg'))
    assert all(pick['score'] is None for pick in reports(root)[0]['picks'])
    train(root, dict(num_picks=6, selection='random'))
    assert [names(report) for report in reports(root)] == first
    train(root, dict(num_picks=6, selection='random', seed=1))
    assert [names(report) for report in reports(root)] != first


def test_more_picks_than_the_pool_takes_all_and_warns_once(root):
    runner, _ = train(root, dict(num_picks=22))
    assert [report['num_picks'] for report in reports(root)] == [21, 21, 21]
    assert log_text(runner).count('num_picks=22 is more than the pool of 21 negatives') == 1


def test_training_data_without_negatives_is_refused(root):
    changes = with_dataset(root, dict(num_picks=2), negatives=None, num_negatives=0)
    with pytest.raises(ValueError, match='pool of negatives of CompositeDataset is empty'):
        train(root, dict(num_picks=2), **changes)


def test_an_empty_folder_of_negatives_is_refused(root):
    for path in (root / 'negatives').iterdir():
        path.unlink()
    with pytest.raises(ValueError, match='negatives: ToyFolder has no image'):
        train(root, dict(num_picks=2))


def test_other_training_data_is_refused(root):
    changes = dict(train_dataloader=make_config(root, None)['train_dataloader'])
    changes['train_dataloader']['dataset'] = folder_config(root / 'positives')
    with pytest.raises(ValueError, match='ToyFolder holds 0'):
        train(root, dict(num_picks=2), **changes)


def test_unreadable_negatives_are_skipped_counted_and_named(root):
    (root / 'negatives/004.png').write_bytes(b'no image')
    (root / 'negatives/011.png').write_bytes(b'')
    runner, _ = train(root, dict(num_picks=21, batch_size=1))
    for report in reports(root):
        assert [Path(key).name for key in report['unreadable']] == ['004.png', '011.png']
        assert 'no image in' in next(iter(report['unreadable'].values()))
        assert report['num_scored'] == report['num_picks'] == 19
        assert not {'004.png', '011.png'} & set(names(report))
    assert '2 of 21 negatives cannot be read' in log_text(runner)
    assert f'{root}/negatives/004.png' in log_text(runner)


def test_a_pool_of_which_nothing_can_be_read_is_an_error(root):
    for path in (root / 'negatives').iterdir():
        path.write_bytes(b'no image')
    with pytest.raises(ValueError, match=r'none of 21 negatives can be read: .*000.png .*16 more'):
        train(root, dict(num_picks=2))


def test_equal_scores_are_ordered_by_seed_and_round(root):
    def picks(**options):
        train(root, dict(num_picks=5, **options), model=dict(type='BlindDetector'))
        assert [report['share_above'] for report in reports(root)] == [0, 0, 0]
        assert all(set(report['quantiles'].values()) == {0} for report in reports(root))
        return [names(report) for report in reports(root)]

    first = picks()
    assert len({tuple(found) for found in first}) == 3
    assert picks(batch_size=7, num_workers=1) == first
    assert picks(seed=5) != first
    assert (root / 'work/mining/round_0003.jpg').is_file()


def test_scores_that_are_not_finite_name_the_image(root):
    with pytest.raises(ValueError, match=r'negative 7 \(.*007.png\) has the score nan'):
        train(root, dict(num_picks=2), model=dict(type='DivergedDetector'))


class PoolChanger(Hook):
    """Lists the negatives again after the first epoch, one of them gone or another in its place."""

    def __init__(self, folder, is_replaced):
        self.folder, self.is_replaced = folder, is_replaced

    def after_train_epoch(self, runner):
        (self.folder / '009.png').rename(
            self.folder / '009b.png' if self.is_replaced else self.folder.parent / '009.png'
        )
        negatives = runner.train_dataloader.dataset.negatives
        negatives._fully_initialized = False
        negatives.full_init()


@pytest.mark.parametrize('is_replaced', [True, False])
def test_a_pool_that_changes_between_rounds_is_an_error(root, is_replaced):
    config = make_config(root, dict(num_picks=3))
    config['custom_hooks'].append(PoolChanger(root / 'negatives', is_replaced))
    runner = Runner(**config)
    size = 21 if is_replaced else 20
    with pytest.raises(RuntimeError, match=f'changed during training, from 21 to {size} images'):
        runner.train()
    # What was there before the change is whole: the first epoch can be resumed.
    assert (root / 'work/epoch_1.pth').is_file()


def no_dropout(**changes):
    return dict(model=dict(type='ToyDetector', dropout=0.0), **changes)


def resumed_from(root, name):
    """Options of a run that resumes and writes elsewhere."""
    return dict(load_from=str(root / 'work' / name), resume=True, work_dir=str(root / 'again/work'))


def test_a_resumed_run_goes_on_with_the_same_picks(root):
    hook = dict(num_picks=4, interval=2, keep_rounds=1)
    cfg = dict(train_cfg=dict(by_epoch=True, max_epochs=4))
    whole, record = train(root, hook, **no_dropout(**cfg))
    resumed, again = train(root, hook, **no_dropout(**cfg), **resumed_from(root, 'epoch_1.pth'))
    assert [report['round'] for report in reports(root / 'again')] == [2]
    assert reports(root / 'again')[0]['picks'] == reports(root)[1]['picks']
    later = {number: record.negatives[number] for number in range(2, 8)}
    assert again.negatives == later
    expected = whole.model.state_dict()
    for name, value in resumed.model.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_a_run_resumed_inside_an_epoch_keeps_its_picks(root):
    checkpoints = dict(checkpoint=dict(type='AtomicCheckpointHook', interval=1, by_epoch=False))
    hook = dict(num_picks=4)
    train(root, hook, **no_dropout(default_hooks=checkpoints))
    _, again = train(root, hook, **no_dropout(), **resumed_from(root, 'iter_3.pth'))
    # MMEngine starts the second epoch anew, with the picks that it had.
    assert [report['epoch'] for report in reports(root / 'again')] == [2]
    assert set(again.negatives[3]) <= set(names(reports(root)[1]))


def test_a_run_by_iterations_is_resumed_between_two_rounds(root):
    hook = dict(num_picks=4, interval=2, by_epoch=False)
    whole, record = train(root, hook, by_epoch=False, **no_dropout())
    resumed, again = train(
        root, hook, by_epoch=False, **no_dropout(), **resumed_from(root, 'iter_3.pth')
    )
    assert [report['round'] for report in reports(root / 'again')] == [3]
    assert reports(root / 'again')[0]['picks'] == reports(root)[2]['picks']
    assert again.negatives == {number: record.negatives[number] for number in range(3, 6)}
    expected = whole.model.state_dict()
    for name, value in resumed.model.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_a_pool_that_changed_before_resuming_keeps_what_is_there(root):
    hook = dict(num_picks=4, interval=3)
    train(root, hook, train_cfg=dict(by_epoch=True, max_epochs=1))
    picked = names(reports(root)[0])
    for name in picked[:2]:
        (root / 'negatives' / name).unlink()
    (root / 'negatives/000a.png').write_bytes((root / 'negatives' / picked[3]).read_bytes())
    runner, again = train(root, hook, **resumed_from(root, 'epoch_1.pth'))
    assert '2 mined negatives of the checkpoint are no longer in the pool' in log_text(runner)
    assert set(sum(again.negatives.values(), [])) == set(picked[2:])
    assert reports(root / 'again') == []


def test_weights_that_are_only_loaded_bring_no_picks(root):
    train(root, dict(num_picks=4), train_cfg=dict(by_epoch=True, max_epochs=1))
    loaded = dict(load_from=str(root / 'work/epoch_1.pth'), work_dir=str(root / 'again/work'))
    train(root, dict(num_picks=4), **loaded)
    assert [report['round'] for report in reports(root / 'again')] == [1, 2, 3]


def test_checkpoints_hold_plain_values(root):
    train(root, dict(num_picks=4))
    state = torch.load(root / 'work/epoch_2.pth', weights_only=True)['hard_negative_mining']
    (picked,) = state['rounds']
    report = reports(root)[1]
    assert picked['keys'] == [pick['key'] for pick in report['picks']]
    assert picked['scores'] == [pick['score'] for pick in report['picks']]
    assert json.loads(json.dumps(state)) == state


def test_each_round_has_one_log_line_a_file_a_sheet_and_scalars(root):
    runner, _ = train(root, dict(num_picks=5, num_sheet_images=4, report_thr=0.5))
    lines = [line for line in log_text(runner).splitlines() if 'mining round' in line]
    assert len(lines) == 3
    for number, (line, report) in enumerate(zip(lines, reports(root), strict=True), start=1):
        assert f'mining round {number}: pool of 21; 21 scored in ' in line
        assert f'{report["share_above"]:.2%} score 0.5 or more' in line
        assert f'5 picks, {report["num_new"]} of them new' in line
    sheet = cv2.imread(str(root / 'work/mining/round_0001.jpg'))
    # Four images in one row of cells, with gaps and a line of text below.
    assert sheet.shape == (210 + 22 + 8, 4 * 284 + 4, 3)
    scalars = [
        json.loads(line)
        for line in (Path(runner.log_dir) / 'vis_data/scalars.json').read_text().splitlines()
    ]
    logged = [scalar for scalar in scalars if 'mining/share_above' in scalar]
    assert [scalar['step'] for scalar in logged] == [0, 2, 4]
    expected = [report['share_above'] for report in reports(root)]
    assert [scalar['mining/share_above'] for scalar in logged] == expected


def test_the_sheet_shows_the_false_alarms(root):
    train(root, dict(num_picks=1, num_sheet_images=1), train_cfg=dict(by_epoch=True, max_epochs=1))
    (name,) = names(reports(root)[0])
    image = cv2.resize(cv2.imread(str(root / 'negatives' / name)), (210, 210))
    sheet = cv2.imread(str(root / 'work/mining/round_0001.jpg'))
    shown = sheet[4 : 4 + 210, 4 + 35 : 4 + 35 + 210]
    # The image is where it should be, and the sides of its box, 4 to 11 of 16 px, are drawn.
    right_part = np.abs(shown[:, 170:].astype(int) - image[:, 170:])
    assert right_part.mean() < 12
    # The left side of the box is at x = 4 px, where the letters of the score are not.
    orange = np.array([0, 140, 255])
    along_left_side = shown[80:135, round(4 * 210 / 16)]
    assert np.abs(along_left_side.astype(int) - orange).mean() < 40


def test_a_report_that_cannot_be_written_does_not_end_the_training(root):
    (root / 'work').mkdir()
    (root / 'work/mining').write_text('in the way')
    runner, recorder = train(root, dict(num_picks=3))
    assert log_text(runner).count('the report of mining round') == 3
    assert sorted(recorder.negatives) == list(range(6))
    assert len(set(sum((recorder.negatives[i] for i in (4, 5)), []))) <= 3


def test_without_a_pipeline_the_remedy_is_told(root):
    with pytest.raises(ValueError, match=r'give it pipeline=\[...\]'):
        train(root, dict(num_picks=5, pipeline=None))


def test_a_pool_of_its_own_makes_the_test_samples(root):
    pool = folder_config(root / 'negatives')
    pool['pipeline'] = [dict(type='ReadPixels'), dict(type='PackPixels')]
    one_epoch = dict(train_cfg=dict(by_epoch=True, max_epochs=1))
    train(root, dict(num_picks=5), **one_epoch)
    expected = reports(root)[0]['picks']
    train(root, dict(num_picks=5, pipeline=None, pool=pool), **one_epoch)
    assert reports(root)[0]['picks'] == expected
    pool['data_root'] = str(root / 'positives')
    with pytest.raises(ValueError, match='pool of HardNegativeMiningHook has 5 items'):
        train(root, dict(num_picks=5, pipeline=None, pool=pool), **one_epoch)


def test_a_scorer_of_ones_own(root):
    def darkness(samples):
        return [1 - cv2.imread(sample.img_path).mean() / 255 for sample in samples]

    train(root, dict(num_picks=3, scorer=darkness), train_cfg=dict(by_epoch=True, max_epochs=1))
    values = {path.name: -cv2.imread(str(path)).mean() for path in (root / 'negatives').iterdir()}
    assert names(reports(root)[0]) == hardest(values, 3)


def test_a_scorer_that_forgets_an_image_is_an_error(root):
    with pytest.raises(ValueError, match='4 negatives gave 4 data samples and 3 scores'):
        train(root, dict(num_picks=3, scorer=lambda samples: [0.0] * (len(samples) - 1)))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(), 'exactly one of num_picks, share and score_thr'),
        (dict(num_picks=3, share=0.1), 'exactly one'),
        (dict(num_picks=0), 'num_picks must be at least 1, got 0'),
        (dict(share=0.0), r'share must lie in \(0, 1\]'),
        (dict(num_picks=3, interval=0), 'interval must be at least 1, got 0'),
        (dict(num_picks=3, begin=-1), 'begin must be at least 0'),
        (dict(num_picks=3, batch_size=0), 'batch_size must be at least 1'),
        (dict(num_picks=3, selection='best'), "one of .*, got 'best'"),
        (dict(score_thr=0.5, selection='random'), 'random picks have no least score'),
        (dict(num_picks=3, pool=dict(), pipeline=[]), 'not both'),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        HardNegativeMiningHook(**options)


def test_old_name_of_the_number_of_images_still_works(root, monkeypatch):
    monkeypatch.setattr(deprecation, '_warned', set())
    with pytest.warns(MMPolarDeprecationWarning, match='use num_sheet_images'):
        train(root, dict(num_picks=1, num_pictures=0), train_cfg=dict(by_epoch=True, max_epochs=1))
    assert reports(root)[0]['num_picks'] == 1
    assert not list((root / 'work/mining').glob('*.jpg'))
