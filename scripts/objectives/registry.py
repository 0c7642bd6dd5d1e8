"""Objectives by the name that the config gives them."""

from __future__ import annotations

import difflib
import inspect
from typing import Any, TypeVar

from scripts.errors import InputError
from scripts.objectives.ascent import Ascent
from scripts.objectives.background import Background
from scripts.objectives.base import ForgetObjective, Objective, RetainObjective
from scripts.objectives.contradiction import Contradiction
from scripts.objectives.critical_label import CriticalLabel
from scripts.objectives.distillation import Distillation
from scripts.objectives.entropy import Entropy
from scripts.objectives.foreground import Foreground
from scripts.objectives.foreground_background import ForegroundBackground
from scripts.objectives.imitation import Imitation
from scripts.objectives.labels import Labels
from scripts.objectives.matching import Matching
from scripts.objectives.negative import Negative
from scripts.objectives.noisy_label import NoisyLabel
from scripts.objectives.random_label import RandomLabel
from scripts.objectives.supervised_distillation import SupervisedDistillation

Kind = TypeVar("Kind", bound=Objective)

FORGET: dict[str, type[ForgetObjective]] = {
    kind.name: kind
    for kind in (
        Ascent,
        Background,
        Contradiction,
        CriticalLabel,
        Entropy,
        Foreground,
        ForegroundBackground,
        Imitation,
        Matching,
        Negative,
        NoisyLabel,
        RandomLabel,
    )
}
RETAIN: dict[str, type[RetainObjective]] = {kind.name: kind for kind in (Distillation, SupervisedDistillation, Labels)}


def build_forget_objective(name: str, task: str, **settings: Any) -> ForgetObjective:
    """The forget loss `name` for `task`; settings it does not declare are left to the others.

    Raises:
        InputError: unknown name (the nearest is named), a task it is not defined for, a setting out of range.
    """
    return _build(FORGET, "forget objective", name, task, settings)


def build_retain_objective(name: str, task: str, **settings: Any) -> RetainObjective:
    """The retain loss `name` for `task`; settings it does not declare are left to the others."""
    return _build(RETAIN, "retain objective", name, task, settings)


def _build(known: dict[str, type[Kind]], what: str, name: str, task: str, settings: dict[str, Any]) -> Kind:
    if name not in known:
        near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise InputError(f"{what} {name!r} is unknown; {hint}allowed are {', '.join(sorted(known))}")
    declared = inspect.signature(known[name].__init__).parameters
    return known[name](task=task, **{key: value for key, value in settings.items() if key in declared})
