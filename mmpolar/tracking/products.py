"""Products of matrices on the thread that asks for them.

NumPy's products wake a thread of OpenBLAS for each core, which then spin for 25 ms and more, waiting for the
next one: as long as a frame takes, on cores that other videos need.
"""

import cv2
import numpy as np
from numpy.typing import NDArray


def product(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """The matrix product of (M, K) and (K, N), or of (M, K) and (K,)."""
    if right.ndim == 1:
        return np.einsum('ij,j->i', left, right)
    return cv2.gemm(np.ascontiguousarray(left), np.ascontiguousarray(right), 1, None, 0)
