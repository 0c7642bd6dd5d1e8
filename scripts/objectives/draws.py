"""Random targets that do not depend on device or order: fields and choices drawn on the CPU, image by image."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch.nn import functional

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


def with_others(label: torch.Tensor, batch: ForgetBatch) -> torch.Tensor:
    """`label` with an empty one in front for each image that another process holds before these.

    A target takes as many draws for an empty label as for any other, so all get those that one process would give.
    """
    return torch.cat([label.new_zeros((batch.before, *label.shape[1:])), label])


def smooth_field(shape: Sequence[int], *, nodes: int, generator: torch.Generator) -> torch.Tensor:
    """A low-frequency field of mean 0 and s.d. 1 over `shape` (H, W[, D]): normal values on nodes, interpolated."""
    coarse = torch.randn((1, 1, *(nodes,) * len(shape)), generator=generator)
    mode = "bilinear" if len(shape) == 2 else "trilinear"
    field = functional.interpolate(coarse, size=tuple(shape), mode=mode, align_corners=True)[0, 0]
    return (field - field.mean()) / field.std().clamp(min=1e-6)


def another_class(label: int, *, classes: int, generator: torch.Generator) -> int:
    """A class other than `label`, each equally likely."""
    drawn = int(torch.randint(classes - 1, (1,), generator=generator))
    return drawn + (drawn >= label)


def _mix(seed: int, index: int) -> int:
    # Neighbouring seeds give related streams in some generators; a digest does not.
    return int.from_bytes(hashlib.sha256(f"{seed}:{index}".encode()).digest()[:7], "big")
