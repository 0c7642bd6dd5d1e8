"""Images in other sets that look like a forgotten one: they would keep it known. Listed, never moved.

Pictures and slices are compared by perceptual hash (64 bits, Hamming distance), volumes by the cosine distance of their
intensities pooled to 8 x 8 x 8. Both see copies, re-compressions and small shifts; neither sees a flip.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from scripts.cohort.cohort import SETS, Cohort, Record
from torch.nn.functional import adaptive_avg_pool3d

HASH_BITS = 4  # of 64: pairs of different dermoscopy images start to appear above
COSINE = 0.01
BITS = 8  # frequencies per axis
FLAT = 1e-5  # of the value: the rounding of 32-bit numbers, below which an image holds one value
POOLED = 8  # voxels per axis


def fingerprint(image: torch.Tensor) -> np.ndarray:
    """64 bits of a picture or slice (C, H, W), or the normalised pooled intensities of a volume (C, H, W, D).

    The bits are the perceptual hash: low frequencies of the cosine transform above their median. Each image counts in
    its own range, so that no value is too large or too small. An image of one value has a print that only another image
    of that value shares.
    """
    grey = image.float().mean(0).cpu()
    low, span = float(grey.min()), float(grey.max() - grey.min())
    if span <= FLAT * max(abs(low), 1e-6):
        return _flat(low, bits=image.ndim == 3)
    grey = (grey - low) / span
    if image.ndim == 3:
        return _bits(grey.numpy())
    pooled = adaptive_avg_pool3d(grey[None], POOLED).flatten().numpy()
    pooled = pooled - pooled.mean()
    return pooled / max(float(np.linalg.norm(pooled)), 1e-12)


def _bits(grey: np.ndarray) -> np.ndarray:
    from imagehash import phash  # only `forget` looks for look-alikes, and only where it is asked to

    return phash(Image.fromarray(np.round(255 * grey).astype(np.uint8)), hash_size=BITS).hash.ravel()


def _flat(value: float, *, bits: bool) -> np.ndarray:
    draw = np.random.default_rng(int(np.float32(value).view(np.uint32)))
    if bits:
        return draw.integers(0, 2, BITS * BITS).astype(bool)
    vector = draw.normal(size=POOLED**3).astype(np.float32)
    return vector / np.linalg.norm(vector)


def distances(first: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Hamming distance in bits, or cosine distance, of one fingerprint to each of `others`."""
    if first.dtype == bool:
        return (first != others).sum(1)
    return 1 - others @ first


def near_duplicates(
    cohort: Cohort, print_of: Callable[[Record], np.ndarray], *, threshold: float | None = None
) -> list[dict[str, Any]]:
    """Pairs of a forget image and an image of another set within `threshold`, nearest first.

    Args:
        cohort: the sets.
        print_of: the fingerprint of a record's image.
        threshold: bits (2D) or cosine distance (3D); None takes `HASH_BITS` or `COSINE`.

    Returns:
        dicts with `forget`, `image`, `set` and `distance`.
    """
    others = [(name, record) for name in SETS if name != "forget" for record in cohort.named(name)]
    if not cohort.forget or not others:
        return []
    prints = np.stack([print_of(record) for _, record in others])
    limit = threshold if threshold is not None else (HASH_BITS if prints.dtype == bool else COSINE)
    pairs = []
    for record in cohort.forget:
        apart = distances(print_of(record), prints)
        for index in np.flatnonzero(apart <= limit):
            name, other = others[index]
            pair = {"forget": record["image_id"], "image": other["image_id"], "set": name}
            pairs.append({**pair, "distance": round(max(float(apart[index]), 0.0), 6)})
    return sorted(pairs, key=lambda pair: (pair["distance"], pair["forget"], pair["image"]))


def with_near_duplicates(
    cohort: Cohort, print_of: Callable[[Record], np.ndarray], *, threshold: float | None = None
) -> Cohort:
    """The cohort with `near_duplicates` in its resolution; asks for the fingerprint of every image once."""
    pairs = near_duplicates(cohort, print_of, threshold=threshold)
    return dataclasses.replace(cohort, resolution={**cohort.resolution, "near_duplicates": pairs})
