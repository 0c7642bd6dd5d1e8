from __future__ import annotations

import numpy as np
import pytest
from scripts.verify.multiplicity import holm


def test_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])
    assert holm([0.2]) == pytest.approx([0.2])


def test_rejections_are_those_of_the_step_down_procedure() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        p = rng.uniform(size=6) ** 3
        order, rejected = np.argsort(p), np.zeros(6, dtype=bool)
        for rank, position in enumerate(order):
            if p[position] > 0.05 / (6 - rank):
                break
            rejected[position] = True
        assert np.array_equal(holm(p) <= 0.05, rejected)


@pytest.mark.parametrize("p", [[], [0.5, 1.1], [-0.1], [float("nan")], [[0.1]]])
def test_bad_input(p: list) -> None:
    with pytest.raises(ValueError, match="p-values"):
        holm(p)
