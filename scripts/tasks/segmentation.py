"""Binary segmentation: one structure against background, by the sign of one logit a pixel."""

from __future__ import annotations

import torch
from scripts.tasks.sigmoid_masks import SigmoidMasks


class Segmentation(SigmoidMasks):
    """Logits (N, 1, ...), label (N, 1, ...) in {0, 1}."""

    name = "segmentation"

    def outputs(self, classes: int) -> int:
        return 1

    def classes(self, outputs: int) -> int:
        return 1

    def problem(self, logits: torch.Tensor) -> str:
        if logits.ndim >= 4 and logits.shape[1] == 1:
            return ""
        return (
            f"segmentation needs logits (N, 1, H, W[, D]), one structure against background; got {tuple(logits.shape)}"
        )
