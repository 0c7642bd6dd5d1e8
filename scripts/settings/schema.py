"""All settings by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from scripts.settings.groups import (
    arithmetic,
    comparing,
    data,
    embedding,
    forgetting,
    inference,
    measuring,
    network,
    places,
    preparing,
    references,
    training,
)
from scripts.settings.setting import Setting

_GROUPS = (
    places,
    data,
    network,
    training,
    forgetting,
    measuring,
    preparing,
    comparing,
    embedding,
    references,
    inference,
    arithmetic,
)

SETTINGS: dict[str, Setting] = {setting.name: setting for group in _GROUPS for setting in group.SETTINGS}


def nearest_name(name: str, known: Iterable[str]) -> str:
    """The known name that is most like `name`; empty where none is alike."""
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return near[0] if near else ""


__all__ = ["SETTINGS", "Setting", "nearest_name"]
