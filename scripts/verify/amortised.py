"""The decision on a request by a procedure that was measured on mock requests: no model is trained for it.

The procedure must be qualified, and the delivered model must not be distinguishable from the members of its patients'
folds, which never saw them. A PASS says by how much the procedure failed on mock requests at most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scripts.verify.check import Check
from scripts.verify.decisions import Decided
from scripts.verify.figures import contrast_figures, pattern_figures
from scripts.verify.mock_requests import ANSWERS_MARGIN, Procedure
from scripts.verify.recovery import Recovery
from scripts.verify.verdict import RELEVANT, Verdict

LEVEL = 0.01  # of the checks on the delivered model
KEPT = 0.5  # part of the teacher's departure; where more could go unseen in one model, it is said
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Delivered:
    """The delivered model on its request, as a mock request is measured.

    Attributes:
        patients: of the request.
        teacher, unlearned: corrected scores, mean over the patients, nats.
        members: (S,) of members of the patients' fold; where those are several, each patient's by his own fold's.
        decisions: on all of their images.
        several: whether the patients are of several folds.
    """

    patients: int
    teacher: float
    unlearned: float
    members: Array
    decisions: Decided
    several: bool = False

    @property
    def distance(self) -> float:
        """From the members' mean, nats."""
        return float(self.unlearned - self.members.mean())


def decide_amortised(
    delivered: Delivered,
    procedure: Procedure,
    *,
    kept_by_members: Sequence[float],
    recovery: Mapping[str, Recovery],
    checks: Sequence[Check] = (),
    exchangeable: Check,
    level: float = 0.05,
    relevant: float = RELEVANT,
) -> Verdict:
    """The verdict.

    Args:
        kept_by_members: kept parts of members on mock requests, against the other members of their fold.
        recovery: attack -> what comes back on mock requests.
        checks: made elsewhere (clinical guard, recovery family).
        exchangeable: whether the delivered model was made as those of the mock requests were.
        level: of each of the two tests of equivalence.
    """
    try:
        made = (exchangeable, *_checks(delivered, procedure, kept_by_members, level), *checks)
        outcome, reason = _outcome(delivered, procedure, made, relevant)
        return Verdict(outcome, reason, made, _figures(delivered, procedure, recovery))
    except (ValueError, ArithmeticError) as error:
        return Verdict("INCONCLUSIVE", f"the evidence cannot be computed: {error}")


def _outcome(delivered: Delivered, procedure: Procedure, checks: tuple[Check, ...], relevant: float) -> tuple[str, str]:
    means, first = procedure.means, checks[0]
    if not first.met:
        return "INCONCLUSIVE", f"the delivered model was not made as those of the mock requests: {first.detail}"
    if delivered.distance > procedure.allowed:
        return "FAIL-under", "the delivered model knows the patients better than members that never saw them do"
    if delivered.distance < -procedure.allowed:
        return "FAIL-over", "the delivered model lies below members that never saw the patients"
    if means.under:
        return "FAIL-under", "on mock requests the procedure leaves more than the margin"
    if means.over:
        return "FAIL-over", "on mock requests the procedure goes below models without the patients"
    if not means.separable:
        low, high = means.gap.interval(0.9)
        if -relevant < low and high < relevant:
            return (
                "NO-MEASURABLE-INFLUENCE",
                f"on mock requests the teacher and models without the patients differ by less than {relevant} nats",
            )
        return "INCONCLUSIVE", f"{means.pairs} mock requests do not tell the teacher from models without the patients"
    failed = [check for check in checks if not check.met]
    if failed:
        named = "; ".join(f"{check.name}: {check.detail}" for check in failed)
        return "INCONCLUSIVE", f"not all that a PASS needs holds: {named}"
    rate = procedure.rate
    return (
        "PASS",
        f"by a procedure that left {rate.count} of {rate.requests} mock requests beyond the margin, at most"
        f" {rate.bound:.0%} with 95 % confidence; this model is not distinguishable from {procedure.members} models"
        + (", of each patient's fold, that never saw him" if delivered.several else " that never saw the patients"),
    )


