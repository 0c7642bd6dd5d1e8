from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scripts.verify.screen import _prior, patient_screen


def drawn(seed: int, *, patients: int = 10, references: int = 6, prior: float = 8.0) -> tuple[np.ndarray, np.ndarray]:
    """A further retrained model and K of them; variances of patients from a scaled inverse chi-square."""
    rng = np.random.default_rng(seed)
    deviations = np.sqrt(prior / rng.chisquare(prior, size=patients))
    return rng.normal(size=patients) * deviations, rng.normal(size=(references, patients)) * deviations


def test_one_patient_gives_the_plain_t() -> None:
    u, r = drawn(0, patients=1)
    found = patient_screen(delivered=u, retrained=r)
    t = (u[0] - r.mean()) / (r.std(ddof=1) * np.sqrt(1 + 1 / 6))
    assert found.t[0] == pytest.approx(t) and found.degrees == 5
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(t), 5))


def test_the_prior_weighs_at_most_as_much_as_the_references() -> None:
    base = np.array([-1.0, 0.0, 1.0])[:, None] * np.ones((3, 4))
    found = patient_screen(delivered=np.full(4, 0.5), retrained=base)
    assert found.degrees == 4 and np.allclose(found.t, found.t[0])


def test_prior_is_recovered() -> None:
    """Many patients with variances s0^2 d0 / chi2(d0): the moments give d0 and s0^2 back."""
    rng = np.random.default_rng(1)
    true = 2.0 * 8 / rng.chisquare(8, size=20000)
    sampled = true * rng.chisquare(5, size=20000) / 5
    prior, common = _prior(sampled, 5)
    assert prior == pytest.approx(8, rel=0.1) and common == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize("prior", [4.0, 8.0])
def test_size(prior: float) -> None:
    """One more retrained model is rejected at 1 % in about 1 % of cases: 2,000 draws, three standard errors."""
    pairs = (drawn(seed, prior=prior) for seed in range(2000))
    rejected = np.mean([patient_screen(delivered=u, retrained=r).rejects() for u, r in pairs])
    assert rejected <= 0.01 + 3 * np.sqrt(0.01 * 0.99 / 2000)


@pytest.mark.parametrize("sign", [-1, 1])
def test_one_patient_who_stands_out_is_found(sign: int) -> None:
    u, r = drawn(2)
    u[3] += sign * 30
    found = patient_screen(delivered=u, retrained=r)
    assert found.rejects() and np.argmax(np.abs(found.t)) == 3 and np.sign(found.t[3]) == sign


@pytest.mark.parametrize(
    ("u", "r", "message"),
    [
        (np.zeros(3), np.zeros((4, 2)), "shapes"),
        (np.zeros(2), np.zeros((1, 2)), "too few"),
        (np.array([0.0, np.nan]), np.random.default_rng(0).normal(size=(4, 2)), "finite"),
        (np.zeros(2), np.ones((4, 2)), "agree"),
    ],
)
def test_bad_input(u: np.ndarray, r: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        patient_screen(delivered=u, retrained=r)
