"""Whether the delivered model was made as the models of a pool were: only then do they speak for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scripts.cohort.model_record import SPLIT, STATED
from scripts.settings import SETTINGS
from scripts.verify.check import Check

NAME = "made alike"
OWN = ("seed",)  # settings in which the teacher and the pool's models must differ, and not agree


def made_alike(
    *,
    own: Mapping[str, Any],
    others: Mapping[str, Any],
    seeds: Sequence[int],
    recipe: str,
    recipes: Sequence[str],
    trusted: bool = False,
) -> Check:
    """The check of a verdict; its detail is published, so that of the settings only numbers are told.

    Args:
        own: record beside the teacher; empty where there is none.
        others: record beside an original of the pool.
        seeds: of the pool's models.
        recipe: digest of the procedure by which the student was unlearned.
        recipes: those of the pool's models.
        trusted: whether weights without a record of who was in them were taken on trust.
    """
    if trusted:
        return Check(NAME, False, "weights without a record of their training were taken on trust")
    if not own or not others:
        return Check(NAME, False, "no record of the teacher's training lies beside it")
    if (found := _difference(own, others)) is not None:
        name, mine, theirs = found
        return Check(NAME, False, f"the teacher was trained with {_told(name, mine, theirs)}")
    if own.get("training", {}).get("seed") in seeds:
        return Check(NAME, False, "the teacher has the seed of a reference")
    if list(recipes) != [recipe]:
        return Check(NAME, False, "the student was unlearned with other settings than the references")
    return Check(NAME, True, "same training, same recipe, seeds of their own")


def alike_problem(own: Mapping[str, Any], others: Mapping[str, Any]) -> str | None:
    """The first setting of the training in which two records differ, in words for the terminal; None: in none.

    For a refusal before the expensive part: references that are trained with other settings than the teacher make
    every verdict INCONCLUSIVE.

    Args:
        own: record beside the teacher: `data_set`, `split`, `training`.
        others: the same of a model of the pool, or what it would be.
    """
    found = _difference(own, others)
    if found is None:
        return None
    name, mine, theirs = found
    return f"{name}: the teacher was trained with {mine!r}, the references with {theirs!r}"


def _difference(own: Mapping[str, Any], others: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    return next(((name, mine, other) for name, mine, other in _pairs(own, others) if mine != other), None)


def _pairs(own: Mapping[str, Any], others: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    yield "data_set", own.get("data_set"), others.get("data_set")
    mine, theirs = own.get("split") or {}, others.get("split") or {}
    for name in SPLIT:
        yield ("split_seed" if name == "seed" else name), mine.get(name), theirs.get(name)
    mine, theirs = own.get("training") or {}, others.get("training") or {}
    names = {*mine, *theirs}
    if STATED in mine:
        # Of a model that a foreign bundle delivers nothing else is known.
        names = {*mine} - {STATED}
    for name in sorted(names - {*OWN}):
        # A setting that the teacher's record does not know is younger: it was trained by what is its default now.
        default = SETTINGS[name].default if name in SETTINGS and mine else None
        yield name, mine.get(name, default), theirs.get(name)


def _told(name: str, mine: Any, theirs: Any) -> str:
    """Texts may be names of classes or paths: of those it is said only that they differ.

    A name that is no setting of ours came from outside, and may itself be such a text.
    """
    if name not in SETTINGS and name not in ("data_set", "split_seed"):
        return "other settings than the references"
    if all(value is None or isinstance(value, bool | int | float) for value in (mine, theirs)):
        return f"{name} {mine!r}, the references with {theirs!r}"
    return f"another {name} than the references"
