"""A network asked about an image and its mirror images: the usual test-time augmentation."""

from __future__ import annotations

from itertools import combinations

import torch
from scripts.tasks import Task
from torch import nn

FLIPS = "flips"  # the word of the setting test_augment


class Flipped(nn.Module):
    """Logit of the mean probability over an image flipped along every set of its spatial axes, turned back.

    2^d forward passes for d spatial axes. Answers that are images are flipped back, classes need not be.
    """

    def __init__(self, network: nn.Module, *, task: Task) -> None:
        super().__init__()
        self.network, self.task = network, task

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        spatial = range(2, image.ndim)
        views = [axes for count in range(image.ndim - 1) for axes in combinations(spatial, count)]
        found = []
        for axes in views:
            answer = self.network(image.flip(axes) if axes else image).float()
            found.append(answer.flip(axes) if axes and self.task.masks else answer)
        return self.task.mean_of(torch.stack(found))


def asked(network: nn.Module, test_augment: str, *, task: Task) -> nn.Module:
    """The network, on its device, as it is to be asked: as it is, or about flips too."""
    return Flipped(network, task=task) if test_augment == FLIPS else network
