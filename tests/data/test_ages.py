"""Ages in years from the forms in which they are written."""

from __future__ import annotations

import pytest
from scripts.data.ages import plain_age, years


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("045Y", 45), ("45y", 45), ("540M", 45), ("026W", 0.498), ("003D", 0.0082), ("45", 45), (45, 45), (44.5, 44.5),
        ("85+", None), ("unknown", None), ("", None), (None, None), (True, None), (-1, None), ("999", None),
        ("nan", None), ("inf", None), ([45], None), ("0450Y", None),
    ],
)  # fmt: skip
def test_years(value, expected):
    assert years(value) == (expected if expected is None else pytest.approx(expected, rel=1e-2))


def test_plain_numbers_stay_as_they_are_written():
    assert plain_age("80") == "80" and plain_age(80) == 80 and plain_age("540M") == 45.0 and plain_age("x") is None
