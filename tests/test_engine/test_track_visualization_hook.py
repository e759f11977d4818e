import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import InstanceData

from mmpolar.engine import TrackVisualizationHook
from mmpolar.visualization import GROUND_TRUTH_COLOR, PREDICTION_COLOR

SIZE = (48, 64)
LENGTH = 6


class Answers(BaseModel):
    """Gives the answers that the dataset holds."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return dict(loss=self.weight.square().sum()) if mode == 'loss' else data_samples


class Nothing(BaseMetric):
    default_prefix = 'none'

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        return {}


def square(left):
    mask = np.zeros(SIZE, np.uint8)
    mask[14:30, left : left + 16] = 1
    return mask


@pytest.fixture
def video(tmp_path):
    """Real images of a video and the answers to them: prediction left, ground truth right."""

    def make(name, video_id=0, length=LENGTH, sizes=(SIZE,)):
        folder = tmp_path / 'images' / name
        folder.mkdir(parents=True)
        samples = []
        for frame in range(length):
            size = sizes[frame % len(sizes)]
            path = folder / f'{frame}.png'
            cv2.imwrite(str(path), np.full((*size, 3), 40 + 20 * frame, np.uint8))
            sample = DetDataSample(
                metainfo=dict(
                    img_path=str(path),
                    video_name=name,
                    video_id=video_id,
                    frame_id=frame,
                    video_length=length,
                )
            )
            fits = size == SIZE
            sample.gt_instances = InstanceData(
                bboxes=torch.tensor([[39.5, 13.5, 55.5, 29.5]]),
                **(dict(masks=BitmapMasks(square(40)[None], *SIZE)) if fits else {}),
            )
            sample.pred_track_instances = InstanceData(
                bboxes=torch.tensor([[3.5, 13.5, 19.5, 29.5]]),
                scores=torch.tensor([0.5]),
                **(dict(masks=torch.from_numpy(square(4)[None]).bool()) if fits else {}),
            )
            samples.append(sample)
        return samples

    return make


def run(tmp_path, samples, mode='test', **options):
    loader = dict(
        dataset=[dict(inputs=torch.zeros(1), data_samples=sample) for sample in samples],
        sampler=dict(type='DefaultSampler', shuffle=False),
        batch_size=1,
        collate_fn=dict(type='pseudo_collate'),
    )
    parts = {f'{mode}_dataloader': loader, f'{mode}_cfg': dict(), f'{mode}_evaluator': [Nothing()]}
    if mode == 'val':
        parts |= dict(
            train_dataloader=loader,
            train_cfg=dict(by_epoch=True, max_epochs=2),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        )
    runner = Runner(
        model=Answers(),
        work_dir=str(tmp_path / 'work'),
        experiment_name=f'vis_{tmp_path.name}_{mode}',
        default_scope='mmpolar',
        default_hooks=dict(checkpoint=None),
        custom_hooks=[dict(type='TrackVisualizationHook', **options)],
        **parts,
    )
    runner.test() if mode == 'test' else runner.train()
    return runner


def read_video(path):
    capture = cv2.VideoCapture(str(path))
    frames = []
    while True:
        ok, frame = capture.read()
        if not ok:
            return frames
        frames.append(frame)


def share_like(image, color, tolerance=60):
    distance = np.abs(image.astype(int) - np.array(color)).max(axis=-1)
    return (distance < tolerance).mean()


def test_a_test_writes_a_video_and_a_sheet_of_each_video(tmp_path, video):
    run(tmp_path, video('a', 0) + video('set/b', 1), out_dir=str(tmp_path / 'out'))
    written = sorted(
        str(path.relative_to(tmp_path / 'out')) for path in (tmp_path / 'out').rglob('*.*')
    )
    assert written == ['a.mp4', 'a.png', 'set/b.mp4', 'set/b.png']
    frames = read_video(tmp_path / 'out' / 'set' / 'b.mp4')
    assert len(frames) == LENGTH
    corners = [frame[44:, 60:].mean() for frame in frames]
    np.testing.assert_allclose(corners, 40 + 20 * np.arange(LENGTH), atol=8)


def test_frames_show_prediction_and_ground_truth(tmp_path, video):
    run(tmp_path, video('a'), out_dir=str(tmp_path / 'out'))
    frame = read_video(tmp_path / 'out' / 'a.mp4')[0]
    left, right = frame[14:30, 2:22], frame[12:32, 38:58]
    # The mask of the prediction is blended over grey 40, the truth is an outline.
    inside = (0.55 * 40 + 0.45 * np.array(PREDICTION_COLOR)).round()
    assert share_like(left, inside, 30) > 0.3
    assert share_like(right, GROUND_TRUTH_COLOR, 90) > 0.05
    assert share_like(right, (40, 40, 40), 20) > 0.5


def test_ground_truth_can_be_left_out(tmp_path, video):
    run(tmp_path, video('a'), out_dir=str(tmp_path / 'out'), draw_ground_truth=False)
    frame = read_video(tmp_path / 'out' / 'a.mp4')[0]
    assert share_like(frame[12:32, 38:58], (40, 40, 40), 20) > 0.98


def test_interval_thins_the_video_but_not_the_sheet(tmp_path, video):
    run(tmp_path, video('a'), out_dir=str(tmp_path / 'out'), interval=4, sheet_frames=3)
    assert len(read_video(tmp_path / 'out' / 'a.mp4')) == 2
    # Three images of 320 x 240 side by side, their captions below.
    assert cv2.imread(str(tmp_path / 'out' / 'a.png')).shape == (240 + 22 + 8, 3 * 324 + 4, 3)


def test_sheet_shows_evenly_spaced_frames(tmp_path, video):
    run(tmp_path, video('a'), out_dir=str(tmp_path / 'out'), sheet_frames=3)
    sheet = cv2.imread(str(tmp_path / 'out' / 'a.png'))
    corners = [sheet[230, 4 + 324 * column + 310].mean() for column in range(3)]
    np.testing.assert_allclose(corners, [40 + 20 * frame for frame in (0, 2, 5)], atol=2)


def test_each_validation_writes_into_its_own_folder(tmp_path, video):
    runner = run(tmp_path, video('a'), mode='val')
    root = tmp_path / 'work' / runner.timestamp / 'track_vis'
    assert sorted(path.name for path in root.iterdir()) == ['iter_12', 'iter_6']
    assert len(read_video(root / 'iter_12' / 'a.mp4')) == LENGTH


def test_frames_of_another_size_are_fitted(tmp_path, video):
    samples = video('a', sizes=(SIZE, (30, 90)))
    run(tmp_path, samples, out_dir=str(tmp_path / 'out'))
    frames = read_video(tmp_path / 'out' / 'a.mp4')
    assert [frame.shape for frame in frames] == [(*SIZE, 3)] * LENGTH


def test_a_video_that_breaks_off_is_still_readable(tmp_path, video):
    run(tmp_path, video('a')[:4] + video('b', 1)[:2], out_dir=str(tmp_path / 'out'))
    assert len(read_video(tmp_path / 'out' / 'a.mp4')) == 4
    assert len(read_video(tmp_path / 'out' / 'b.mp4')) == 2
    assert (tmp_path / 'out' / 'b.png').is_file()


def test_nothing_found_and_nothing_annotated_are_drawn_as_nothing(tmp_path, video):
    samples = video('a', length=2)
    for sample in samples:
        del sample.gt_instances
    samples[1].pred_track_instances = InstanceData(bboxes=torch.zeros(0, 4))
    run(tmp_path, samples, out_dir=str(tmp_path / 'out'))
    frame = read_video(tmp_path / 'out' / 'a.mp4')[1]
    assert share_like(frame, (60, 60, 60), 10) == 1


def test_samples_without_image_path_are_refused(tmp_path, video):
    samples = video('a')
    del samples[0].img_path
    with pytest.raises(KeyError, match="video 'a' lacks the metainfo img_path"):
        run(tmp_path, samples, out_dir=str(tmp_path / 'out'))


def test_options_out_of_range_are_refused():
    with pytest.raises(ValueError, match='interval=0'):
        TrackVisualizationHook(interval=0)
    with pytest.raises(ValueError, match='fps=0'):
        TrackVisualizationHook(fps=0)
