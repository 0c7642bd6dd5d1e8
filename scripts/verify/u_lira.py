"""U-LiRA: can somebody who trains models of both kinds tell an unlearned from a retrained one, image by image?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scripts.verify.membership import area
from scripts.verify.scores import RequestScores

LEAST_PAIRS = 8
FLOOR = 1e-6  # nats: spread below which a normal density says nothing


def u_lira(scores: RequestScores) -> tuple[float, float] | None:
    """Area under the curve of log N(s; U) - log N(s; R), each pair judged by the others; .5 cannot tell them apart.

    Normal densities an image, with the spread pooled over the two kinds. Source: Hayes et al. 2024.

    Returns:
        The area, and that of originals against retrained models in the place of the unlearned ones; None below eight
        pairs.
    """
    original, unlearned, retrained = (scores.images(name) for name in ("original", "unlearned", "retrained"))
    if len(retrained) < LEAST_PAIRS:
        return None
    return _area(unlearned, retrained), _area(original, retrained)


def _area(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """(pairs, images) of two kinds."""
    left, right = [], []
    for pair in range(len(one)):
        kept = np.arange(len(one)) != pair
        variance = np.maximum((one[kept].var(0, ddof=1) + other[kept].var(0, ddof=1)) / 2, FLOOR**2)
        means = one[kept].mean(0), other[kept].mean(0)

        def ratio(
            values: NDArray[np.float64],
            means: tuple[NDArray[np.float64], NDArray[np.float64]] = means,
            variance: NDArray[np.float64] = variance,
        ) -> NDArray[np.float64]:
            return ((values - means[1]) ** 2 - (values - means[0]) ** 2) / (2 * variance)

        left.append(ratio(one[pair]))
        right.append(ratio(other[pair]))
    return area(np.concatenate(left), np.concatenate(right))
