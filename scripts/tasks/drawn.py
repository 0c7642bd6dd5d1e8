"""What drawn targets are made of: fields and choices drawn on the CPU, so that no device or order has a say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

NODES = 6  # of a field that is cut into a blob, or moves a boundary


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


def blob(mask: torch.Tensor, *, generator: torch.Generator) -> torch.Tensor:
    """The highest part of a smooth random field, as large as the mask (H, W[, D])."""
    field = smooth_field(mask.shape, nodes=NODES, generator=generator)
    found = torch.zeros(mask.numel(), dtype=torch.bool)
    found[field.flatten().argsort(descending=True)[: int(mask.sum())]] = True
    return found.view(mask.shape)


def moved(mask: torch.Tensor, *, displacement: float, generator: torch.Generator) -> torch.Tensor:
    """The mask with its boundary moved along its normal by a smooth random field of that s.d. in pixels."""
    # Drawn before anything else, so that one image's mask does not shift the draws of the next.
    shift = displacement * smooth_field(mask.shape, nodes=NODES, generator=generator)
    if not mask.any() or mask.all():
        return mask
    return _signed_distance(mask) < shift


def _signed_distance(mask: torch.Tensor) -> torch.Tensor:
    """Pixels to the boundary of `mask`: positive outside, negative inside, never between -1/2 and 1/2."""
    from scipy.ndimage import distance_transform_edt

    inside = mask.numpy()
    distance = np.where(inside, 0.5 - distance_transform_edt(inside), distance_transform_edt(~inside) - 0.5)
    return torch.from_numpy(distance).float()
