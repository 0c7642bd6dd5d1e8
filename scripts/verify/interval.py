"""Bootstrap intervals over patients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def bootstrap_mean(
    values: Sequence[float], *, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> dict[str, float | None]:
    """Mean of per-patient values with its percentile bootstrap interval, patients resampled.

    Args:
        values: one per patient, NaN left out.
        level: coverage of the interval.

    Returns:
        `mean`, `low`, `high`; None where nothing is defined. With one patient the interval is that value:
        one patient says nothing of others.
    """
    kept = np.asarray(values, dtype=float)
    kept = kept[~np.isnan(kept)]
    if not len(kept):
        return {"mean": None, "low": None, "high": None}
    rng = np.random.default_rng(seed)
    means = kept[rng.integers(0, len(kept), (draws, len(kept)))].mean(1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return {"mean": float(kept.mean()), "low": float(low), "high": float(high)}
