"""Scoring data samples with a registered metric, as a test of MMEngine does."""

from collections.abc import Callable
from typing import Any

from mmengine.evaluator import Evaluator


def evaluate_with(metric: str) -> Callable[..., dict[str, float]]:
    """What a metric of the package makes of samples, which it gets one by one; takes its options."""

    def evaluate(samples: list, **options: Any) -> dict[str, float]:
        evaluator = Evaluator(dict(type=f'mmpolar.{metric}', **options))
        for sample in samples:
            evaluator.process([sample])
        return evaluator.evaluate(len(samples))

    return evaluate
