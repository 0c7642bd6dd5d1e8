"""Measures of masks, one structure at a time: overlap, missed structure, calibration, surface distances."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from monai.metrics import compute_hausdorff_distance, compute_surface_dice
from torch.nn import functional

BAND = 2  # pixels either side of the true boundary
BINS = 10  # of the calibration error
TOLERANCE = 1.0  # mm, or pixels, of the normalised surface Dice


def boundary_band(label: torch.Tensor, *, width: int = BAND) -> torch.Tensor:
    """Pixels within `width` of the boundary of a binary label (N, 1, ...): dilation minus erosion."""
    pool = functional.max_pool2d if label.ndim == 4 else functional.max_pool3d
    size = 2 * width + 1
    return pool(label, size, 1, width) + pool(-label, size, 1, width) > 0.5


def calibration_error(probability: torch.Tensor, true: torch.Tensor, *, bins: int = BINS) -> torch.Tensor:
    """Expected calibration error of each row: sum over bins of n_b / N |mean probability - rate of true|.

    Args:
        probability, true: (N, pixels); bins of equal width. Source: Naeini et al. 2015.
    """
    which = (probability * bins).long().clamp(max=bins - 1)
    total = torch.zeros(len(probability), bins, device=probability.device)
    gaps = total.scatter_add(1, which, probability - true.float())
    return (gaps.abs().sum(1) / probability.shape[1]).double()


def overlap(predicted: torch.Tensor, true: torch.Tensor, probability: torch.Tensor) -> dict[str, torch.Tensor]:
    """Of one structure, masks and probabilities (N, 1, ...): each measure (N,)."""
    predicted, true = predicted.flatten(1).bool(), true.flatten(1).bool()
    both = (predicted & true).sum(1).double()
    union = (predicted | true).sum(1).double()
    sizes = (predicted.sum(1) + true.sum(1)).double()
    probability = probability.flatten(1)
    return {
        # Both empty agrees perfectly.
        "iou": torch.where(union > 0, both / union.clamp(min=1), torch.ones_like(both)),
        "dice": torch.where(sizes > 0, 2 * both / sizes.clamp(min=1), torch.ones_like(both)),
        "false_negative_rate": torch.where(
            true.any(1), 1 - both / true.sum(1).clamp(min=1), torch.full_like(both, torch.nan)
        ),
        "empty_mask": (~predicted.any(1)).double(),
        "brier": (probability - true.float()).square().mean(1).double(),
        "calibration_error": calibration_error(probability, true),
    }


def lesions(predicted: torch.Tensor, true: torch.Tensor) -> dict[str, torch.Tensor]:
    """Of masks (N, 1, ...), by connected components, diagonals included: the part of true ones that a predicted pixel
    touches, undefined where there is none, and the number of predicted ones that touch none.
    """
    from skimage.measure import label

    found, false = [], []
    for one, other in zip(predicted[:, 0].bool().cpu().numpy(), true[:, 0].bool().cpu().numpy(), strict=True):
        known, said = label(other), label(one)
        seen = set(known[one].tolist()) - {0}
        right = set(said[other].tolist()) - {0}
        found.append(len(seen) / int(known.max()) if known.max() else float("nan"))
        false.append(float(int(said.max()) - len(right)))
    return {
        "lesion_sensitivity": torch.tensor(found, dtype=torch.float64),
        "false_positive_lesions": torch.tensor(false, dtype=torch.float64),
    }


def surface(
    predicted: torch.Tensor, true: torch.Tensor, *, spacing: torch.Tensor | None = None
) -> dict[str, torch.Tensor]:
    """HD95 and NSD of masks (N, 1, ...), in mm where the spacing (N, dimensions) is known, else in pixels.

    A mask that is empty on one side only is as far as the image's diagonal.
    """
    hd95 = torch.zeros(len(true), dtype=torch.float64)
    nsd = torch.ones(len(true), dtype=torch.float64)
    one, other = predicted.flatten(1).any(1), true.flatten(1).any(1)
    with warnings.catch_warnings():
        # MONAI's own call uses an argument that MONAI calls deprecated.
        warnings.simplefilter("ignore", FutureWarning)
        for i in range(len(true)):
            sizes = None if spacing is None else [float(size) for size in spacing[i]]
            if one[i] and other[i]:
                pair = predicted[i : i + 1].float(), true[i : i + 1].float()
                about: dict[str, Any] = {"include_background": True, "spacing": sizes}
                hd95[i] = compute_hausdorff_distance(*pair, percentile=95, **about).item()
                nsd[i] = compute_surface_dice(*pair, class_thresholds=[TOLERANCE], **about).item()
            elif one[i] or other[i]:
                shape = true.shape[2:]
                lengths = [size * length for size, length in zip(sizes or [1.0] * len(shape), shape, strict=True)]
                hd95[i], nsd[i] = math.sqrt(sum(length**2 for length in lengths)), 0.0
    return {"hd95": hd95, "nsd": nsd}