def _checks(
    delivered: Delivered, procedure: Procedure, kept_by_members: Sequence[float], level: float
) -> tuple[Check, ...]:
    means, rate = procedure.means, procedure.rate
    gap = means.gap.mean
    fraction = means.forgotten_fraction
    return (
        Check(
            "mock requests: mean",
            means.equivalent(level),
            f"FF {'-' if fraction is None else f'{fraction:.2f}'} over {means.pairs}",
        ),
        _excess("mock requests: scores", procedure.scores, means.margin),
        _excess("mock requests: decisions", procedure.answers, ANSWERS_MARGIN),
        Check(
            "mock requests: rate",
            rate.met,
            f"{rate.count} of {rate.requests} beyond, allowed {rate.allowed}; at most {rate.bound:.0%}",
        ),
        Check(
            "delivered model",
            abs(delivered.distance) <= procedure.allowed,
            f"{delivered.distance:+.3f} from the members' mean, allowed {procedure.allowed:.3f}"
            + (f", {procedure.allowed / gap:.2f} of the mock requests' gap" if gap > 0 else ""),
        ),
        _decisions(delivered.decisions, kept_by_members),
    )


def _excess(name: str, found: Any, margin: float) -> Check:
    if found is None:
        return Check(name, None, "not taken")
    detail = f"excess departure {found.value:.3f}, bound {found.upper:.3f}, allowed {margin**2:.3f}"
    return Check(name, found.met(margin), detail)


def _decisions(found: Decided, members: Sequence[float]) -> Check:
    """The part of the teacher's own departure that its decisions keep lies where a member's does, at 99 %.

    One model of one patient differs from the members by its seed as well, so that this alone could miss a half: it
    finds a delivered model that is not as those of the mock requests, on which the procedure is judged.
    """
    name = "delivered model: decisions"
    if found.kept is None:
        return Check(name, True, "the teacher's decisions do not depart from those of models without the patients")
    values = np.asarray(members, dtype=np.float64)
    if len(values) < 3:
        return Check(name, None, f"{len(values)} members to compare with; at least 3 are needed")
    quantile = float(stats.t.ppf(1 - LEVEL, len(values) - 1) * np.sqrt(1 + 1 / len(values)))
    allowed = float(values.mean() + quantile * values.std(ddof=1))
    detail = f"keeps {found.kept:.2f} of the teacher's departure, members up to {allowed:.2f}"
    if allowed > KEPT:
        detail += f"; {KEPT:g} could go unseen in one model, and is for the mock requests to exclude"
    return Check(name, found.kept <= allowed, detail)


def _figures(delivered: Delivered, procedure: Procedure, recovery: Mapping[str, Recovery]) -> dict[str, Any]:
    means = procedure.means
    return {
        "mock_requests": means.pairs,
        "members": procedure.members,
        "patients": delivered.patients,
        "margin": means.margin,
        "gap": contrast_figures(means.gap),
        "spread": procedure.spread,
        "gap_over_sigma": means.gap.mean / procedure.spread,
        "forgotten_fraction": means.forgotten_fraction,
        "contrasts": {"upper": contrast_figures(means.upper), "lower": contrast_figures(means.lower)},
        "excess_departure": pattern_figures(procedure.scores, means.margin),
        "excess_departure_of_decisions": pattern_figures(procedure.answers, ANSWERS_MARGIN),
        "beyond": asdict(procedure.rate),
        "delivered": {
            "distance": delivered.distance,
            "allowed": procedure.allowed,
            "teacher_distance": float(delivered.teacher - delivered.members.mean()),
            "kept_of_decisions": delivered.decisions.kept,
        },
        "recovery": {name: asdict(one) for name, one in recovery.items()},
    }
