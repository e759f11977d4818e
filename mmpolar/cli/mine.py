"""``mmpolar mine``: the hardest negatives by the scores of any detector."""

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmpolar.datasets.group_rule import GroupRule
from mmpolar.mining.lists import read_coco, read_picks, read_scores, write_coco, write_picks
from mmpolar.mining.lists.mined_scores import MinedScores, mine_scores
from mmpolar.mining.lists.yolo_list import LIST_NAME, write_yolo
from mmpolar.mining.picks import PickRule
from mmpolar.mining.review import (
    TARGET,
    Alarm,
    Decision,
    read_decisions,
    write_review_page,
    write_targets,
)
from mmpolar.mining.scenes import Diversity
from mmpolar.utils.abridged import abridged
from mmpolar.utils.outputs import check_outputs
from mmpolar.utils.progress import counting

DESCRIPTION = """\
Pick the images of a pool without targets that a detector finds most like a target, for its next training.
The detector can be any: all that is needed is a table of its scores, which "mmpolar score" writes, a CSV file
with the columns
  image        path of an image of the pool
  score        of a detection in it; of several rows of an image the highest counts
  x,y,w,h      box of the detection, left, top, width and height in pixels (if known)
  label        class of the detection (if there are several)
  group        what recorded the image, such as a camera (if known)

Near-copies are one scene, of which at most --max-per-scene are picked, and of the hardest images those are
preferred that differ. Written to --out are
  picks.csv    the picks, hardest first; the next round can --keep them
  review.html  a page to look at them: false alarm, target or ignore; give the file that it saves, in the
               next round, as --decisions: targets leave the pool and become positives
  yolo/        picks.txt, one image a line, for "train:" of a data.yaml, and found targets with labels
  coco.json    --positives, the found targets, and the picks as images without annotations
  targets.json the found targets alone, in COCO's format"""
EPILOG = """\
examples
  mmpolar score detector.py pool --out scores.csv
  mmpolar mine scores.csv --out round_1
  mmpolar mine scores.csv --out round_2 --num-picks 500 --max-per-group 50 \\
      --decisions round_1/review_decisions.jsonl --keep round_1/picks.csv
  mmpolar mine scores.csv --out round_1 --positives train.json        for torchvision and MMDetection

for Ultralytics and torchvision, step by step: docs/mine_any_detector.md
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the scores, how many are picked, and what else is known."""
    parser.add_argument('scores', help='CSV file of scores, see above')
    parser.add_argument('--out', required=True, type=Path, metavar='DIR', help='folder to write')
    parser.add_argument(
        '--data-root', default='', metavar='DIR', help='folder that paths of images start from'
    )
    parser.add_argument(
        '--group',
        metavar='PATTERN',
        help="regular expression that finds an image's group in its path, such as 'cam[0-9]+', where "
        'the scores have none',
    )
    count = parser.add_mutually_exclusive_group()
    count.add_argument('--num-picks', type=int, metavar='N', help='how many to pick (default: 256)')
    count.add_argument('--share', type=float, help='pick this share of the pool')
    count.add_argument(
        '--score-thr', type=float, metavar='SCORE', help='pick all from this score on'
    )
    parser.add_argument(
        '--max-per-scene',
        type=int,
        default=2,
        metavar='N',
        help='most picks of one scene, 0 for any number (default: %(default)s)',
    )
    parser.add_argument(
        '--max-per-group', type=int, default=0, metavar='N', help='most picks of one group'
    )
    parser.add_argument(
        '--diversity',
        type=float,
        default=Diversity.weight,
        metavar='WEIGHT',
        help='from 0, the hardest first, to 1, the most different first (default: %(default)s)',
    )
    parser.add_argument(
        '--decisions',
        nargs='+',
        default=[],
        metavar='FILE',
        help='what review pages saved, files or folders of them',
    )
    parser.add_argument(
        '--keep',
        nargs='+',
        default=[],
        metavar='PICKS',
        help='picks.csv of earlier rounds whose picks are kept beside the new ones',
    )
    parser.add_argument(
        '--positives', metavar='FILE', help="images with targets in COCO's format, for coco.json"
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        default=['target'],
        metavar='NAME',
        help="the detector's classes in their order, without --positives (default: target)",
    )


def run(args: argparse.Namespace) -> int:
    """Pick, write the lists and say what was picked."""
    inputs = {'the scores': args.scores, '--positives': args.positives}
    inputs |= {f'--keep {path}:': path for path in args.keep}
    inputs |= {f'--decisions {path}:': path for path in args.decisions}
    written = {
        f'--out {name}:': args.out / name for name in ('picks.csv', 'review.html', 'coco.json')
    }
    check_outputs(written, inputs)
    positives = _empty(args.classes) if args.positives is None else read_coco(args.positives)
    decisions = read_decisions(*args.decisions)
    kept = [image for path in args.keep for image in read_picks(path)]
    group_of = None if args.group is None else GroupRule(pattern=args.group).group_of
    candidates = read_scores(args.scores, args.data_root, group_of)
    with counting('looking at the hardest') as count:
        mined = mine_scores(
            candidates,
            _pick_rule(args),
            _diversity(args),
            decisions,
            kept,
            on_progress=count.update,
        )
    write_all(args.out, mined, positives, decisions)
    print(mined.summary())
    print(f'review: {args.out / "review.html"}')
    print(f'training: {args.out / "yolo" / LIST_NAME} or {args.out / "coco.json"}')
    return 0


def write_all(
    out: Path,
    mined: MinedScores,
    positives: Mapping[str, Any],
    decisions: Mapping[str, Decision],
) -> None:
    """Write the picks, the page and the lists for training."""
    names = [category['name'] for category in positives['categories']]
    targets = [made for made in decisions.values() if made.decision == TARGET]
    left_out = write_targets(out / 'targets.json', targets, names)
    _warn('targets', left_out.values())
    _warn('of the hardest images', mined.unreadable)
    found = read_coco(out / 'targets.json')
    write_yolo(out / 'yolo', found, mined.picks)
    write_coco(out / 'coco.json', positives, found, mined.picks)
    alarms = [Alarm(pick) for pick in mined.picks]
    with counting('writing the page', len(alarms)) as count:
        write_review_page(
            out / 'review.html', alarms, str(out), decisions, on_progress=count.update
        )
    write_picks(out / 'picks.csv', mined.picks)


def _pick_rule(args: argparse.Namespace) -> PickRule:
    given = (args.num_picks, args.share, args.score_thr)
    return PickRule(*given) if given != (None, None, None) else PickRule(num_picks=256)


def _diversity(args: argparse.Namespace) -> Diversity:
    return Diversity(
        max_per_scene=args.max_per_scene or None,
        max_per_group=args.max_per_group or None,
        weight=args.diversity,
    )


def _empty(classes: Iterable[str]) -> dict[str, Any]:
    """No positives, of these classes."""
    categories = [dict(id=number, name=name) for number, name in enumerate(classes, 1)]
    return dict(images=[], annotations=[], categories=categories)


def _warn(what: str, reasons: Iterable[str]) -> None:
    reasons = list(reasons)
    if reasons:
        print(f'warning: {len(reasons)} {what} left out: {abridged(reasons, 3)}')
