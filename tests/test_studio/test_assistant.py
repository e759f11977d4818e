"""Tracking writes labels from anchors, in both directions, all targets together."""

import json

import numpy as np
import pytest
from studio_server import SCENE, TINY

from mmpolar.evaluation.functional import region_similarity
from mmpolar.structures.polar import mask_to_box
from mmpolar.studio.app import Studio, StudioOptions
from mmpolar.studio.assistant import Assistant
from mmpolar.studio.jobs import Jobs, JobState, JobStoppedError
from mmpolar.studio.store import ABSENT, MASK, Label
from mmpolar.studio.tracking_plan import plan_runs


@pytest.fixture
def assistant(project):
    return Assistant(project, TINY, threads=1)


def mark(project, clip, target, frame):
    file = project.save_mask(clip, target, frame, SCENE.render(frame)[1], False)
    return project.store.put_hand(target, [frame], MASK, file, 0, 'mark')


def track(project, assistant, clip, targets):
    labels = project.store.labels(clip.id)
    runs = [
        run
        for target in targets
        for run in plan_runs([one for one in labels if one.target == target], clip.frames)
    ]
    state = JobState('track')
    assistant.track(clip, runs, 'tracking', state)
    return state


def test_two_targets_are_tracked_from_their_anchors_both_ways(project, assistant):
    clip = project.open_clip('car.mp4')
    first, second = (project.store.add_target(clip.id, name, '#ff8800').id for name in 'ab')
    anchors = {first: mark(project, clip, first, 5), second: mark(project, clip, second, 0)}
    project.store.put_hand(first, [8], ABSENT, None, 0, 'absent')
    state = track(project, assistant, clip, anchors)
    assert state.done == state.total

    found = {(one.target, one.frame): one for one in project.store.labels(clip.id)}
    assert len(found) == 2 * len(SCENE)
    assert found[first, 8].kind == ABSENT  # by a person, and so it stays
    tracked = [one for one in found.values() if not one.hand]
    assert all(one.mark == anchors[one.target].mark for one in tracked)
    scores = [
        region_similarity(project.mask(clip, one), SCENE.render(one.frame)[1]) for one in tracked
    ]
    assert np.mean(scores) > 0.75
    assert track(project, assistant, clip, anchors).total == 0  # all is up to date


def test_a_job_that_is_stopped_keeps_its_frames(project, assistant):
    clip = project.open_clip('car.mp4')
    target = project.store.add_target(clip.id, 'car', '#ff8800').id
    mark(project, clip, target, 0)
    state = JobState('track')
    state.stopping = True
    with pytest.raises(JobStoppedError):
        assistant.track(clip, plan_runs(project.store.labels(clip.id), 12), 'tracking', state)
    assert state.done == 1


def test_the_page_never_knows_of_a_frame_without_its_label(project, assistant):
    studio = Studio(project, assistant, StudioOptions())
    clip = project.open_clip('car.mp4')
    target = project.store.add_target(clip.id, 'car', '#ff8800').id
    anchor = mark(project, clip, target, 0)

    def write(state):
        step = project.store.begin_step(clip.id, 'tracking')
        for frame in range(1, 150):
            label = Label(0, target, frame, MASK, False, 'a.png', 0.5, anchor.mark)
            project.store.put_tracked(step, [anchor], [label])
            state.step(frame)

    studio.jobs.start('track', write, clip.id)
    running = True
    while running:
        shown = json.loads(json.dumps(studio.show_clip(clip.id), default=vars))
        running, frame = shown['job']['running'], shown['job']['frame']
        assert frame is None or frame in {label['frame'] for label in shown['labels']}
    assert frame == 149


def test_a_job_that_fails_says_why(capsys):
    jobs = Jobs()
    state = jobs.start('export', lambda state: 1 // 0)
    jobs.stop()
    assert (state.running, state.error) == (False, 'integer division or modulo by zero')
    assert jobs.start('export', lambda state: 'done').number == 2


def test_boxes_and_points_give_masks(assistant):
    frame, gt_mask = SCENE.render(0)
    assert region_similarity(assistant.mask_of_box(frame, mask_to_box(gt_mask)), gt_mask) > 0.7
    y, x = np.argwhere(gt_mask).mean(0)
    assert assistant.mask_of_point(frame, (x, y))[round(y), round(x)]
    with pytest.raises(ValueError, match='positive width'):
        assistant.mask_of_box(frame, [5, 5, 5, 5])
    with pytest.raises(KeyError, match='no tracker other'):
        assistant.use('other')
