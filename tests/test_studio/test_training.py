"""Training on a project's labels: the config, the process, and the tracker that comes of it."""

import json
import shutil
import time

import pytest
from browser import open_page
from studio_server import SCENE, TINY

from mmpolar.registry import DATASETS
from mmpolar.studio.store import MASK
from mmpolar.studio.training import PARTS, Training, trained_part
from mmpolar.utils.shared_values import load_config

#: Of a training of a few steps, on a busy machine.
PATIENCE = 600_000


def label_all(project, name='car.mp4'):
    """The true masks of the scene as a person's labels."""
    clip = project.open_clip(name)
    target = project.store.add_target(clip.id, 'car', '#ff8800').id
    for frame in range(len(SCENE)):
        file = project.save_mask(clip, target, frame, SCENE.render(frame)[1], False)
        project.store.put_hand(target, [frame], MASK, file, 0, 'label')


def test_the_config_reads_the_labels(project):
    label_all(project)
    command = Training(project).prepare('mine', ['car.mp4'], epochs=3, samples=8, batch_size=4)
    config = project.own / 'training/mine/config.py'
    assert f'{config} --work-dir' in command
    cfg = load_config(config)
    assert cfg.train_cfg.max_epochs == cfg.param_scheduler[1].T_max == 3
    assert cfg.load_from.startswith('mmpolar://')
    pairs = DATASETS.build(cfg.train_dataloader.dataset)
    assert len(pairs) == 8
    assert pairs[0]['inputs']['search_img'].shape == (1, 3, 255, 255)


def test_the_config_of_the_masks_goes_on_from_the_packaged_weights(project):
    label_all(project)
    training = Training(project)
    training.prepare('mine', ['car.mp4'], epochs=1, samples=8, batch_size=4, part='masks')
    cfg = load_config(project.own / 'training/mine/config.py')
    assert cfg.model.type == 'MaskStage'
    assert cfg.model.init_cfg.checkpoint.startswith('mmpolar://')
    groups = DATASETS.build(cfg.train_dataloader.dataset)
    assert len(groups) == 8
    assert groups[0]['inputs']['gt_masks'].max() > 0
    assert trained_part(project.own / 'training/mine') == 'masks'
    with pytest.raises(ValueError, match='trained can be masks or tracker, not x'):
        training.prepare('other', ['car.mp4'], 1, 8, 4, part='x')


def test_a_clip_that_is_no_longer_chosen_is_not_trained_on(project):
    shutil.copy(project.folder / 'car.mp4', project.folder / 'bus.mp4')
    for name in ('car.mp4', 'bus.mp4'):
        label_all(project, name)
    training = Training(project)
    for clips in (['car.mp4', 'bus.mp4'], ['car.mp4']):
        training.prepare('mine', clips, epochs=1, samples=8, batch_size=4)
    names = project.own / 'training/mine/data/ImageSets/2017/train.txt'
    assert names.read_text().split() == ['car']


def test_names_that_are_taken_or_lead_elsewhere_are_refused(project):
    training = Training(project)
    for name in ('../x', '', 'a/b', TINY):
        with pytest.raises(ValueError, match='called|already'):
            training.prepare(name, ['car.mp4'], 1, 8, 4)
    with pytest.raises(KeyError, match='no training mine'):
        training.start('mine')


@pytest.mark.slow
@pytest.mark.parametrize('part', PARTS)
def test_a_training_on_the_page_makes_a_tracker_to_choose_and_compare(folder, project, serve, part):
    label_all(project)
    server = serve(folder)
    with open_page(viewport=dict(width=1300, height=900)) as page:
        page.set_default_timeout(PATIENCE)
        page.goto(server.address)
        page.locator('#number', has_text='frame 0 of 12').wait_for()
        page.click('#training > summary')
        page.select_option('#part', part)
        for place, value in (('epochs', '2'), ('samples', '8'), ('batch', '4')):
            page.fill(f'#{place}', value)
        page.click('#prepare')
        page.locator('.training', has_text='prepared').wait_for()
        page.click('.training button')
        page.locator('.training', has_text='running').wait_for()
        page.locator('.training button', has_text='Stop').click()
        page.locator('.training button', has_text='Resume').click()
        page.locator('.training', has_text='done').wait_for()
        page.locator('.training .loss polyline').wait_for()

        page.locator('#model option[value=mine]').wait_for(state='attached')
        page.select_option('#model', 'mine')
        page.locator('#message', has_text='mine tracks from now on').wait_for()
        page.click('#comparison > summary')
        page.check('#compared-models input[value=mine]')
        page.click('#compare')
        page.locator('#compared td', has_text='mine').wait_for()
    rows = server.ask('api/project')[1]['job']['result']
    assert {row['model'] for row in rows} == {TINY, 'mine'}
    for row in rows:
        assert row['frames'] == row['hand_frames'] == len(SCENE) - 1
        assert 0.5 < row['J'] == row['J_hand'] <= 1
    assert json.loads((project.own / 'training/mine/ended.json').read_text()) == 0


@pytest.mark.slow
def test_a_training_outlives_the_page_and_is_found_again(folder, project, serve):
    label_all(project)
    server = serve(folder)
    numbers = dict(epochs=50, samples=8, batch_size=4)
    body = dict(name='long', clips=['car.mp4'], part='tracker') | numbers
    assert server.ask('api/trainings/prepare', body)[0] == 200
    assert server.ask('api/trainings/start', dict(name='long'))[0] == 200
    server.kill()
    again = serve(folder)
    assert again.ask('api/trainings')[1][0]['running']
    assert again.ask('api/trainings/start', dict(name='long'))[0] == 409
    assert again.ask('api/trainings/stop', dict(name='long'))[0] == 200
    deadline = time.monotonic() + 60
    while again.ask('api/trainings')[1][0]['running']:
        assert time.monotonic() < deadline
        time.sleep(0.1)
