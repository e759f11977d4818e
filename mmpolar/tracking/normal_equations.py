"""Weighted least squares whose data are kept as two sums."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmpolar.tracking.products import product

#: Weight of the squared unknowns, in units of the mean diagonal element.
RIDGE = 1e-2


@dataclass(frozen=True)
class NormalEquations:
    """The problem ``min sum_i s_i (a_i w - y_i)^2``, plus a ridge, as ``G w = b``.

    The sums do not grow with the number of rows a_i that they were made of.

    Attributes:
        gram: G, (N, N) float32.
        moment: b, (N,) float32.

    Example:
        >>> import numpy as np
        >>> from mmpolar.tracking.normal_equations import NormalEquations
        >>> rows = np.array([[1, 0], [0, 1]], np.float32)
        >>> NormalEquations.of(rows, np.array([1.0, 2.0]), np.ones(2)).solve().round(1).tolist()
        [1.0, 2.0]
    """

    gram: NDArray[np.float32]
    moment: NDArray[np.float32]

    @classmethod
    def of(cls, rows: NDArray[np.float32], labels: NDArray, weights: NDArray) -> 'NormalEquations':
        """The sums over rows (R, N) with labels (R,) and weights (R,)."""
        weighted = rows.T * weights.astype(np.float32)
        return cls(product(weighted, rows), product(weighted, labels.astype(np.float32)))

    def plus(self, other: 'NormalEquations', share: float = 1.0) -> 'NormalEquations':
        """The equations of these rows and, weighted by a share, of others."""
        share = np.float32(share)
        return NormalEquations(self.gram + share * other.gram, self.moment + share * other.moment)

    def mixed(self, other: 'NormalEquations', share: float) -> 'NormalEquations':
        """A mean of both, in which the other has this share."""
        mine = np.float32(1 - share)
        return NormalEquations(mine * self.gram, mine * self.moment).plus(other, share)

    def solve(self) -> NDArray[np.float32]:
        """The solution (N,), directly."""
        return np.linalg.solve(self._with_ridge(), self.moment)

    def improve(self, solution: NDArray[np.float32], steps: int) -> NDArray[np.float32]:
        """Bring an approximate solution (N,) nearer by some steps of conjugate gradients.

        Args:
            solution: Where to start; it is not changed.
            steps: Number of steps; in exact arithmetic N lead to the solution.
        """
        matrix = self._with_ridge()
        residual = self.moment - product(matrix, solution)
        direction, power = residual, float(residual @ residual)
        for _ in range(steps):
            if power == 0:
                break
            image = product(matrix, direction)
            length = np.float32(power / float(direction @ image))
            solution = solution + length * direction
            residual = residual - length * image
            before, power = power, float(residual @ residual)
            direction = residual + np.float32(power / before) * direction
        return solution

    def _with_ridge(self) -> NDArray[np.float32]:
        matrix = self.gram.copy()
        matrix.flat[:: len(matrix) + 1] += np.float32(RIDGE * np.trace(matrix) / len(matrix))
        return matrix
