"""The state of the best validation."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from scripts.engines.handlers import KeepBest
from torch import nn


def validated(best: KeepBest, network: nn.Linear, metrics: list[float]) -> None:
    """After each validation the weight is the epoch's number."""
    for epoch, metric in enumerate(metrics, start=1):
        with torch.no_grad():
            network.weight.fill_(epoch)
        best(SimpleNamespace(state=SimpleNamespace(metrics={"m": metric}, key_metric_name="m", epoch=epoch)))


@pytest.mark.parametrize(("metrics", "epoch"), [([0.1, 0.5, 0.4], 2), ([0.5, 0.5], 1), ([0.2, float("nan")], 1)])
def test_best(metrics: list[float], epoch: int) -> None:
    network = nn.Linear(1, 1)
    best = KeepBest(network=network)
    validated(best, network, metrics)
    assert best.chosen()["weight"].item() == epoch
    assert best.summary() == {"epoch": epoch, "selection": metrics[epoch - 1]}


def test_last_takes_the_weights_of_the_end_and_still_names_the_best_epoch() -> None:
    network = nn.Linear(1, 1)
    best = KeepBest(network=network, select="last")
    validated(best, network, [0.5, 0.1])
    assert best.chosen()["weight"].item() == 2 and best.summary()["epoch"] == 1 and best.state == {}


def test_without_validation_the_weights_are_those_of_the_end() -> None:
    network = nn.Linear(1, 1)
    best = KeepBest(network=network)
    assert best.summary() == {} and torch.equal(best.chosen()["weight"], network.weight)


def test_state_round_trip() -> None:
    network = nn.Linear(1, 1)
    best, other = KeepBest(network=network), KeepBest(network=network)
    validated(best, network, [0.5, 0.1])
    other.load_state_dict(best.state_dict())
    assert other.summary() == best.summary() and other.chosen()["weight"].item() == 1
