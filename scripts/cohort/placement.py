"""Where a patient goes who is new in a recorded split: by hashes of his own digest, in which no other has a part."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

from scripts.cohort.split import OFFICIAL, official_level


def _uniform(digest: str, purpose: str) -> int:
    """A number of 256 bits that follows from a salted digest, another one for each purpose."""
    return int.from_bytes(hashlib.sha256(f"{purpose}:{digest}".encode()).digest(), "big")


def hashed_fold(digest: str, folds: int) -> int:
    """The fold of a patient who is new."""
    return _uniform(digest, "fold") % folds


def hashed_place(digest: str, official: str, shares: Mapping[str, float]) -> str:
    """Place of a new patient: the official one, or by the thresholds of `shares` on a number in [0, 1)."""
    drawn = math.ldexp(_uniform(digest, "place"), -256)
    if official == "validation":
        return "selection" if drawn < 0.5 else "validation"
    if official != "train":
        return official
    for name, share in shares.items():
        if drawn < share:
            # Half of the validation patients select checkpoints.
            return "selection" if name == "validation" and drawn < share / 2 else name
        drawn -= share
    return "training"


def fits_nowhere(record: Mapping[str, Any], *, place: str, official: str) -> bool:
    """Whether an image must be left out because its official set is not the set that its patient is in."""
    own = OFFICIAL.index(record.get("split", "train"))
    if OFFICIAL.index(official) > official_level(place):
        # The data set has come to hold out images of a patient who was placed before: they are not trained on.
        return own > official_level(place)
    return own != OFFICIAL.index(official)
