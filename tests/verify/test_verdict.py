"""The decision on scores of known truth, and that it fails closed."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scripts import errors
from scripts.verify.check import Check
from scripts.verify.scores import ModelScores, RequestScores
from scripts.verify.verdict import Verdict, decide, interval_verdict
from tests.verify.simulated import simulated

DRAWS = 60


def rates(**truth) -> Counter:
    return Counter(decide(simulated(seed=seed, **truth)).outcome for seed in range(DRAWS))


@pytest.mark.parametrize("truth", [{"pairs": 12}, {"effect": 8.0}])
def test_a_true_retrain_passes_in_at_least_80_percent_and_never_fails(truth: dict) -> None:
    found = rates(kept=0.0, **truth)
    assert found["PASS"] >= 0.8 * DRAWS and found["FAIL-under"] + found["FAIL-over"] <= 0.05 * DRAWS


def test_with_eight_pairs_and_six_deviations_a_true_retrain_passes_in_seven_of_ten() -> None:
    assert rates(kept=0.0)["PASS"] >= 0.7 * DRAWS


def test_a_sound_procedure_does_not_carry_a_delivered_model_that_keeps_half() -> None:
    """Its score lies in the interval of retrained models in two of three draws."""
    found = [decide(simulated(seed=seed, delivered_kept=0.5)) for seed in range(2 * DRAWS)]
    held = [check.met for verdict in found for check in verdict.checks if check.name == "delivered model"]
    assert np.mean(held) >= 0.5
    assert sum(verdict.outcome == "PASS" for verdict in found) <= 0.05 * 2 * DRAWS


def test_a_delivered_model_without_its_original_is_no_pass() -> None:
    scores = next(s for s in map(lambda seed: simulated(seed=seed), range(9)) if decide(s).outcome == "PASS")
    verdict = decide(without(scores, teacher=None))
    assert verdict.outcome == "INCONCLUSIVE" and "delivered model: pattern: not taken" in verdict.reason


@pytest.mark.parametrize(("kept", "outcome"), [(1.0, "FAIL-under"), (-1.0, "FAIL-over")])
def test_the_original_and_its_contrary_fail(kept: float, outcome: str) -> None:
    found = rates(kept=kept)
    assert found["PASS"] == 0 and found[outcome] >= 0.9 * DRAWS


@pytest.mark.parametrize("kept", [0.5, -0.5])
def test_half_way_on_either_side_does_not_pass(kept: float) -> None:
    assert rates(kept=kept)["PASS"] <= 0.05 * DRAWS


def test_equal_means_with_another_pattern_do_not_pass_and_the_pattern_is_named() -> None:
    found = [decide(simulated(seed=seed, other_pattern=0.6)) for seed in range(DRAWS)]
    assert not any(verdict.outcome == "PASS" for verdict in found)
    assert sum("pattern" in verdict.reason for verdict in found) >= 0.7 * DRAWS


def test_equal_scores_with_other_answers_do_not_pass_and_the_answers_are_named() -> None:
    """Drawn to the other side of what the image shows: no image's score tells, what is said of it does."""
    found = [decide(simulated(seed=seed, other_answers=0.65)) for seed in range(DRAWS)]
    assert not any(verdict.outcome == "PASS" for verdict in found)
    assert sum("pattern of answers" in verdict.reason for verdict in found) >= 0.9 * DRAWS
    assert rates(other_answers=0.3, pairs=12)["PASS"] >= 0.7 * DRAWS


def test_answers_that_were_not_taken_or_are_no_numbers_are_no_pass() -> None:
    scores = next(s for s in map(lambda seed: simulated(seed=seed), range(9)) if decide(s).outcome == "PASS")
    first, *others = scores.models["retrained"]
    verdict = decide(without(scores, retrained=[replace(first, answers=None), *others]))
    assert verdict.outcome == "INCONCLUSIVE" and "pattern of answers: not taken of every model" in verdict.reason
    assert verdict.evidence["pattern_of_answers"] is None
    assert first.answers is not None
    short = replace(first, answers=first.answers[:, 1:])
    assert decide(without(scores, retrained=[short, *others])).outcome == "INCONCLUSIVE"
    with pytest.raises(ValueError, match="retrained: an answer is not a finite number"):
        without(scores, retrained=[replace(first, answers=np.full_like(first.answers, np.nan)), *others])


def test_a_delivered_model_that_strays_is_stopped_though_the_procedure_is_sound() -> None:
    found = [decide(simulated(seed=seed, delivered_kept=1.5)) for seed in range(DRAWS)]
    assert not any(verdict.outcome == "PASS" for verdict in found)
    assert sum("delivered model" in verdict.reason for verdict in found) >= 0.7 * DRAWS


def test_without_a_gap_there_is_nothing_to_pass() -> None:
    found = rates(kept=0.0, gap=0.0, effect=50.0)
    assert found["PASS"] == 0 and found["NO-MEASURABLE-INFLUENCE"] >= 0.9 * DRAWS
    wide = rates(kept=0.0, gap=0.0, effect=1.0)
    assert wide["PASS"] == wide["NO-MEASURABLE-INFLUENCE"] == 0


