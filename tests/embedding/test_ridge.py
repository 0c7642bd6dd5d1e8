"""A sample is out of the head as if it had never been in it."""

from __future__ import annotations

import pytest
import torch
from scripts.embedding.ridge import RidgeHead


def samples(count: int, width: int = 40, *, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    # Of very different sizes, as features behind a ReLU are.
    scale = torch.logspace(-2, 2, width)
    return scale * torch.randn(count, width, generator=generator).relu(), torch.arange(count) % 3


@pytest.mark.parametrize("ridge", [1e-3, 1.0, 100.0])
def test_deletion_equals_a_refit(ridge: float) -> None:
    features, labels = samples(200)
    head = RidgeHead.fit(features, labels, classes=3, ridge=ridge)
    for place in range(0, 150, 5):  # one request after another
        head.remove(features[place : place + 5], labels[place : place + 5])
    again = RidgeHead.fit(features[150:], labels[150:], classes=3, ridge=ridge)
    assert head.count == again.count == 50
    assert torch.allclose(head.weight, again.weight, rtol=0, atol=1e-6)


def test_the_head_is_the_ridge_solution() -> None:
    features, labels = samples(60, 5)
    head = RidgeHead.fit(features, labels, classes=3, ridge=2.0)
    x = torch.cat([features.double(), torch.ones(60, 1, dtype=torch.float64)], 1)
    y = torch.nn.functional.one_hot(labels, 3).double()
    root = 2.0**0.5 * torch.eye(6, dtype=torch.float64)
    # The same as least squares with the penalty as further rows.
    expected = torch.linalg.lstsq(torch.cat([x, root]), torch.cat([y, torch.zeros(6, 3, dtype=torch.float64)])).solution
    assert torch.allclose(head.weight, expected, atol=1e-10)
    assert torch.allclose(head.scores(features), x @ expected, atol=1e-9)


def test_all_samples_can_go_and_no_more() -> None:
    features, labels = samples(4, 6)
    head = RidgeHead.fit(features, labels, classes=3, ridge=1.0)
    head.remove(features, labels)
    assert head.count == 0 and torch.allclose(head.weight, torch.zeros(7, 3, dtype=torch.float64), atol=1e-9)
    with pytest.raises(ValueError, match="1 samples cannot be taken out of 0"):
        head.remove(features[:1], labels[:1])
