"""Fine-tuning as an attack, beside a plain loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from scripts.attacks.finetuning import FineTuned
from scripts.engines.arithmetic import Arithmetic
from torch import nn
from torch.nn import functional

BATCHES = [
    {"image": torch.randn(4, 3, generator=torch.Generator().manual_seed(seed)), "label": torch.tensor([0, 1, 1, 0])}
    for seed in range(3)
]


def tiny() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2)).eval()


def tuned(**settings: Any) -> FineTuned:
    return FineTuned(
        **{"batches": BATCHES, "task": "classification", "arithmetic": Arithmetic(device="cpu")} | settings
    )


def plainly(steps: int, make: Callable[[Any], torch.optim.Optimizer]) -> nn.Module:
    """The same steps without anything of the package."""
    network = tiny()
    optimizer = make(network.parameters())
    for step in range(steps):
        batch = BATCHES[step % 3]
        optimizer.zero_grad()
        functional.cross_entropy(network(batch["image"]), batch["label"]).backward()
        optimizer.step()
    return network


@pytest.mark.parametrize(
    ("settings", "make"),
    [
        ({}, lambda weights: torch.optim.AdamW(weights, lr=1e-3)),
        ({"learning_rate": 3e-2}, lambda weights: torch.optim.AdamW(weights, lr=3e-2)),
        (
            {"learning_rate": 1e-2, "optimizer": "sgd"},
            lambda weights: torch.optim.SGD(weights, lr=1e-2, momentum=0.9),
        ),
    ],
)
def test_the_steps_are_those_of_a_plain_loop(settings: dict[str, Any], make: Callable[[Any], Any]) -> None:
    found, expected = tuned(steps=7, **settings)(tiny()), plainly(7, make)
    for own, other in zip(found.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(own, other)
    assert torch.equal(found[1].running_mean, torch.zeros(5)) and int(found[1].num_batches_tracked) == 0


def test_looks_on_the_way_are_shorter_courses() -> None:
    seen = [
        {name: value.clone() for name, value in changed.state_dict().items()}
        for changed in tuned(steps=9).course(tiny(), [0, 2, 9])
    ]
    for steps, found in zip((0, 2, 9), seen, strict=True):
        alone = tuned(steps=steps)(tiny()).state_dict()
        assert all(torch.equal(alone[name], value) for name, value in found.items())


def test_an_unknown_optimiser_is_refused() -> None:
    with pytest.raises(ValueError, match="optimizer: 'lion' is not one of adamw, sgd"):
        tuned(steps=1, optimizer="lion")
