"""The decision: PASS, FAIL-under, FAIL-over, INCONCLUSIVE or NO-MEASURABLE-INFLUENCE, with its reason.

It fails closed: whatever cannot be computed makes it INCONCLUSIVE, and nothing is dropped or put in its place.
A PASS certifies the procedure on this request: no detectable difference at the margin, with the power that is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scripts.errors import DONE, FAIL, INCONCLUSIVE, NO_INFLUENCE
from scripts.verify.check import LEVEL, Check, pattern_check
from scripts.verify.contrasts import MARGIN, PairedContrasts
from scripts.verify.delivered import delivered_checks
from scripts.verify.figures import figures, pattern_figures
from scripts.verify.pattern import Pattern, pattern
from scripts.verify.plan import PairPlan, plan_pairs
from scripts.verify.prediction import prediction_interval
from scripts.verify.scores import RequestScores

EXIT_CODES = {
    "PASS": DONE,
    "FAIL-under": FAIL,
    "FAIL-over": FAIL,
    "INCONCLUSIVE": INCONCLUSIVE,
    "NO-MEASURABLE-INFLUENCE": NO_INFLUENCE,
}
# Of the answers, cell by cell: less than half of the original's departure may be left. The cells see what each image's
# score adds up to nothing, so also what a procedure's own references err by; chosen and measured in docs/RESULTS.md.
ANSWERS_MARGIN = 0.5
RELEVANT = 0.1  # nats: a gap below this is no influence


@dataclass(frozen=True)
class Verdict:
    """The outcome and all figures behind it; `evidence` is plain JSON."""

    outcome: str
    reason: str
    checks: tuple[Check, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """Of the command that gave the verdict."""
        return EXIT_CODES[self.outcome]


def decide(
    scores: RequestScores,
    *,
    checks: Sequence[Check] = (),
    exchangeable: Check | None = None,
    budget: int = 12,
    margin: float = MARGIN,
    relevant: float = RELEVANT,
    level: float = 0.05,
) -> Verdict:
    """The verdict on a request, by paired models.

    Args:
        scores: of at least four pairs.
        checks: made elsewhere (clinical guard, recovery family).
        exchangeable: whether the delivered model was made as the pool was.
        budget: pairs at most, by which the plan is judged.
        relevant: gap, nats, below which the original shows no influence of the data.
        level: of each of the two tests of equivalence.
    """
    try:
        return _decide(scores, tuple(checks), exchangeable, budget, margin, relevant, level)
    except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
        return Verdict("INCONCLUSIVE", f"the evidence cannot be computed: {error}")


def _decide(
    scores: RequestScores,
    given: tuple[Check, ...],
    exchangeable: Check | None,
    budget: int,
    margin: float,
    relevant: float,
    level: float,
) -> Verdict:
    o, u, r = (scores.means(name) for name in ("original", "unlearned", "retrained"))
    found = PairedContrasts(original=o, unlearned=u, retrained=r, margin=margin)
    shape = pattern(**{name: scores.images(name) for name in scores.models})
    answers = _answers(scores)
    checks = (
        pattern_check("pattern", shape, margin),
        pattern_check("pattern of answers", answers, ANSWERS_MARGIN),
        *delivered_checks(scores, gap=found.gap.mean, margin=margin, answers_margin=ANSWERS_MARGIN),
        *given,
    )
    plan = plan_pairs(original=o, retrained=r, budget=budget, margin=margin, level=level)
    outcome, reason = _outcome(found, checks, exchangeable, plan, relevant, level)
    evidence = figures(scores, found, shape, plan, level=level) | {
        "pattern_of_answers": pattern_figures(answers, ANSWERS_MARGIN)
    }
    return Verdict(outcome, reason, checks if exchangeable is None else (exchangeable, *checks), evidence)


def _outcome(
    found: PairedContrasts,
    checks: tuple[Check, ...],
    exchangeable: Check | None,
    plan: PairPlan,
    relevant: float,
    level: float,
) -> tuple[str, str]:
    if exchangeable is not None and not exchangeable.met:
        return "INCONCLUSIVE", f"the delivered model was not made as the references were: {exchangeable.detail}"
    if found.over:
        if found.separable:
            return "FAIL-over", "the forget score lies below the retrained models' by more than the margin"
        return "FAIL-over", "original and retrained do not differ, and the unlearned models lie below both"
    if not found.separable:
        low, high = found.gap.interval(0.9)
        if -relevant < low and high < relevant:
            return (
                "NO-MEASURABLE-INFLUENCE",
                f"original and retrained differ by less than {relevant} nats: the data left no trace that could go",
            )
        return "INCONCLUSIVE", f"original and retrained cannot be told apart with {found.pairs} pairs; {_needed(plan)}"
    if found.under:
        return "FAIL-under", "the unlearned models still know the forget set by more than the margin"
    if not found.equivalent(level):
        return (
            "INCONCLUSIVE",
            f"neither equivalence nor a difference is shown with {found.pairs} pairs; {_needed(plan)}",
        )
    failed = [check for check in checks if not check.met]
    if failed:
        named = "; ".join(f"{check.name}: {check.detail}" for check in failed)
        return "INCONCLUSIVE", f"the means are equivalent, but not all else that a PASS needs holds: {named}"
    return "PASS", f"no detectable difference from retrained models at margin {found.margin:g} of the original's gap"


def _answers(scores: RequestScores) -> Pattern | None:
    """The pattern of what the models say, where it was taken of all of them."""
    found = {name: scores.answers(name) for name in scores.models}
    if any(rows is None for rows in found.values()):
        return None
    return pattern(**found)  # type: ignore[arg-type]


def interval_verdict(scores: RequestScores, *, least: int = 5) -> Verdict:
    """One delivered model against references without pairs: FAIL or INCONCLUSIVE, never PASS."""
    try:
        if scores.delivered is None:
            raise ValueError("no delivered model")
        references = scores.means("retrained")
        if len(references) < least:
            raise ValueError(f"{len(references)} references; at least {least} are needed")
        y, interval = (
            float(scores.by_patient(scores.delivered).mean()),
            prediction_interval(references, level=1 - LEVEL),
        )
    except ValueError as error:
        return Verdict("INCONCLUSIVE", f"the evidence cannot be computed: {error}")
    evidence = {"score": y, "interval": [interval.low, interval.high], "references": len(references)}
    if interval.holds(y):
        reason = "the delivered model is not rejected; without pairs that shows no more"
        return Verdict("INCONCLUSIVE", reason, (), evidence)
    side = "FAIL-under" if y > interval.high else "FAIL-over"
    reason = f"score {y:.3f} outside {interval.low:.3f} to {interval.high:.3f} of retrained models"
    return Verdict(side, reason, (), evidence)


def _needed(plan: PairPlan) -> str:
    if plan.pairs is None:
        return "no number of pairs up to 256 would do"
    within = "within" if plan.affordable else "above"
    return f"about {plan.pairs} are needed, {within} the budget of {plan.budget}"
