"""Decisions on one request: expectations of departure and of the kept part."""

from __future__ import annotations

import numpy as np
import pytest
from scripts.verify.decisions import decided

IMAGES, CELLS, MEMBERS, SPREAD = 4, 64, 3, 0.05


def drawn(rng: np.random.Generator, kept: float) -> dict[str, np.ndarray]:
    base = rng.random((IMAGES, CELLS))
    memory = 0.2 * rng.standard_normal((IMAGES, CELLS))

    def noise(*shape: int) -> np.ndarray:
        return SPREAD * rng.standard_normal((*shape, IMAGES, CELLS))

    return {
        "unlearned": base + kept * memory + noise(),
        "teacher": base + memory + noise(),
        "members": base + noise(MEMBERS),
    }


@pytest.mark.parametrize("kept", [0.0, 0.5, 1.0, -0.3])
def test_noise_is_taken_off(kept: float) -> None:
    rng = np.random.default_rng(0)
    found = [decided(**drawn(rng, kept)) for _ in range(100)]
    own = CELLS * SPREAD**2
    assert np.mean([one.unlearned for one in found]) == pytest.approx(kept**2 * CELLS * 0.04 + own, rel=0.06)
    assert np.mean([one.members for one in found]) == pytest.approx(own, rel=0.03)
    part = CELLS * 0.04 / (CELLS * 0.04 + own)  # the teacher's own noise is of its departure
    assert np.mean([one.kept for one in found]) == pytest.approx(kept * part, abs=0.02)
    assert np.mean([value for one in found for value in one.kept_members]) == pytest.approx(0, abs=0.02)


def test_where_the_teacher_does_not_depart_no_part_is_kept() -> None:
    given = drawn(np.random.default_rng(1), 0.0)
    found = decided(**{**given, "teacher": given["members"].mean(0)})
    assert found.kept is None


def test_refusals() -> None:
    given = drawn(np.random.default_rng(2), 0.0)
    for changes, message in (
        ({"teacher": given["teacher"][1:]}, "shapes"),
        ({"members": given["members"][:1]}, "1 are too few"),
        ({"unlearned": np.full((IMAGES, CELLS), np.nan)}, "not a finite number"),
    ):
        with pytest.raises(ValueError, match=message):
            decided(**{**given, **changes})
