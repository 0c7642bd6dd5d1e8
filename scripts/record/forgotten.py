"""All that a run forgot, hidden: what its tombstones are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.data.source import LEVEL_KEYS
from scripts.errors import InputError
from scripts.record.keys import HospitalKeys

BY_PATIENT = ("patient", "study", "series", "lesion")  # levels at which the whole patient is forgotten


def tombstone_units(
    resolution: Mapping[str, Any], keys: HospitalKeys | Sequence[HospitalKeys]
) -> list[tuple[str, str]]:
    """(level, HMAC) of all that a run forgot: what was asked for, and what was pulled in with it.

    Every forgotten image is named, so that the other eye of a patient whose one eye was asked for stays out as well;
    from the level of a lesion upwards the patients are named too.

    Args:
        resolution: content of `private/resolution.json`.
        keys: the first hides.

    Raises:
        InputError: the resolution names no request, images or patients in the form that is written.
    """
    own = keys if isinstance(keys, HospitalKeys) else keys[0]
    try:
        request, level = resolution["request"], resolution["request"]["level"]
        named = [(level, unit) for unit in request["ids"]]
        images = [*resolution["images"]["forget"], *_left_sets(resolution, level)]
        named += [("image", image) for image in images]
        if level in BY_PATIENT:
            named += [("patient", patient) for patient in resolution["patients"]["forget"]]
        if level not in LEVEL_KEYS or not all(isinstance(unit, str) for _, unit in named):
            raise TypeError("an id is no text")
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError("private/resolution.json: does not say what was forgotten; run forget again") from error
    return sorted({(level, own.hide(level, unit)) for level, unit in named})


def _left_sets(resolution: Mapping[str, Any], level: str) -> list[str]:
    """Images of a forgotten patient that were held out: the request took them out of their sets."""
    moved = resolution.get("not_trained_on") or {}
    return [] if level == "class" else [image for images in moved.values() for image in images]
