"""Fit what tells a tracker that its target is lost, and measure how well it knows.

See ``--help``.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.model_report import add_model_arguments, add_online_argument, write_report
from mmpolar.cli.arguments import check_counts, tool_parser
from mmpolar.datasets.synthetic.video_generator import make_scene
from mmpolar.evaluation.functional import absence_scores, mean_of_known
from mmpolar.evaluation.one_pass import MaskedVideo, davis2016
from mmpolar.runtime import OnnxEngine
from mmpolar.structures.boxes import box_overlap
from mmpolar.structures.polar import mask_to_box
from mmpolar.structures.track_result import TrackResult
from mmpolar.tracking import Tracker, TrackParams
from mmpolar.tracking.mask_stage import FoundMask, MaskMemory
from mmpolar.tracking.presence import presence_features
from mmpolar.tracking.state import Candidate
from mmpolar.utils.image import read_image, read_target_mask
from mmpolar.utils.progress import progress_bar

DESCRIPTION = """\
Fit the weights and thresholds of a tracker's lost state on hard generated videos (exits, full
occlusions, twins), and real ones with --data, and measure on others in which the target leaves, with the state off and on: the share of the frames without
the target that are flagged, that of the frames with it that are flagged wrongly, whether it is found
again within 10 frames of its return, and the overlap of the box. A second table has a camera cut in
every video: from a frame on the target is elsewhere, at up to twice or half its size.

