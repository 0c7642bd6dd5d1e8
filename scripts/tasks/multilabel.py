"""Multi-label segmentation: structures that may overlap, each judged independently."""

from __future__ import annotations

import torch
from scripts.tasks.sigmoid_masks import SigmoidMasks


class MultilabelSegmentation(SigmoidMasks):
    """Logits (N, S, ...), label (N, S, ...) in {0, 1}."""

    name = "multilabel_segmentation"

    def problem(self, logits: torch.Tensor) -> str:
        if logits.ndim >= 4:
            return ""
        return f"{self.name} needs logits (N, S, H, W[, D]), one for each structure; got {tuple(logits.shape)}"

    def outputs(self, classes: int) -> int:
        return classes

    def classes(self, outputs: int) -> int:
        return outputs
