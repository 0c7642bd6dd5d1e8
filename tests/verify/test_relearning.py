"""Steps to a level: by hand, and known truth."""

from __future__ import annotations

import numpy as np
import pytest
from scripts.verify.relearning import relearned, steps_to


@pytest.mark.parametrize(("level", "steps"), [(-1.0, 0.0), (0.5, 5.0), (1.0, 10.0), (1.5, 15.0), (9.0, 20.0)])
def test_steps_to_a_level(level: float, steps: float) -> None:
    assert steps_to(level, [0, 10, 20], [0.0, 1.0, 2.0]) == steps


def test_what_was_left_comes_back_sooner() -> None:
    rng = np.random.default_rng(0)
    steps = [0, 5, 10, 15, 20]
    slow = np.linspace(0, 1, 5) + 0.02 * rng.standard_normal((6, 5))
    fast = np.minimum(2 * np.linspace(0, 1, 5), 1) + 0.02 * rng.standard_normal((6, 5))
    found = relearned(steps=steps, original=np.ones(6), curves={"unlearned": fast, "retrained": slow})
    assert found.level == pytest.approx(0.5, abs=0.02)
    assert (found.unlearned, found.retrained) == pytest.approx((5, 10), abs=0.5)
    assert found.interval is not None and found.interval[1] < 0
    same = relearned(steps=steps, original=np.ones(6), curves={"unlearned": slow, "retrained": slow})
    assert same.difference == 0 and same.interval is None


def test_refusals() -> None:
    curves = {"unlearned": np.zeros((4, 3)), "retrained": np.zeros((4, 3))}
    with pytest.raises(ValueError, match="for 4 originals and 2 looks"):
        relearned(steps=[0, 1], original=np.ones(4), curves=curves)
    with pytest.raises(ValueError, match="not a finite number"):
        relearned(steps=[0, 1, 2], original=[1, 1, np.nan, 1], curves=curves)
