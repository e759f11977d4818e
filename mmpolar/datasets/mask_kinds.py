"""How the mask files of one video are read, and whether all of them alike."""

from collections import defaultdict

import numpy as np

from mmpolar.structures.combine_objects import MAX_OBJECT_ID
from mmpolar.utils.abridged import abridged
from mmpolar.utils.image import MaskImage

#: Value of pixels that are neither object nor background in masks with several object ids.
VOID_ID = 255
#: More ids than this in a grey file are rather the values of a soft mask that is never white.
MANY_IDS = 16


class MaskKinds:
    """Mask files of one video by what their values are; empty ones are left out."""

    def __init__(self) -> None:
        self._paths: dict[str, list[str]] = defaultdict(list)

    def add(self, path: str, mask: MaskImage) -> None:
        """Take a file into account."""
        largest = mask.ids.max()
        if largest > MAX_OBJECT_ID:
            self._paths['void'].append(path)
        # The id 1 alone means the same as white.
        if largest and not mask.is_palette and not (mask.kind == 'ids' and largest == 1):
            self._paths[mask.kind].append(path)
            if mask.kind == 'ids' and np.count_nonzero(np.bincount(mask.ids.ravel())) > MANY_IDS:
                self._paths['many'].append(path)

    @property
    def soft(self) -> list[str]:
        """Grey files that are cut at half and have soft edges."""
        return self._paths['matte']

    @property
    def void(self) -> list[str]:
        """Files with 255 that is no object."""
        return self._paths['void']

    @property
    def many(self) -> list[str]:
        """Grey files with more object ids than is usual."""
        return self._paths['many']

    def conflict(self) -> str | None:
        """What is wrong where some grey files are object ids and others black and white."""
        white, ids = self._paths['matte'] + self._paths['black and white'], self._paths['ids']
        if not white or not ids:
            return None
        return (
            f'{abridged(white, 2)} are read as black and white, but {abridged(ids, 2)} as object '
            'ids; say which with mask_values (--mask-values)'
        )
