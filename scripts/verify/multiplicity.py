"""Several tests of one family: which of them reject when the family as a whole errs at one level."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjusted p-values (m,): the i-th smallest times `m - i + 1`, made monotone, at most 1 (Holm 1979).

    Raises:
        ValueError: none given, or one that is no probability.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not len(p):
        raise ValueError(f"p-values: shape {p.shape}; a row of at least one is needed")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("p-values: a value is not between 0 and 1")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return adjusted
