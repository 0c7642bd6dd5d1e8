"""How much of a teacher's knowledge of the forget set is gone, measured against a retrained model."""

from __future__ import annotations

import math
from dataclasses import dataclass

LEAST_GAP = 1e-3  # of Dice or accuracy, and nats of a score: a gap below it has no share


@dataclass(frozen=True)
class CorrectedScore:
    """Mean score of one model on the forget set and on images that nobody trained on."""

    forget: float
    validation: float

    @property
    def value(self) -> float:
        """Validation-corrected score: models of other seeds differ in calibration."""
        return self.forget - self.validation


def forgotten_fraction(original: CorrectedScore, unlearned: CorrectedScore, retrained: CorrectedScore) -> float | None:
    """`FF = (y_O - y_U) / (y_O - y_R)`: 0 nothing forgotten, 1 like retrained, above 1 over-forgotten.

    None where original and retrained do not differ: there is nothing to measure by.
    """
    gap = original.value - retrained.value
    return None if abs(gap) < 1e-9 else (original.value - unlearned.value) / gap


def recovered_share(*, teacher: float, before: float, after: float, least: float = LEAST_GAP) -> float | None:
    """`(after - before) / (teacher - before)`: 0 nothing came back under an attack, 1 all that was forgotten.

    Args:
        teacher: measure of the teacher, not attacked.
        before, after: measure of another model before and after the attack.
        least: smallest gap, in the measure's unit, of which a share is taken.

    None where teacher and model differ by less than `least`, or a measure is not a finite number.
    """
    gap = teacher - before
    return (after - before) / gap if math.isfinite(gap + after) and abs(gap) >= least else None
