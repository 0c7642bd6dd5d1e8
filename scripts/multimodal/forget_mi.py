"""Forget-MI (arXiv 2506.23145) in bounded form: embeddings of forgotten subjects leave the original's, and no further.

    L = U_image + U_report + U_joint + 2 (R_image + R_report) + 2 R_joint
    U = mean of max(0, bound - |e - e_T|) on forget pairs,   R = mean |e - e_T| on retain pairs

`bound` is the original's median distance between two subjects of one class: so far is a pair from what the original
makes of somebody else. The published form has no bound and over-forgets.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from scripts.multimodal.fusion import Embedded, LateFusion
from scripts.multimodal.pairs import Pairs
from torch.nn import functional

PARTS = ("image", "report", "joint")
FORGET, RETAIN = 1.0, 2.0  # weights of the four published losses: 1, 1, 2, 2
LEARNING_RATE, BATCH = 1e-3, 32


def trained(pairs: Pairs, *, seed: int, steps: int, model: LateFusion) -> LateFusion:
    """Ordinary training from the model as it stands: cross-entropy, AdamW."""

    def loss(own: LateFusion, generator: torch.Generator) -> torch.Tensor:
        chosen = _drawn(pairs, generator)
        return functional.cross_entropy(own(chosen.images, chosen.reports), chosen.labels)

    return _stepped(model, loss, steps=steps, seed=seed)


def forgotten(
    original: LateFusion, *, forget: Pairs, retain: Pairs, seed: int, steps: int, bounded: bool = True
) -> LateFusion:
    """A copy of the original that forgets subjects; without a bound as published."""
    bounds = {part: bound(original, retain, part) if bounded else None for part in PARTS}
    with torch.no_grad():
        left = original.embed(forget.images, forget.reports)

    def loss(own: LateFusion, generator: torch.Generator) -> torch.Tensor:
        kept = _drawn(retain, generator)
        with torch.no_grad():
            held = original.embed(kept.images, kept.reports)
        away, near = own.embed(forget.images, forget.reports), own.embed(kept.images, kept.reports)
        total = torch.zeros(())
        for part in PARTS:
            total = total + FORGET * leaving(away, left, part, bounds[part]) + RETAIN * _apart(near, held, part).mean()
        return total

    return _stepped(original, loss, steps=steps, seed=seed)


def leaving(student: Embedded, original: Embedded, part: str, limit: float | None) -> torch.Tensor:
    """max(0, limit - distance), mean over pairs; without a limit minus the distance, which has no end."""
    apart = _apart(student, original, part)
    return -apart.mean() if limit is None else (limit - apart).clamp_min(0).mean()


@torch.no_grad()
def bound(model: LateFusion, pairs: Pairs, part: str) -> float:
    """Median distance of embeddings of different subjects that carry one class."""
    found = getattr(model.embed(pairs.images, pairs.reports), part)
    apart = torch.cdist(found, found)
    same = (pairs.labels[:, None] == pairs.labels) & (pairs.subjects[:, None] != pairs.subjects)
    return float(apart[same].median())


def _apart(one: Embedded, other: Embedded, part: str) -> torch.Tensor:
    # The smallest amount keeps the gradient where both are the same.
    return (getattr(one, part) - getattr(other, part)).square().sum(1).add(1e-8).sqrt()


def _drawn(pairs: Pairs, generator: torch.Generator) -> Pairs:
    own = torch.randint(len(pairs), (BATCH,), generator=generator)
    return Pairs(pairs.images[own], pairs.reports[own], pairs.labels[own], pairs.truth[own], pairs.subjects[own])


def _stepped(
    model: LateFusion, loss: Callable[[LateFusion, torch.Generator], torch.Tensor], *, steps: int, seed: int
) -> LateFusion:
    own, generator = copy.deepcopy(model), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(own.parameters(), LEARNING_RATE)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(own, generator).backward()
        optimizer.step()
    return own.eval()
