"""A late-fusion classifier: an embedding of the picture, one of the report, and a layer on both."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

WIDTH = 32  # of each embedding


@dataclass(frozen=True)
class Embedded:
    """Of N pairs: picture (N, 32), report (N, 32), both together (N, 32), and logits (N, C)."""

    image: torch.Tensor
    report: torch.Tensor
    joint: torch.Tensor
    logits: torch.Tensor


class LateFusion(nn.Module):
    """Two encoders that do not see each other, and a head.

    Args:
        words: size of the vocabulary.
        classes: of the answer.
    """

    def __init__(self, *, words: int, classes: int) -> None:
        super().__init__()
        self.image = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, 2, 1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(3),
            nn.Flatten(),
            nn.Linear(288, WIDTH),
        )
        self.report = nn.Sequential(nn.EmbeddingBag(words, WIDTH, mode="mean"), nn.ReLU(), nn.Linear(WIDTH, WIDTH))
        self.joint = nn.Sequential(nn.Linear(2 * WIDTH, WIDTH), nn.ReLU())
        self.head = nn.Linear(WIDTH, classes)

    def embed(self, images: torch.Tensor, reports: torch.Tensor) -> Embedded:
        """Embeddings and logits of pairs."""
        image, report = self.image(images), self.report(reports)
        joint = self.joint(torch.cat([image, report], 1).relu())
        return Embedded(image, report, joint, self.head(joint))

    def forward(self, images: torch.Tensor, reports: torch.Tensor) -> torch.Tensor:
        return self.embed(images, reports).logits
