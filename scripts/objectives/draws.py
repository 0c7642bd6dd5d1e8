"""Generators of random targets: what an image's target is depends on no device and no order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import torch
from scripts.errors import InputError
from scripts.objectives.base import ForgetBatch


def generators(batch: ForgetBatch, *, count: int, seed: int) -> list[torch.Generator]:
    """One generator an image: fixed by (seed, sample_index) where the batch has indices, else the batch's own."""
    if batch.sample_index is not None:
        indices = [int(index) for index in batch.sample_index]
        if len(indices) != count:
            raise InputError(f"{len(indices)} sample indices for {count} images")
        return [torch.Generator().manual_seed(_mix(seed, index)) for index in indices]
    if batch.generator is None:
        raise InputError("a random target needs sample_index or a generator in the batch")
    return [batch.generator] * count


def drawn_targets(
    label: torch.Tensor,
    batch: ForgetBatch,
    *,
    seed: int,
    draw: Callable[[torch.Tensor, torch.Generator], torch.Tensor],
) -> torch.Tensor:
    """A drawn target for each label, shaped as the labels.

    Args:
        draw: (label of one image, generator) -> its target.
    """
    fixed = batch.sample_index is not None
    # What is fixed by an image's own index does not depend on how many images other processes hold.
    label = label.cpu() if fixed else with_others(label.cpu(), batch)
    draws = generators(batch, count=len(label), seed=seed)
    drawn = [draw(one, generator) for one, generator in zip(label, draws, strict=True)]
    return torch.stack(drawn if fixed else drawn[batch.before :])


def with_others(label: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
    """`label` with an empty one in front for each image that another process holds before these.

    A target takes as many draws for an empty label as for any other, so all get those that one process would give.
    """
    return torch.cat([label.new_zeros((batch.before, *label.shape[1:])), label])


def _mix(seed: int, index: int) -> int:
    # Neighbouring seeds give related streams in some generators; a digest does not.
    return int.from_bytes(hashlib.sha256(f"{seed}:{index}".encode()).digest()[:7], "big")
