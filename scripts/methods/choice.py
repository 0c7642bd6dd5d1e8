"""Which method a request is answered by: the one that is asked for, or the one that preparation preferred."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.cohort.cohort import Cohort
from scripts.errors import InputError
from scripts.methods.method import Method
from scripts.methods.recipe_file import RecipeFile
from scripts.methods.registry import DEFAULT, build_method

AUTO = "auto"


@dataclass(frozen=True)
class Choice:
    """A method and the reason for it, one sentence that may be published: it names no patient."""

    method: Method
    reason: str


def choose(settings: Mapping[str, Any], *, cohort: Cohort, recipes: RecipeFile | None, pool: Path) -> Choice:
    """The method of `settings`; with `method: auto` the first of the preferred ones that the request allows.

    Args:
        settings: of the workflow.
        recipes: what preparation found for this teacher; None where nothing was prepared.
        pool: folder of the fold teachers.

    Raises:
        InputError: an unknown method, or settings that it does not take.
    """
    name = settings["method"]
    # Preparation looks at `unlearn` with the joint schedule and fold teachers; for the rest it knows no recipe.
    fits = settings["goal"] == "unlearn" and settings["schedule"] == "joint" and settings["reference"] == "fold"
    known = recipes if fits else None
    if name != AUTO:
        return Choice(_built(name, settings, known), "asked for")
    if known is None or not known.preference:
        why = "nothing was prepared for this teacher" if fits else f"the only one for {_told(settings)}"
        return Choice(_built(DEFAULT, settings, known), why)
    refused: list[str] = []
    for preferred in known.preference:
        try:
            method = _built(preferred, settings, known)
            problem = method.problem(cohort, pool)
        except InputError as error:
            # A setting that was given does not go with this method; another one may take it.
            problem = str(error)
        if not problem:
            return Choice(method, "; ".join([known.reasons[preferred], *refused]))
        refused.append(f"{preferred} is not possible: {problem}")
    return Choice(_built(DEFAULT, settings, known), "; ".join(refused))


def _built(name: str, settings: Mapping[str, Any], recipes: RecipeFile | None) -> Method:
    return build_method(name, settings, calibrated=recipes.settings.get(name) if recipes is not None else None)


def _told(settings: Mapping[str, Any]) -> str:
    return f"goal: {settings['goal']}, schedule: {settings['schedule']}, reference: {settings['reference']}"
