"""What metrics share whose results are not one for each sample of the dataset."""

import sys

from mmengine.evaluator import BaseMetric


class GatheredMetric(BaseMetric):
    """A metric that gets the results of all processes, however many there are.

    MMEngine's cuts them to the number of the dataset's samples, which says nothing of results that
    stand for videos or runs, and lets processes exchange them through files unless told otherwise.

    Args:
        collect_device: How the processes exchange results, in MMEngine's words: 'gpu' through the
            process group, of CPUs too, so that they need share no disk; 'cpu' through files. By
            default 'gpu', or 'cpu' where a ``collect_dir`` is given.
        prefix: Put before the names of the metrics; each metric has a default.
        collect_dir: Folder on a shared disk through which processes exchange results on 'cpu'.
    """

    def __init__(
        self,
        collect_device: str | None = None,
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        collect_device = collect_device or ('gpu' if collect_dir is None else 'cpu')
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)

    def evaluate(self, size: int) -> dict[str, float]:
        """Collect the results of all processes and compute the metrics.

        Args:
            size: Number of samples of the dataset, which is not that of the results and not used.

        Returns:
            Metric name, with the prefix, to value.
        """
        return super().evaluate(sys.maxsize)
