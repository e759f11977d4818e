"""Synthetic videos that are generated on first use."""

from mmengine.dist import barrier, is_main_process

from mmpolar.datasets.davis_dataset import DavisDataset
from mmpolar.datasets.synthetic import generate_dataset
from mmpolar.datasets.track import Track
from mmpolar.registry import DATASETS


@DATASETS.register_module()
class SyntheticDataset(DavisDataset):
    """Synthetic videos with exact masks, generated below ``data_root`` on first use.

    Nothing is downloaded: backgrounds and textures are cut out of photographs inside the packages
    scikit-image, scikit-learn and matplotlib. The main process generates what is missing while the
    others wait; afterwards this is a :class:`DavisDataset` with one target a sequence.

    Args:
        data_root: Folder to generate into and to read from; the processes must share it.
        split: 'train' or 'val'. Validation sequences show other photographs.
        num_train: Number of sequences used with ``split='train'``.
        num_val: Number of sequences used with ``split='val'``.
        frames: Frames per sequence.
        size: Width and height of the frames, pixels.
        seed: Seed of everything random.
        difficulty: From 0, a target on its own that stands out, to 1, occlusion, exits, twins and
            camouflage.
        workers: Processes that generate; 0 means the main process itself.
        **kwargs: See :class:`DavisDataset`.

    Raises:
        ValueError: If ``split`` is unknown, the number of sequences is not positive, or
            ``data_root`` holds sequences that were made with other parameters.
    """

    def __init__(
        self,
        data_root: str = 'data/synthetic',
        split: str = 'train',
        num_train: int = 48,
        num_val: int = 4,
        frames: int = 24,
        size: tuple[int, int] = (320, 240),
        seed: int = 0,
        difficulty: float = 0.5,
        workers: int = 0,
        **kwargs,
    ) -> None:
        counts = dict(train=num_train, val=num_val)
        if split not in counts:
            raise ValueError(f"split must be 'train' or 'val', got {split!r}")
        if counts[split] < 1:
            raise ValueError(f'num_{split} must be at least 1, got {counts[split]}')
        self.split = split
        self.num_sequences = counts[split]
        self.recipe = dict(
            frames=frames, size=tuple(size), seed=seed, difficulty=difficulty, workers=workers
        )
        super().__init__(data_root=data_root, ann_file=f'ImageSets/2017/{split}.txt', **kwargs)

    def load_data_list(self) -> list[Track]:
        """Generate what is missing, then index the first sequences of the split."""
        self._generate_once()
        return super().load_data_list()[: self.num_sequences]

    def _generate_once(self) -> None:
        """Generate in the main process; the others go on when it is done or has failed."""
        counts = dict(num_train=0, num_val=0) | {f'num_{self.split}': self.num_sequences}
        try:
            if is_main_process():
                generate_dataset(self.data_root, **counts, **self.recipe)
        finally:
            barrier()
