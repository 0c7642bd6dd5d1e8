"""Which method a request is answered by: the one that is asked for, or the one that preparation preferred."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.cohort.cohort import NO_FOLD, Cohort
from scripts.engines.models import model_path
from scripts.errors import InputError
from scripts.methods.method import Method
from scripts.methods.recipe_file import RecipeFile
from scripts.methods.registry import DEFAULT, build_method, method_class

AUTO = "auto"
MOSTLY = 0.5  # share of the forget images that the fold to start from must be clean of: "most of the patients"


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
    if known is None:
        why = "nothing was prepared for this teacher" if fits else f"the only one for {_told(settings)}"
        return Choice(_built(DEFAULT, settings, None), why)
    refused = []
    for preferred in known.preference:
        if problem := _problem(preferred, settings, cohort, pool):
            refused.append(f"{preferred} is not possible: {problem}")
            continue
        try:
            method = _built(preferred, settings, known)
        except InputError as error:
            # A setting that was given does not go with this method; another one may take it.
            refused.append(f"{preferred} is not possible: {error}")
            continue
        return Choice(method, "; ".join([known.reasons[preferred], *refused]))
    return Choice(_built(DEFAULT, settings, known), "; ".join(refused))


def _built(name: str, settings: Mapping[str, Any], recipes: RecipeFile | None) -> Method:
    return build_method(name, settings, calibrated=recipes.settings.get(name) if recipes is not None else None)


def _told(settings: Mapping[str, Any]) -> str:
    return f"goal: {settings['goal']}, schedule: {settings['schedule']}, reference: {settings['reference']}"


def _problem(name: str, settings: Mapping[str, Any], cohort: Cohort, pool: Path) -> str:
    """Why a method cannot answer this request; empty where it can."""
    method = method_class(name)
    if settings["goal"] not in method.goals:
        return f"it is not for goal: {settings['goal']}"
    if "pool" not in method.needs:
        return ""
    folds = [cohort.fold_of(record) for record in cohort.forget]
    if NO_FOLD in folds:
        return "a patient is in no fold"
    most = max(set(folds), key=folds.count)
    if folds.count(most) <= MOSTLY * len(folds):
        return "no fold teacher is clean of most of the images"
    if not model_path(model_dir=str(pool), model_name="", fold=most).is_file():
        return "the fold teacher that never saw the patients is not there"
    return ""
