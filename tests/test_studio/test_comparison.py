"""What the comparison says of trackers on labelled frames."""

import pytest
from studio_server import SCENE, TINY

from mmpolar.studio.assistant import Assistant
from mmpolar.studio.comparison import compare
from mmpolar.studio.jobs import JobState
from mmpolar.studio.store import ABSENT, MASK


def test_scores_are_means_over_labelled_frames_after_the_first(project):
    clip = project.open_clip('car.mp4')
    target = project.store.add_target(clip.id, 'car', '#ff8800').id
    for frame in (0, 2, 3):
        file = project.save_mask(clip, target, frame, SCENE.render(frame)[1], False)
        project.store.put_hand(target, [frame], MASK, file, 0, 'label')
    assistant = Assistant(project, TINY, threads=1)
    [seen] = compare(project, assistant, [TINY], ['car.mp4'], JobState('compare'))
    assert (seen['frames'], seen['hand_frames']) == (2, 2)
    assert min(seen['J'], seen['F'], seen['box']) > 0.7
    assert seen['J'] == seen['J_hand']

    # The tracker sees the target in frame 4 too; a label says that it is absent, which has no box.
    project.store.put_hand(target, [4], ABSENT, None, 0, 'label')
    [row] = compare(project, assistant, [TINY], ['car.mp4'], JobState('compare'))
    assert row['J'] == pytest.approx(seen['J'] * 2 / 3, abs=1e-3)
    assert row['box'] == seen['box']


def test_what_no_frame_tells_is_none(project):
    clip = project.open_clip('car.mp4')
    target = project.store.add_target(clip.id, 'car', '#ff8800').id
    assistant = Assistant(project, TINY, threads=1)
    unlabelled = dict(frames=0, hand_frames=0, J=None, F=None, box=None, J_hand=None)
    names = dict(clip='car.mp4', model=TINY)
    assert compare(project, assistant, [TINY], ['car.mp4'], JobState('compare')) == [
        names | unlabelled
    ]
    file = project.save_mask(clip, target, 0, SCENE.render(0)[1], False)
    project.store.put_hand(target, [0], MASK, file, 0, 'label')
    project.store.put_hand(target, [1], ABSENT, None, 0, 'label')
    [row] = compare(project, assistant, [TINY], ['car.mp4'], JobState('compare'))
    assert (row['frames'], row['J'], row['box']) == (1, 0.0, None)
