"""What of a method is tuned, and between which bounds: the same rule for every method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scripts.methods.method import Method
from scripts.methods.recipe import SETTING_NAMES

WIDE = 10.0  # times below and above the published value, in logarithms
# Whole numbers and shares, whose bounds follow from what they mean.
SHARES = {"saliency_share": (0.1, 1.0)}


@dataclass(frozen=True)
class Range:
    """Bounds of a setting.

    Attributes:
        low, high: both allowed.
        whole: whether it is a whole number.
        log: whether it is drawn evenly in its logarithm.
    """

    low: float
    high: float
    whole: bool = False
    log: bool = False

    def draw(self, trial: Any, name: str) -> float | int:
        """A value that an optuna trial suggests."""
        if self.whole:
            return int(trial.suggest_int(name, int(self.low), int(self.high), log=self.log))
        return float(trial.suggest_float(name, self.low, self.high, log=self.log))


def space(method: Method) -> dict[str, Range]:
    """Setting -> its range: learning rate, rounds, the weight of forgetting, and what the method has of its own.

    Around the method's own values, ten times down and up, rounds from one to twice as many. Empty where a method has
    nothing to tune.
    """
    recipe, found = method.recipe, {}
    for field in ("learning_rate", "forget_weight", "l1_weight", "dampen_above", "dampening"):
        value = getattr(recipe, field)
        if value is not None and _has(method, field):
            found[field] = Range(value / WIDE, value * WIDE, log=True)
    for field in ("max_rounds", "last_layers", "ascent_rounds"):
        value = getattr(recipe, field)
        if value is not None and _has(method, field):
            found[field] = Range(1, 2 * value, whole=True)
    for field, (low, high) in SHARES.items():
        if getattr(recipe, field) is not None and _has(method, field):
            found[field] = Range(low, high)
    return {SETTING_NAMES.get(field, field): own for field, own in found.items()}


def _has(method: Method, field: str) -> bool:
    return field not in method.idle