def test_what_needs_more_pairs_says_how_many() -> None:
    found = [decide(simulated(seed=seed, pairs=4, effect=4.0, rho=0.0), budget=12) for seed in range(20)]
    told = [verdict for verdict in found if "above the budget of 12" in verdict.reason]
    assert told and all(verdict.outcome == "INCONCLUSIVE" for verdict in told)
    assert all(verdict.evidence["pairs_needed"] > 12 for verdict in told)


def test_all_that_is_asked_besides_must_hold() -> None:
    scores = next(s for s in map(lambda seed: simulated(seed=seed), range(9)) if decide(s).outcome == "PASS")
    assert decide(scores, checks=[Check("clinical", True, "x")]).outcome == "PASS"
    for met in (False, None):
        verdict = decide(scores, checks=[Check("clinical", met, "not shown")])
        assert verdict.outcome == "INCONCLUSIVE" and "clinical: not shown" in verdict.reason
    verdict = decide(scores, exchangeable=Check("exchangeable", False, "other epochs"))
    assert verdict.outcome == "INCONCLUSIVE" and "other epochs" in verdict.reason


def without(scores: RequestScores, **changes) -> RequestScores:
    parts = {
        "patients": scores.patients.tolist(),
        "validation_patients": scores.validation_patients.tolist(),
        "delivered": scores.delivered,
        "teacher": scores.teacher,
        **scores.models,
        **changes,
    }
    return RequestScores(**parts)


def test_too_few_pairs_or_a_missing_reference_is_inconclusive() -> None:
    scores = simulated(seed=0)
    three = without(scores, **{name: models[:3] for name, models in scores.models.items()})
    assert decide(three).outcome == "INCONCLUSIVE" and "3 are too few" in decide(three).reason
    missing = without(scores, retrained=scores.models["retrained"][:-1])
    assert decide(missing).outcome == "INCONCLUSIVE" and "one of each a pair" in decide(missing).reason


def test_copies_in_place_of_models_are_inconclusive() -> None:
    """A pool whose models are one and the same has no spread to judge by."""
    scores = simulated(seed=0)
    same = without(scores, **{name: models[:1] * 8 for name, models in scores.models.items()})
    assert decide(same).outcome == "INCONCLUSIVE"


def test_exchanged_models_never_pass() -> None:
    """Retrained models handed in as originals: the gap has the wrong sign."""
    for seed in range(20):
        scores = simulated(seed=seed)
        swapped = without(scores, original=scores.models["retrained"], retrained=scores.models["original"])
        assert decide(swapped).outcome in ("INCONCLUSIVE", "FAIL-over", "FAIL-under")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["original", "unlearned", "retrained", "delivered"])
def test_a_score_that_is_no_number_is_refused(name: str, value: float) -> None:
    scores = simulated(seed=0)
    models = [scores.delivered] if name == "delivered" else list(scores.models[name])
    forget = models[0].forget.copy()
    forget[3] = value
    models[0] = replace(models[0], forget=forget)
    with pytest.raises(ValueError, match=f"{name}: a score is not a finite number"):
        without(scores, **{name: models[0] if name == "delivered" else models})


def test_scores_of_other_images_are_refused() -> None:
    scores = simulated(seed=0)
    short = ModelScores.of(scores.models["original"][0].forget[:-1], scores.models["original"][0].validation)
    with pytest.raises(ValueError, match="15,. forget scores for 16 images"):
        without(scores, original=[short, *scores.models["original"][1:]])
    with pytest.raises(ValueError, match="validation: no images"):
        without(scores, validation_patients=[])


def test_without_pairs_there_is_no_pass() -> None:
    outcomes = Counter(interval_verdict(simulated(seed=seed)).outcome for seed in range(DRAWS))
    assert outcomes["PASS"] == 0 and outcomes["INCONCLUSIVE"] >= 0.95 * DRAWS
    for kept, outcome in ((1.5, "FAIL-under"), (-1.5, "FAIL-over")):
        found = [interval_verdict(simulated(seed=seed, delivered_kept=kept)).outcome for seed in range(DRAWS)]
        assert found.count(outcome) >= 0.8 * DRAWS and set(found) <= {outcome, "INCONCLUSIVE"}
    assert interval_verdict(simulated(seed=0, pairs=4)).outcome == "INCONCLUSIVE"


def test_evidence_is_json_and_every_outcome_has_its_exit_code() -> None:
    verdict = decide(simulated(seed=3))
    json.dumps(verdict.evidence, allow_nan=False)
    assert verdict.evidence["claims"] == "4 patients, each judged by itself"
    codes = {name: Verdict(name, "").exit_code for name in ("PASS", "FAIL-under", "FAIL-over", "INCONCLUSIVE")}
    assert codes == {"PASS": 0, "FAIL-under": 3, "FAIL-over": 3, "INCONCLUSIVE": 4}
    assert Verdict("NO-MEASURABLE-INFLUENCE", "").exit_code == errors.NO_INFLUENCE == 5


def test_correction_takes_the_calibration_of_a_seed_out() -> None:
    scores = simulated(seed=0)
    raw, corrected = scores.means("retrained", corrected=False), scores.means("retrained")
    assert raw.std() > 3 * corrected.std()
    assert np.allclose(corrected, scores.images("retrained").reshape(8, 4, 4).mean(2).mean(1))
