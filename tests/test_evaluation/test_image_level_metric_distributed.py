import json
from pathlib import Path

import torch
from mmengine.dataset import DefaultSampler
from worker_processes import printed_metrics, run_workers

from mmpolar.evaluation.metrics import ImageLevelMetric

IMAGES = range(11)
OPTIONS = dict(score_thr=0.45, precision=0.5, recall=0.9)

# Eleven images over two processes: the sampler repeats one so that both have six. The results are
# exchanged through the process group, then once more through files.
WORKER = """
import json, sys
import torch
from test_image_level_metric_distributed import values

rank, folder = int(sys.argv[1]), sys.argv[2]
torch.distributed.init_process_group('gloo', f'file://{folder}/store', rank=rank, world_size=2)
for name, options in (('group', {}), ('files', dict(collect_dir=f'{folder}/collect'))):
    print('METRICS', json.dumps(values(out_file=f'{folder}/{name}.json', **options)))
# Left to the exit of the process, the threads of gloo may end it with an abort.
torch.distributed.barrier()
torch.distributed.destroy_process_group()
"""


def values(**options):
    """Metrics, and the number of images that this process saw, of its share of the images.

    Every third image holds a target; the scores are those of ``score``.
    """
    metric = ImageLevelMetric(**OPTIONS, **options)
    for index in DefaultSampler(IMAGES, shuffle=False):
        labels = torch.zeros(int(index % 3 == 0), dtype=torch.long)
        sample = dict(
            img_id=index,
            img_path=f'{index}.jpg',
            gt_instances=dict(labels=labels),
            pred_instances=dict(scores=torch.tensor([0.05, score(index)])),
        )
        metric.process(None, [sample])
    seen = len(metric.results)
    return metric.evaluate(size=len(IMAGES)) | dict(seen=seen)


def score(index):
    return (index * 7 % 11) / 10


def test_two_processes_give_the_values_of_one(tmp_path):
    one = values(out_file=str(tmp_path / 'one.json'))
    assert one.pop('seen') == 11
    # Targets 0, 3, 6, 9 score .05, 1, .9, .8; the others .7, .3, .6, .2, .5, .1, .4.
    assert (one['image/recall'], one['image/precision']) == (3 / 4, 3 / 6)

    two = printed_metrics(run_workers(WORKER, tmp_path, 2, tmp_path, imports=Path(__file__).parent))
    assert two == [one | dict(seen=6)] * 4
    report, *others = (
        json.loads((tmp_path / f'{name}.json').read_text()) for name in ('one', 'group', 'files')
    )
    assert report['counts'] == dict(positives=4, negatives=7, left_out=0)
    assert others == [report] * 2
