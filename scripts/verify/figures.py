"""The figures behind a verdict, as plain JSON: no ids, no image."""

from __future__ import annotations

from typing import Any

import numpy as np
from scripts.verify.contrasts import Contrast, PairedContrasts
from scripts.verify.klom import klom
from scripts.verify.membership import Attack, lira_attack, population_attack
from scripts.verify.pattern import Pattern
from scripts.verify.plan import DRAWS, PairPlan, detectable_gap
from scripts.verify.power import power
from scripts.verify.rmia import rmia_attack
from scripts.verify.scores import RequestScores
from scripts.verify.u_lira import u_lira

RATES_FROM, PATIENTS_FROM = 20, 5  # patients for rate claims, and for a label without them


def figures(
    scores: RequestScores, found: PairedContrasts, shape: Pattern, plan: PairPlan, *, level: float
) -> dict[str, Any]:
    """Gap, contrasts, pattern, power and what the evidence may be called."""
    # Power depends on the gap over the spread of O - R; in units of one of two independent models: times sqrt 2.
    effect = found.gap.mean / found.gap.sd * np.sqrt(2)
    return {
        "pairs": found.pairs,
        "patients": scores.patient_count,
        "claims": claims(scores.patient_count),
        "margin": found.margin,
        "gap": contrast_figures(found.gap),
        "sigma": found.sigma,
        "rho": found.rho,
        "gap_over_sigma": found.gap.mean / found.sigma,
        "contrasts": {"upper": contrast_figures(found.upper), "lower": contrast_figures(found.lower)},
        "difference": contrast_figures(found.difference),
        "forgotten_fraction": found.forgotten_fraction,
        "forgotten_fraction_uncorrected": _uncorrected(scores),
        "pattern": pattern_figures(shape, found.margin),
        "power": power(effect=effect, rho=0.0, pairs=found.pairs, margin=found.margin, level=level, draws=DRAWS),
        "detectable_gap": detectable_gap(spread=found.gap.sd, pairs=found.pairs, margin=found.margin, level=level),
        "pairs_needed": plan.pairs,
        "budget": plan.budget,
        "attacks": {
            attack.name: _attack(attack)
            for attack in (population_attack(scores), lira_attack(scores), rmia_attack(scores))
        },
        "u_lira": _beside(u_lira(scores), "unlearned", "original"),
        "klom": _beside(klom(scores), "value", "null"),
        "means": {name: scores.means(name).tolist() for name in scores.models},
    }


def pattern_figures(found: Pattern | None, margin: float) -> dict[str, float | None] | None:
    """E, its bound, and the square of the margin."""
    if found is None:
        return None
    return {"value": _finite(found.value), "upper": _finite(found.upper), "allowed": margin**2}


def _attack(found: Attack) -> dict[str, Any]:
    areas = {name: list(getattr(found, name)) for name in ("original", "unlearned", "retrained")}
    return areas | {"rates": list(found.rates), "curves": {name: list(row) for name, row in found.curves.items()}}


def _beside(found: tuple[float, float] | None, *names: str) -> dict[str, float] | None:
    return None if found is None else dict(zip(names, found, strict=True))


def claims(patients: int) -> str:
    """What so many patients allow to be said."""
    if patients >= RATES_FROM:
        return f"{patients} patients"
    if patients >= PATIENTS_FROM:
        return f"{patients} patients, no rate claims"
    return "1 patient" if patients == 1 else f"{patients} patients, each judged by itself"


def contrast_figures(found: Contrast) -> dict[str, Any]:
    """Mean, spread, t and 95 % interval."""
    interval = found.interval(0.95) if np.isfinite(found.t) else None
    return {"mean": found.mean, "sd": found.sd, "t": _finite(found.t), "interval": interval}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _uncorrected(scores: RequestScores) -> float | None:
    o, u, r = (scores.means(name, corrected=False).mean() for name in ("original", "unlearned", "retrained"))
    return float((o - u) / (o - r)) if o != r else None
