"""Whether a procedure forgets single patients in general: the method is judged, not the patient of a request."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import ArrayLike

from scripts.verify.contrasts import MARGIN, PairedContrasts

LEAST_REQUESTS = 16


@dataclass(frozen=True)
class Qualification:
    """The contrasts of a verdict with mock requests, one a patient, in the place of pairs.

    Attributes:
        requests: P.
        qualified: equivalent at the margin over the requests.
        reason: in words.
        forgotten_fraction: of the means.
        gap_over_spread: mean of O - R over its standard deviation between patients, times sqrt P.
    """

    requests: int
    qualified: bool
    reason: str
    forgotten_fraction: float | None
    gap_over_spread: float


def qualify(
    *, original: ArrayLike, unlearned: ArrayLike, retrained: ArrayLike, margin: float = MARGIN
) -> Qualification:
    """Two one-sided tests over mock requests.

    Args:
        original, unlearned, retrained: (P,) corrected score of each mock patient under the teacher, the teacher
            unlearned for that patient, and a model that never saw the patient.

    Raises:
        ValueError: fewer than 16 requests, lengths that differ, a value that is not finite.
    """
    found = PairedContrasts(original=original, unlearned=unlearned, retrained=retrained, margin=margin)
    if found.pairs < LEAST_REQUESTS:
        raise ValueError(f"mock requests: {found.pairs} are too few; at least {LEAST_REQUESTS} are needed")
    if not found.separable:
        reason = "teacher and fold-out models do not differ on these patients: nothing can be qualified by them"
    elif found.equivalent():
        reason = f"no detectable difference from models without the patient at margin {margin:g} of the gap"
    elif found.under:
        reason = "patients are still known by more than the margin"
    elif found.over:
        reason = "patients lie below models that never saw them by more than the margin"
    else:
        reason = "neither equivalence nor a difference is shown; more mock requests would decide"
    return Qualification(
        requests=found.pairs,
        qualified=found.equivalent(),
        reason=reason,
        forgotten_fraction=found.forgotten_fraction,
        gap_over_spread=float(found.gap.t),
    )
