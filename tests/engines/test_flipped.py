"""Flips are turned back before answers are averaged, and every flip counts once."""

from __future__ import annotations

import pytest
import torch
from scripts.engines.flipped import Flipped, asked
from scripts.tasks import build_task
from torch import nn


class Corner(nn.Module):
    """One pixel's intensity, which a flip moves, as a class; or a mask that leans to one corner."""

    def __init__(self, *, masks: bool) -> None:
        super().__init__()
        self.masks = masks

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if not self.masks:
            found = image[(slice(None), 0, *[0] * (image.ndim - 2))]
            return torch.stack([found, -found], 1)
        lean = torch.zeros_like(image)
        lean[(slice(None), slice(None), *[0] * (image.ndim - 2))] = 4
        return image + lean


@pytest.mark.parametrize("dims", [2, 3])
def test_a_class_is_the_mean_over_all_corners(dims: int) -> None:
    task = build_task("classification")
    image = torch.randn(3, 1, *[2] * dims)
    found = task.activate(Flipped(Corner(masks=False), task=task)(image))
    corners = image.flatten(1).flatten()
    each = task.activate(torch.stack([corners, -corners], 1)).reshape(3, 2**dims, 2)
    assert torch.allclose(found, each.mean(1), atol=1e-6)


@pytest.mark.parametrize("dims", [2, 3])
def test_masks_are_turned_back(dims: int) -> None:
    task = build_task("segmentation")
    image = torch.randn(2, 1, *[2] * dims)
    found = task.activate(Flipped(Corner(masks=True), task=task)(image))
    # In one of 2^d views a pixel is the corner.
    share = 1 / 2**dims
    wanted = share * task.activate(image + 4) + (1 - share) * task.activate(image)
    assert torch.allclose(found, wanted, atol=1e-5)


def test_none_is_the_network_itself() -> None:
    network = nn.Identity()
    assert asked(network, "none", task=build_task("segmentation")) is network
