"""The three rules over mock requests: by hand, and their rates on scores of known truth."""

from __future__ import annotations

import numpy as np
import pytest
from scripts.verify.mock_requests import Departures, deviations, judge_procedure

DRAWS = 100


def scores(
    rng: np.random.Generator, kept: float | np.ndarray, *, effect: float = 6.0, requests: int = 36, members: int = 3
) -> dict[str, np.ndarray]:
    """Arguments of `judge_procedure`: a gap of one nat on the mean, log-normal over patients; effect is gap / sigma."""
    influence = np.exp(0.5 * rng.standard_normal(requests) - 0.125)
    base = rng.standard_normal(requests)  # what any model knows of a patient

    def noise(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape) / effect

    return {
        "teacher": base + influence + noise(requests),
        "unlearned": base + kept * influence + noise(requests),
        "members": base[:, None] + noise(requests, members),
    }


def qualified(kept: float | np.ndarray, **how) -> float:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(DRAWS):
        given = scores(rng, kept, **how)
        said = Departures.of(**given)
        found.append(judge_procedure(**given, answers=said).qualified())
    return float(np.mean(found))


def test_a_procedure_that_forgets_is_qualified_and_one_that_keeps_is_not() -> None:
    assert qualified(0.0) >= 0.95
    for kept in (0.5, 1.0, -0.6):
        assert qualified(kept) == 0


def test_what_a_mean_does_not_see() -> None:
    """A tenth of the mock requests is not forgotten at all: the mean is within the margin."""
    skipped = np.zeros(36)
    skipped[:4] = 1
    rng = np.random.default_rng(1)
    means = np.mean([judge_procedure(**scores(rng, skipped)).means.equivalent() for _ in range(DRAWS)])
    assert means >= 0.5
    assert qualified(skipped) <= 0.2


def test_rules_by_hand() -> None:
    given = scores(np.random.default_rng(2), 0.2)
    u, t, r = given["unlearned"], given["teacher"], given["members"]
    centre, variance = r.mean(1), r.var(1, ddof=1)

    def departure(model: np.ndarray) -> float:
        return float(np.mean((model - centre) ** 2 - variance / 3))

    found = judge_procedure(**given)
    expected = (departure(u) - variance.mean()) / (departure(t) - variance.mean())
    assert found.scores.value == pytest.approx(expected) and found.scores.upper > found.scores.value
    assert found.answers is None and not found.qualified()
    z = deviations(u, r)
    assert z[0] == pytest.approx((u[0] - centre[0]) / np.sqrt(variance.mean() * 4 / 3))
    assert found.means.forgotten_fraction == pytest.approx((t - u).mean() / (t - centre).mean())


def test_the_rate_and_its_bound() -> None:
    """59 without one beyond show at most 5 %; one member is beyond in one of a hundred."""
    found = judge_procedure(**scores(np.random.default_rng(3), 0.0, requests=59)).rate
    assert found.requests == 59 and found.allowed == 3
    none = [
        rate
        for rate in (judge_procedure(**scores(np.random.default_rng(s), 0.0, requests=59)).rate for s in range(40))
        if rate.count == 0
    ]
    assert none and none[0].bound == pytest.approx(1 - 0.05 ** (1 / 59)) and none[0].bound <= 0.05
    rng = np.random.default_rng(4)
    beyond = np.mean([judge_procedure(**scores(rng, 0.0)).rate.count / 36 for _ in range(200)])
    assert beyond == pytest.approx(0.01, abs=0.005)


def test_without_a_gap_nothing_is_qualified() -> None:
    rng = np.random.default_rng(5)
    given = scores(rng, 0.0)
    given["teacher"] = given["unlearned"].copy()
    assert not judge_procedure(**given, answers=Departures.of(**given)).qualified()


def test_refusals() -> None:
    given = scores(np.random.default_rng(6), 0.0)
    few = Departures.of(**scores(np.random.default_rng(7), 0.0, requests=20))
    for changes, message in (
        ({"teacher": given["teacher"][1:]}, "one of each a mock request"),
        ({name: values[:15] for name, values in given.items()}, "15 are too few; at least 16"),
        ({"members": given["members"][:, :1]}, "1 of each fold are too few; at least 2"),
        ({"unlearned": np.full(36, np.nan)}, "not a finite number"),
        ({"answers": few}, "of 20 mock requests, scores of 36"),
    ):
        with pytest.raises(ValueError, match=message):
            judge_procedure(**{**given, **changes})