Frames in which less than 5 % of the target is visible are without it, those with 30 % or more are with
it; others count in neither share."""

EPILOG = """\
examples
  python -m benchmarks.presence --fit --out work_dirs/presence.json
  python -m benchmarks.presence --fit --online-share 0 --falsely-lost 0.01
  python -m benchmarks.presence --model work_dirs/my_onnx --videos 8"""

SIZE, FRAMES, CUT_AT = (480, 360), 60, 20
FIRST_TEST_SEED = 1000
#: Below this visible share of its area a target is absent, from the other on it is present.
ABSENT, PRESENT = 0.05, 0.3
#: Names of the real videos to fit to, in a folder of DAVIS 2016.
TRAINING_LIST = 'ImageSets/2016/train.txt'
#: Frames of another real video in which a target is looked for that is not there.
OTHER_FRAMES = 12
#: A frame, the target's mask, and the target's full area in pixels.
LabelledFrame = tuple[NDArray[np.uint8], NDArray[np.uint8], int]
#: Weight of the squared weights beside the mean log likelihood.
RIDGE = 1e-2
#: Share of the frames with a tracked target that may fall below the threshold of one that is found again
#: anywhere in the frame, where there is more that looks like it.
BELOW_FOUND = 0.2


@dataclass(frozen=True)
class Settings:
    """The lost state of a tracker.

    Attributes:
        presence: See :class:`mmpolar.tracking.MaskParams`.
        lost_score: See :class:`mmpolar.tracking.TrackParams`.
        found_score: Likewise.
    """

    presence: Mapping[str, float]
    lost_score: float
    found_score: float


class RecordingTracker(Tracker):
    """A tracker that shows what it judged in the last frame: the first peak, as second ones are not tried with the state off."""

    def _judge(self, *args: Any) -> list[tuple[Candidate, FoundMask]]:
        self.judged = super()._judge(*args)
        return self.judged


class TrackedFrame(NamedTuple):
    """What a tracker found in a frame, and what was there.

    Attributes:
        number: Index of the frame.
        result: What was found.
        memory: What the mask stage remembers of the target.
        visible: Share of the target's area that is visible.
        overlap: Overlap of the box with the true one; NaN where the target is absent.
    """

    number: int
    result: TrackResult
    memory: MaskMemory
    visible: float
    overlap: float


def main(argv: list[str] | None = None) -> int:
    """Fit and measure as the arguments say; returns the exit status."""
    args = parse_args(argv)
    cv2.setNumThreads(1)
    engine = OnnxEngine(args.model, threads=args.threads)
    if args.online_share is not None:
        engine.manifest = replace(
            engine.manifest, params=replace(engine.params, online_share=args.online_share)
        )
    report: dict[str, Any] = dict(model=str(args.model), videos=args.videos)
    settings = Settings(
        engine.mask_params.presence, engine.params.lost_score, engine.params.found_score
    )
    if args.fit:
        recorded = record(engine, fitting_videos(args))
        settings = fit(*recorded, args.falsely_lost)
        report['settings'] = asdict(settings)
        print(json.dumps(asdict(settings)), flush=True)
    leaving = seeds_with_absence(FIRST_TEST_SEED, args.videos)
    off = Settings({}, 0.0, settings.found_score)
    cuts = range(FIRST_TEST_SEED, FIRST_TEST_SEED + args.videos)
    for name, cut, seeds in (('videos', False, leaving), ('cuts', True, cuts)):
        report[name] = {
            state: measure(engine, one, seeds, cut, f'{name}, {state}')
            for state, one in (('off', off), ('on', settings))
        }
        print(format_table(name, report[name]), flush=True)
    write_report(args.out, report)
    return 0


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = tool_parser(DESCRIPTION, EPILOG, 'python -m benchmarks.presence')
    add_model_arguments(parser)
    parser.add_argument('--videos', type=int, default=40, help='of each kind (default: 40)')
    add_online_argument(parser)
    parser.add_argument('--fit', action='store_true', help='fit weights and thresholds first')
    parser.add_argument('--fit-videos', type=int, default=80, help='to fit to (default: 80)')
    parser.add_argument(
        '--data',
        type=Path,
        metavar='DIR',
        help='folder of DAVIS 2016, to whose training videos is fitted, too: their targets are there, and are '
        'not in frames of another video',
    )
    parser.add_argument(
        '--falsely-lost',
        type=float,
        default=0.005,
        help='share of the frames with a tracked target, in the videos of the fit, that may count as lost '
        '(default: 0.005)',
    )
    args = parser.parse_args(argv)
    check_counts(args, parser, 'videos', 'fit_videos')
    if not 0 < args.falsely_lost < 1:
        parser.error(f'--falsely-lost must lie between 0 and 1, got {args.falsely_lost}')
    try:
        args.real_videos = [] if args.data is None else davis2016(args.data, TRAINING_LIST)
    except FileNotFoundError as error:
        parser.error(str(error))
    if len(args.real_videos) == 1:
        parser.error(
            f'{args.data / TRAINING_LIST} names one video; it takes another one without its target'
        )
    return args


def sequence(seed: int, cut: bool) -> Iterator[LabelledFrame]:
    """Frames of a hard video, with the target's mask and its full area in pixels."""
    scene = make_scene(seed, 'val', 0, FRAMES, SIZE, difficulty=0.0 if cut else 1.0)
    matrix = cut_matrix(np.random.default_rng(seed), scene.render(CUT_AT)[1]) if cut else None
    full = None
    for number in range(len(scene)):
        frame, mask = scene.render(number)
        if cut and number >= CUT_AT:
            frame = cv2.warpAffine(frame, matrix, SIZE, borderMode=cv2.BORDER_REFLECT_101)
            mask = cv2.warpAffine(mask, matrix, SIZE, flags=cv2.INTER_NEAREST)
            full = None if number == CUT_AT else full
        full = full or max(cv2.countNonZero(mask), 1)
        yield frame, mask, full


def seeds_with_absence(first: int, count: int) -> list[int]:
    """The first seeds from ``first`` on whose target is absent in at least three frames."""
    seeds: list[int] = []
    seed = first
    while len(seeds) < count:
        areas = [(cv2.countNonZero(mask), full) for _, mask, full in sequence(seed, cut=False)]
        if sum(area < ABSENT * full for area, full in areas) >= 3:
            seeds.append(seed)
        seed += 1
    return seeds


