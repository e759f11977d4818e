"""Tells the model where the target is in the template crop."""

from typing import Any

from mmcv.transforms import BaseTransform

from mmpolar.registry import TRANSFORMS
from mmpolar.structures.target import draw_target


@TRANSFORMS.register_module()
class DrawTemplateTarget(BaseTransform):
    """Draw the target of a template crop: its mask, or the ellipse in its box.

    A tracker is given a mask at times, and a box alone at others; with ``mask_prob`` it is trained
    for both.

    Reads ``rng``, and ``box`` and ``mask`` of ``template``, which must be in crop pixels. Adds
    ``target_map`` to ``template``, (T, T) uint8.

    Args:
        mask_prob: Probability that the mask is drawn where there is one.

    Raises:
        ValueError: If ``mask_prob`` is outside [0, 1].
    """

    def __init__(self, mask_prob: float = 0.5) -> None:
        if not 0 <= mask_prob <= 1:
            raise ValueError(f'DrawTemplateTarget: mask_prob must be in [0, 1], got {mask_prob}')
        self.mask_prob = mask_prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the map.

        Args:
            results: A cropped pair.

        Returns:
            The same dictionary.
        """
        template = results['template']
        mask = template.mask if results['rng'].random() < self.mask_prob else None
        template.target_map = draw_target(template.box, len(template.img), mask)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(mask_prob={self.mask_prob})'
