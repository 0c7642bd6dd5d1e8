"""How much of a teacher's knowledge of the forget set is gone, measured against a retrained model."""

from __future__ import annotations

from dataclasses import dataclass


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