def cut_matrix(rng: np.random.Generator, mask: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(2, 3) matrix that moves a target elsewhere in the frame, at .5 to 2 times its size."""
    box = mask_to_box(mask)
    sides, extent = box[2:] - box[:2], np.array(SIZE, float)
    most = min(2.0, 0.8 * (extent / sides).min())
    zoom = np.exp(rng.uniform(np.log(0.5), np.log(max(most, 0.5))))
    margin = sides * zoom / 2
    goal = rng.uniform(margin, np.maximum(extent - margin, margin + 1))
    return np.hstack([zoom * np.eye(2), (goal - zoom * (box[:2] + box[2:]) / 2)[:, None]])


def fitting_videos(args: argparse.Namespace) -> Iterator[Iterable[LabelledFrame]]:
    """The videos to fit to: hard generated ones, and the real ones if there are any."""
    for seed in progress_bar(seeds_with_absence(0, args.fit_videos), desc='generated videos'):
        yield sequence(seed, cut=False)
    for index, video in enumerate(progress_bar(args.real_videos, desc='real videos')):
        yield real_frames(video)
        yield frames_without_target(video, args.real_videos[index - 1])


def real_frames(video: MaskedVideo) -> Iterator[LabelledFrame]:
    """Frames of a real video, of whose target what can be seen is taken for all."""
    for frame, path in zip(video.frames, video.masks, strict=True):
        mask = read_target_mask(path)
        yield read_image(frame), mask, max(cv2.countNonZero(mask), 1)


def frames_without_target(video: MaskedVideo, other: MaskedVideo) -> Iterator[LabelledFrame]:
    """The first frame of a real video, and then some of another one, which lacks its target."""
    yield next(real_frames(video))
    for path in other.frames[:: max(len(other.frames) // OTHER_FRAMES, 1)]:
        frame = read_image(path)
        yield frame, np.zeros(frame.shape[:2], np.uint8), 1


def follow(tracker: Tracker, frames: Iterable[LabelledFrame]) -> Iterator[TrackedFrame]:
    """Track a video from the first frame's box; every frame after it."""
    for number, (frame, mask, full) in enumerate(frames):
        if number == 0:
            [state], _ = tracker.start(frame, [mask_to_box(mask)])
            continue
        [result] = tracker.find(frame, [state])
        overlap = box_overlap(result.box, mask_to_box(mask)) if mask.any() else np.nan
        yield TrackedFrame(
            number, result, state.mask_memory, cv2.countNonZero(mask) / full, overlap
        )


def record(
    engine: OnnxEngine, videos: Iterable[Iterable[LabelledFrame]]
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.bool_]]:
    """Features (N,) of found masks by name, and whether it was the target."""
    tracker = RecordingTracker(changed(engine, Settings({}, 0.0, 0.5)))
    features, is_target = [], []
    for frames in videos:
        for one in follow(tracker, frames):
            [(candidate, found)] = tracker.judged
            row = presence_features(one.result.score, found, one.memory, candidate.online)
            on_target = one.visible >= PRESENT and one.overlap >= 0.4
            if row is not None and (on_target or one.visible < ABSENT or one.overlap < 0.1):
                features.append(row)
                is_target.append(on_target)
    names = features[0] if features else []
    return {name: np.array([row[name] for row in features]) for name in names}, np.array(is_target)


def fit(
    features: Mapping[str, NDArray[np.float64]], is_target: NDArray[np.bool_], falsely_lost: float
) -> Settings:
    """Weights of a logistic regression, and thresholds of its probability.

    Args:
        features: (N,) each by name, ``bias`` first, see :func:`mmpolar.tracking.presence.presence_features`.
        is_target: (N,) whether the target was found.
        falsely_lost: Share of the frames with a found target that may fall below the threshold of the
            lost state.
    """
    columns = np.stack(list(features.values()), 1)
    weights = logistic_regression(columns, is_target)
    presence = 1 / (1 + np.exp(-(columns[is_target] @ weights)))
    lost, found = np.quantile(presence, [falsely_lost, BELOW_FOUND])
    rounded = (float(f'{weight:.4g}') for weight in weights)
    return Settings(
        dict(zip(features, rounded, strict=True)), round(float(lost), 2), round(float(found), 2)
    )


