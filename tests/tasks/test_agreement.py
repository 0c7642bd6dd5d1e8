"""Agreement of decisions: by hand."""

from __future__ import annotations

import pytest
import torch
from scripts.tasks import build_task


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1, 1, 0, 0], [1, 0, 0, 0], 2 / 3),
        ([1, 1], [1, 1], 1.0),
        ([0, 0], [0, 0], 1.0),
        ([0, 1], [1, 0], 0.0),
        (2, 2, 1.0),
        (2, 1, 0.0),
    ],
)
def test_masks_and_classes(one: object, other: object, expected: float) -> None:
    agreement = build_task("segmentation").agreement
    assert agreement(torch.tensor(one), torch.tensor(other)) == pytest.approx(expected)
    assert agreement(torch.tensor(one).float(), torch.tensor(other).float()) == pytest.approx(expected)
