"""Methods by name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from scripts.errors import InputError
from scripts.methods.method import Method
from scripts.methods.recipe import given_fields
from scripts.settings.groups.forgetting import METHODS as NAMES

DEFAULT = "erase_to_retain"


def method_class(name: str) -> type[Method]:
    """The class of a method.

    Raises:
        InputError: there is none of that name.
    """
    if name not in NAMES:
        raise InputError(f"method: '{name}' is not one of {', '.join(NAMES)}")
    # Each in the file of its name: a run pays for the method that it uses.
    module = vars(importlib.import_module(f"scripts.methods.{name}"))
    own = [one for one in module.values() if isinstance(one, type) and vars(one).get("name") == name]
    (found,) = own
    return found


def build_method(name: str, settings: Mapping[str, Any], *, calibrated: Mapping[str, Any] | None = None) -> Method:
    """The method of that name with its recipe.

    Args:
        settings: of a workflow; those that are null are left to `calibrated`, then to the method.
        calibrated: settings that were found for this teacher and method.

    Raises:
        InputError: unknown name; a value that is not allowed.
    """
    calibrated, asked = dict(calibrated or {}), settings.get("trainable")
    if asked is not None and asked != calibrated.get("trainable", asked):
        # It was found for the other kind of student, and says nothing of this one.
        calibrated = {}
    given = {**given_fields(calibrated), **given_fields(settings)}
    return method_class(name)(
        **{about: settings[about] for about in ("goal", "schedule", "task", "reference", "exact")}, given=given
    )