def logistic_regression(features: NDArray, labels: NDArray, steps: int = 50) -> NDArray:
    """Weights (F,) that maximise the likelihood of labels (N,), by Newton's method with a ridge.

    Features (N, F), of which the first is 1, are brought to one scale for the ridge.
    """
    scale = features.std(0)
    scale[scale == 0] = 1.0
    scaled, weights = features / scale, np.zeros(features.shape[1])
    for _ in range(steps):
        shares = 1 / (1 + np.exp(-(scaled @ weights)))
        gradient = scaled.T @ (shares - labels) / len(labels) + RIDGE * weights
        curvature = (scaled.T * (shares * (1 - shares))) @ scaled / len(labels)
        weights -= np.linalg.solve(curvature + RIDGE * np.eye(len(weights)), gradient)
    return weights / scale


def measure(
    engine: OnnxEngine, settings: Settings, seeds: Sequence[int], cut: bool, what: str
) -> dict[str, float]:
    """Scores of the lost state, and of the boxes, over all videos."""
    tracker = Tracker(changed(engine, settings))
    tracks = []
    for seed in progress_bar(seeds, desc=what):
        rows = [
            (one.visible >= PRESENT, one.result.visible, one.overlap, one.number > CUT_AT)
            for one in follow(tracker, sequence(seed, cut))
            if not ABSENT <= one.visible < PRESENT
        ]
        tracks.append(np.array(rows, float).T)
    return summarize(tracks, cut)


def summarize(tracks: Sequence[NDArray], cut: bool) -> dict[str, float]:
    """Scores over the frames of all videos; of a cut, over the frames after it.

    Args:
        tracks: (4, T) of each video: the target is present, the tracker sees it, the overlap of
            its box, the frame is after the cut.
        cut: Whether the videos have a cut.
    """
    present, visible, overlaps, after = np.concatenate(tracks, 1)
    present, visible, after = present > 0, visible > 0, after > 0
    used = after if cut else np.ones_like(after)
    scores = [absence_scores(one[0], one[1], one[2]) for one in tracks]
    values = dict(
        absent_flagged=mean_of_known(~visible[~present & used]),
        present_flagged=mean_of_known(~visible[present & used]),
        box_iou=mean_of_known(overlaps[present & used]),
    )
    if cut:
        waits = [_wait(one) for one in tracks]
        known = [wait for wait in waits if wait < np.inf]
        values |= dict(
            found_again=mean_of_known([wait <= 10 for wait in waits]), recovery=mean_of_known(known)
        )
        values['ever_found'] = len(known) / len(waits)
    else:
        values['found_again'] = mean_of_known([one.found_again for one in scores])
        values['recovery'] = mean_of_known([one.recovery for one in scores])
    return values


def format_table(name: str, states: Mapping[str, Mapping[str, float]]) -> str:
    """A row a state, in Markdown."""
    columns = list(next(iter(states.values())))
    lines = [f'| {name} | {" | ".join(columns)} |', '|---' * (len(columns) + 1) + '|']
    for state, values in states.items():
        lines.append(f'| {state} | {" | ".join(f"{values[key]:.3f}" for key in columns)} |')
    return '\n'.join(lines)


def changed(engine: OnnxEngine, settings: Settings) -> OnnxEngine:
    """The engine with another lost state; the sessions are shared."""
    params: TrackParams = replace(
        engine.params, lost_score=settings.lost_score, found_score=settings.found_score
    )
    other = object.__new__(OnnxEngine)
    other.__dict__.update(engine.__dict__)
    other.manifest = replace(
        engine.manifest,
        params=params,
        mask_params=replace(engine.mask_params, presence=settings.presence),
    )
    return other


def _wait(track: NDArray) -> float:
    """Frames from the cut until the target is tracked again; infinite if it is not."""
    present, visible, overlaps, after = track
    hits = np.flatnonzero(((present * visible) > 0)[after > 0] & (overlaps[after > 0] >= 0.3))
    return hits[0] + 1 if len(hits) else np.inf


if __name__ == '__main__':
    sys.exit(main())
