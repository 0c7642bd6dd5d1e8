"""The decision by mock requests, on scores and decisions of known truth."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
from scripts.verify.amortised import Delivered, decide_amortised
from scripts.verify.check import Check
from scripts.verify.decisions import Decided, decided
from scripts.verify.mock_requests import Departures, judge_procedure

REQUESTS, MEMBERS, IMAGES, CELLS, EFFECT = 36, 3, 4, 64, 5.3
ALIKE = Check("made alike", True, "x")
DRAWS = 60


def decisions(rng: np.random.Generator, kept: float, *, memory: float = 0.1) -> Decided:
    base, own = rng.random((IMAGES, CELLS)), memory * rng.standard_normal((IMAGES, CELLS))

    def noise(*shape: int) -> np.ndarray:
        return 0.1 * rng.standard_normal((*shape, IMAGES, CELLS))

    return decided(unlearned=base + kept * own + noise(), teacher=base + own + noise(), members=base + noise(MEMBERS))


def parts(seed: int, *, kept: float = 0.0, delivered_kept: float | None = None, gap: float = 1.0) -> dict[str, Any]:
    """Arguments of `decide_amortised`; a gap of `gap` nats on the mean, members 1 / EFFECT nats apart."""
    rng = np.random.default_rng(seed)
    influence = gap * np.exp(0.3 * rng.standard_normal(REQUESTS))
    base = rng.standard_normal(REQUESTS)

    def noise(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape) / EFFECT

    said = [decisions(rng, kept) for _ in range(REQUESTS)]
    procedure = judge_procedure(
        teacher=base + influence + noise(REQUESTS),
        unlearned=base + kept * influence + noise(REQUESTS),
        members=base[:, None] + noise(REQUESTS, MEMBERS),
        answers=Departures(
            *(np.array([getattr(one, name) for one in said]) for name in ("unlearned", "teacher", "members"))
        ),
    )
    part = kept if delivered_kept is None else delivered_kept
    delivered = Delivered(
        patients=1,
        teacher=gap + float(noise()),
        unlearned=part * gap + float(noise()),
        members=noise(MEMBERS),
        decisions=decisions(rng, part),
    )
    return {
        "delivered": delivered,
        "procedure": procedure,
        "kept_by_members": [value for one in said for value in one.kept_members if value is not None],
        "recovery": {},
        "exchangeable": ALIKE,
    }


def outcomes(**truth: Any) -> Counter:
    return Counter(decide_amortised(**parts(seed, **truth)).outcome for seed in range(DRAWS))


def test_a_procedure_that_forgets_passes_with_its_rate() -> None:
    assert outcomes()["PASS"] >= 0.8 * DRAWS
    verdict = next(v for v in (decide_amortised(**parts(seed)) for seed in range(9)) if v.outcome == "PASS")
    assert "of 36 mock requests beyond the margin, at most" in verdict.reason
    json.dumps(verdict.evidence, allow_nan=False)


@pytest.mark.parametrize("kept", [1.0, 0.5, -0.8])
def test_one_that_keeps_or_goes_below_does_not(kept: float) -> None:
    assert outcomes(kept=kept)["PASS"] == 0


def test_a_sound_procedure_does_not_carry_a_model_that_keeps_half() -> None:
    found = outcomes(delivered_kept=0.5)
    assert found["PASS"] <= 0.05 * DRAWS
    assert outcomes(delivered_kept=1.0)["FAIL-under"] >= 0.9 * DRAWS
    assert outcomes(delivered_kept=-1.0)["FAIL-over"] >= 0.9 * DRAWS


def test_without_a_gap_there_is_nothing_to_pass() -> None:
    found = outcomes(gap=0.0)
    assert found["PASS"] == 0 and found["NO-MEASURABLE-INFLUENCE"] >= 0.5 * DRAWS


def test_whatever_is_not_met_is_no_pass() -> None:
    seed = next(seed for seed in range(9) if decide_amortised(**parts(seed)).outcome == "PASS")
    given = parts(seed)
    for met in (False, None):
        verdict = decide_amortised(**given, checks=[Check("guard", met, "not shown")])
        assert verdict.outcome == "INCONCLUSIVE" and "guard: not shown" in verdict.reason
    other = decide_amortised(**{**given, "exchangeable": Check("made alike", False, "another code")})
    assert other.outcome == "INCONCLUSIVE" and "another code" in other.reason
    few = decide_amortised(**{**given, "kept_by_members": [0.0, 0.1]})
    assert few.outcome == "INCONCLUSIVE" and "2 members to compare with" in few.reason
    # Members that stray so far themselves that half of the memory would go unseen.
    wide = decide_amortised(**{**given, "kept_by_members": [-0.5, 0.5, 0.1, -0.4]})
    assert any("0.5 could go unseen in one model" in check.detail for check in wide.checks)
