"""What an arm of the ablation is, and the arms that change a tracker."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mmengine.config import Config

from benchmarks.shared.config_nodes import MINING_HOOK, nodes_of_type
from mmpolar.registry import TRANSFORMS
from mmpolar.utils.shared_values import type_of

Change = Callable[[Config], None]

#: What has a number of rays: the heads, the targets that they learn, and the metric's ceiling.
RAYED = ('PolarContourHead', 'ContourRefineHead', 'GeneratePolarTarget', 'TrackSegMetric')
#: What knows which crossing ends a ray; the model learns it from its targets.
CROSSED = ('GeneratePolarTarget', 'TrackSegMetric')
#: Parts of the model that draw the contour of the target, and those that find it.
CONTOUR_HEADS = ('mask_head', 'refine_head')
TRACKER_PARTS = ('backbone', 'neck', 'head')
#: Ways in which PairComposite shows cut-outs, and pairs that it leaves as they were taken.
CUT_OUTS = ('transplant', 'paste')
AS_TAKEN = ('positive', 'negative')


@dataclass(frozen=True)
class Arm:
    """One way of training.

    Attributes:
        name: Name for ``--arms``.
        question: What it answers, in one line.
        stages: What it changes in the base config; several changes are as many trainings, one on
            top of the other, which share the budget.
        model: Type of the model that it is about; None for any.
    """

    name: str
    question: str
    stages: tuple[Change, ...]
    model: str | None = 'Ocean'

    def fits(self, cfg: Config) -> bool:
        """Whether it is about the model of a config."""
        return self.model in (None, type_of(cfg.model))


def leave(cfg: Config) -> None:
    """Change nothing."""


def put(*types: str, **options: object) -> Change:
    """A change that sets options of all parts of some types."""

    def change(cfg: Config) -> None:
        for node in nodes_of_type(cfg, *types):
            node.update(options)

    return change


def together(*changes: Change) -> Change:
    """A change that makes several, for one training."""

    def change(cfg: Config) -> None:
        for each in changes:
            each(cfg)

    return change


def track_only(cfg: Config) -> None:
    """Take the heads away that draw the contour of the target."""
    cfg.model.update(dict.fromkeys(CONTOUR_HEADS))


def contours_only(cfg: Config) -> None:
    """Freeze the tracker, the statistics of its batch normalisation too."""
    frozen = dict(type='FreezeModulesHook', modules=list(TRACKER_PARTS))
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), frozen]


def drop_refinement(cfg: Config) -> None:
    """Take the refinement head away."""
    cfg.model.refine_head = None


def drop_mining(cfg: Config) -> None:
    """Let negatives come from the whole pool to the end."""
    hooks = cfg.get('custom_hooks') or []
    cfg.custom_hooks = [hook for hook in hooks if type_of(hook) != MINING_HOOK]


def drop_filling(cfg: Config) -> None:
    """Leave empty what lies outside a frame; the random numbers of all else stay the same."""
    for node in nodes_of_type(cfg, 'PairComposite'):
        if node.get('fill_outside') is not None:
            node.fill_outside.prob = 0.0


def drop_cut_outs(cfg: Config) -> None:
    """Let the shares of cut-outs go to positive pairs as they were taken."""
    _give_to_positives(cfg, CUT_OUTS)


def drop_composites(cfg: Config) -> None:
    """Show pairs as they were taken, as many negative ones as before."""
    drop_filling(cfg)
    ways = TRANSFORMS.get('PairComposite').WAYS
    _give_to_positives(cfg, [way for way in ways if way not in AS_TAKEN])


#: Each positive pair is of the target that its negative pair was mined for.
share_target = put('CompositeDataset', same_target=True)


def _give_to_positives(cfg: Config, ways: Iterable[str]) -> None:
    ways = tuple(ways)
    for node in nodes_of_type(cfg, 'PairComposite'):
        # Built, so that shares which the config leaves to the class are known too.
        probs = TRANSFORMS.build(node.to_dict()).probs
        kept = {way: share for way, share in probs.items() if way not in ways}
        taken = sum(share for way, share in probs.items() if way in ways)
        node.probs = {**kept, 'positive': round(kept.get('positive', 0.0) + taken, 9)}


#: Arms about trackers.
TRACKER_ARMS = (
    Arm(
        'two-stages',
        'Is joint training better than a tracker first and contours on the finished tracker after it?',
        (track_only, contours_only),
    ),
    Arm('rays-18', 'What is lost with 18 rays?', (put(*RAYED, n_rays=18),)),
    Arm('rays-36', 'What is lost with 36 rays?', (put(*RAYED, n_rays=36),)),
    Arm(
        'nearest',
        'Should a ray end where it first leaves the target, instead of where it last does?',
        (put(*CROSSED, crossing='nearest'),),
    ),
    Arm(
        'no-centerness',
        'Does it help that locations in the middle of a target count more in the polar loss?',
        (put('PolarContourHead', centerness_weight=False),),
    ),
    Arm(
        'squared',
        'Is the polar loss better on squared radii, where its ratio is that of two areas?',
        (put('PolarIoULoss', squared=True),),
    ),
    Arm(
        'no-object-aware',
        'What does the object-aware branch add?',
        (put('OceanHead', with_align=False),),
    ),
    Arm(
        'no-mining',
        'What do mined negatives add to negatives that are sampled blindly from the same pool?',
        (drop_mining,),
    ),
    Arm(
        'no-refinement',
        'What does measuring the rays again, on fine features, add?',
        (drop_refinement,),
    ),
    Arm(
        'no-cut-outs',
        'What do cut-outs add: targets on other photographs, objects beside and in front of them?',
        (drop_cut_outs,),
    ),
    Arm(
        'no-filling',
        'What does it add to fill up with another photograph what lies outside a frame?',
        (drop_filling,),
    ),
    Arm(
        'no-composites',
        'What do all composites together add to pairs as they were taken?',
        (drop_composites,),
    ),
    Arm(
        'same-target',
        'Does a mined negative teach more beside the target it was mined for?',
        (share_target,),
    ),
    Arm(
        'same-target-blind',
        'The same without mining: how much of it is due to mined negatives?',
        (together(share_target, drop_mining),),
    ),
    Arm(
        'focus-0',
        'Does a mean over the negative locations suffice?',
        (put('BalancedBCELoss', focus=0.0),),
    ),
    Arm(
        'focus-2',
        'Is it better still to look harder at the negative locations that score high?',
        (put('BalancedBCELoss', focus=2.0),),
    ),
)
