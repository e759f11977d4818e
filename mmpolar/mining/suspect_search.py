"""The search for suspects among the candidates of a round."""

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.runner import Runner
from numpy.typing import NDArray

from mmpolar.mining.pool.negative_pool import NegativePool
from mmpolar.mining.round_candidates import RoundCandidates
from mmpolar.mining.scoring.detection_features import DetectionFeatures
from mmpolar.mining.scoring.model_state import prediction_mode
from mmpolar.mining.suspects import SuspectLog, SuspectRule, TrackCheck, among_positives
from mmpolar.mining.suspects.suspect_log import AMONG_POSITIVES, STEADY, STILL_HIGH
from mmpolar.utils.image import ImageReadError, read_image
from mmpolar.utils.progress import progress_bar
from mmpolar.utils.random_state import kept_random_state


class SuspectSearch:
    """Looks for suspects among the candidates of each round.

    Args:
        rule: What makes a negative a suspect.
        log: Gets the suspects.
    """

    def __init__(self, rule: SuspectRule, log: SuspectLog) -> None:
        self.rule = rule
        self._log = log
        self._check = None if rule.track is None else TrackCheck(**rule.track)

    @property
    def needs_features(self) -> bool:
        """Whether the features of candidates are compared with those of positives."""
        return self.rule.neighbours is not None

    def search(
        self, hardest: RoundCandidates, confirmed: frozenset[str], positives: NDArray | None
    ) -> None:
        """Add the suspects among the candidates to the log.

        Args:
            hardest: Candidates, hardest first; those below ``score_thr`` are not looked at.
            confirmed: Keys of those that somebody has decided to be false alarms.
            positives: Features of positives, (M, F), if ``neighbours`` is given.
        """
        looked_at = [
            position
            for position, one in enumerate(hardest.candidates)
            if one.score >= self.rule.score_thr and one.key not in confirmed
        ]
        known = [hardest.candidates[position] for position in looked_at]
        if self.rule.rounds is not None:
            for key in self._log.still_high(known, self.rule.score_thr, self.rule.rounds):
                self._log.add(key, STILL_HIGH)
        if positives is not None and looked_at:
            features = hardest.features[looked_at]
            typical = among_positives(features, positives, self.rule.neighbours)
            for one, share in zip(known, typical, strict=True):
                if share > self.rule.typical:
                    self._log.add(one.key, AMONG_POSITIVES)
        if self._check is not None:
            self._track(known)

    def _track(self, candidates: Sequence) -> None:
        in_videos = [one for one in candidates if one.video is not None and one.box is not None]
        new = [one for one in in_videos if one.key not in self._log.seen]
        for one in progress_bar(new[: self.rule.max_tracked], desc='tracking alarms', leave=False):
            self._log.seen.add(one.key)
            try:
                image = read_image(one.image)
            except (OSError, ImageReadError):
                continue
            if self._check.is_steady(one.video, one.frame, one.box, image):
                self._log.add(one.key, STEADY)


@torch.no_grad()
def positive_features(
    runner: Runner, pool: NegativePool, count: int, seed: int
) -> NDArray[np.float32]:
    """What the model sees in targets of the training dataset.

    The model is in test mode meanwhile; its own mode and the random state come back.

    Args:
        runner: The runner, whose model looks, and whose test pipeline reads the images.
        pool: The pool, whose training dataset has the positives.
        count: Images that are sampled; one target of each is looked at.
        seed: Decides which.

    Returns:
        Features of length 1, (M, F), M at most ``count``.

    Raises:
        ValueError: If no image with a target can be read.
    """
    samples = pool.positive_samples(runner.cfg)
    order = np.random.default_rng(seed).permutation(len(samples))[:count]
    features = []
    with (
        kept_random_state(),
        prediction_mode(runner.model),
        DetectionFeatures(runner.model) as maps,
    ):
        for index in progress_bar(order.tolist(), desc='features of positives', leave=False):
            boxes = [
                one['bbox']
                for one in pool.positive_info(index).get('instances', [])
                if not one.get('ignore_flag')
            ]
            sample = samples[index] if boxes else None
            if sample is not None:
                batch = {name: [value] for name, value in sample.items()}
                [answer] = runner.model.test_step(batch)
                features.append(maps.pooled(0, answer, np.asarray(boxes[0], np.float64)))
    if not features:
        raise ValueError(
            'no positive with a box could be read to compare alarms with; leave out neighbours of '
            'suspects'
        )
    return np.stack(features)
