"""KLoM: how far the scores of unlearned models lie from those of retrained ones, as distributions over seeds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scripts.verify.scores import RequestScores

LEAST_MODELS = 20  # a side: below it the estimate says more about the sample than about the models


def gaussian_divergence(unlearned: ArrayLike, retrained: ArrayLike) -> NDArray[np.float64]:
    """KL of two normal distributions, an image: (log(v_R / v_U) + (v_U + (m_U - m_R)^2) / v_R - 1) / 2, nats.

    Args:
        unlearned, retrained: (models, images).

    Raises:
        ValueError: fewer than two models, or scores without spread.
    """
    u, r = np.asarray(unlearned, dtype=np.float64), np.asarray(retrained, dtype=np.float64)
    if len(u) < 2 or len(r) < 2:
        raise ValueError(f"KLoM: {len(u)} and {len(r)} models are too few; at least 2 are needed")
    v_u, v_r = u.var(0, ddof=1), r.var(0, ddof=1)
    if not (v_u > 0).all() or not (v_r > 0).all():
        raise ValueError("KLoM: all models say the same of an image")
    return 0.5 * (np.log(v_r / v_u) + (v_u + (u.mean(0) - r.mean(0)) ** 2) / v_r - 1)


def klom(scores: RequestScores) -> tuple[float, float] | None:
    """Mean over the forget images, and the same between two halves of the retrained models: what chance gives.

    The null compares halves, so the figure is of as many models a side. Source: Georgiev et al. 2024.

    Returns:
        None below twenty models a side of the null.
    """
    unlearned, retrained = scores.images("unlearned"), scores.images("retrained")
    half = len(retrained) // 2
    if half < LEAST_MODELS:
        return None
    found = gaussian_divergence(unlearned[:half], retrained[half : 2 * half])
    null = gaussian_divergence(retrained[:half], retrained[half : 2 * half])
    return float(found.mean()), float(null.mean())
