"""How far a student's answer on an image is from the teacher's."""

from __future__ import annotations

import torch

LEAST = 0.005  # of the image: a structure of a few pixels must not make its image the only one drawn


@torch.no_grad()
def departure(logits: torch.Tensor, teacher_logits: torch.Tensor) -> torch.Tensor:
    """Segmentation (N, 1, ...): sum |p - p_T| / max(sum p_T, 0.5 % of the pixels). Classification (N, C):
    total variation, sum |p - p_T| / 2. Returns (N,) on the CPU.
    """
    if logits.ndim == 2:
        return (logits.softmax(1) - teacher_logits.softmax(1)).abs().sum(1).div(2).cpu()
    student, teacher = logits.sigmoid().flatten(1), teacher_logits.sigmoid().flatten(1)
    return ((student - teacher).abs().sum(1) / teacher.sum(1).clamp(min=LEAST * teacher.shape[1])).cpu()
