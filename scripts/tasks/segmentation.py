"""Binary segmentation: overlap, surface distances, missed structure, calibration, and the membership score."""

from __future__ import annotations

import warnings

import torch
from monai.metrics import compute_hausdorff_distance, compute_surface_dice
from torch.nn import functional

from scripts.tasks.margin import Margin
from scripts.tasks.task import CALIBRATION, Task

CLIP = 8.0  # nats; beyond it a pixel says no more about membership
BAND = 2  # pixels either side of the true boundary
BINS = 10  # of the calibration error
CELLS = {2: 16, 3: 6}  # along each axis, of the coarse answer; per spatial dimensions
# The dangerous direction in a clinic: structure that is missed, and confidence that is not earned.
MARGINS = {
    "dice": Margin(0.02),
    "false_negative_rate": Margin(0.02, higher_is_better=False),
    "empty_mask": Margin(0.01, higher_is_better=False),
    "brier": Margin(CALIBRATION, relative=True, higher_is_better=False),
    "calibration_error": Margin(CALIBRATION, relative=True, higher_is_better=False),
}
TOLERANCE = 1.0  # pixels, of the normalised surface Dice


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


class Segmentation(Task):
    """One structure against background; logits (N, 1, ...), label (N, 1, ...) in {0, 1}."""

    name = "segmentation"
    key_metric = "dice"
    measures = ("iou", "dice", "hd95", "nsd", "false_negative_rate", "empty_mask", "brier", "calibration_error")

    def margin(self, measure: str) -> Margin | None:
        return MARGINS.get(measure)

    def prediction(self, logits: torch.Tensor) -> torch.Tensor:
        return (logits.float() > 0).float()

    def answer(self, logits: torch.Tensor) -> torch.Tensor:
        """Mean probability of foreground in each cell of a grid, 16 x 16 or 6 x 6 x 6: (N, cells)."""
        return _in_cells(torch.sigmoid(logits.float()))

    def decided(self, logits: torch.Tensor) -> torch.Tensor:
        """Part of each cell of that grid that is decided to be foreground: (N, cells)."""
        return _in_cells(self.prediction(logits))

    def score(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """Mean of clip(log(q/(1-q)), -8, 8), q the probability of the true label: averaged over
        foreground, background and boundary band, then over those of the three that are not empty."""
        margin = torch.where(label > 0.5, logits.float(), -logits.float()).clamp(-CLIP, CLIP)
        foreground = label > 0.5
        total, parts = torch.zeros(len(label)), torch.zeros(len(label))
        for part in (foreground, ~foreground, boundary_band(label.float())):
            size = part.flatten(1).sum(1)
            mean = (margin * part).flatten(1).sum(1) / size.clamp(min=1)
            total += torch.where(size > 0, mean, torch.zeros_like(mean)).cpu()
            parts += (size > 0).cpu()
        return total / parts

    def measure(self, logits: torch.Tensor, label: torch.Tensor, *, surface: bool = True) -> dict[str, torch.Tensor]:
        predicted, true = self.prediction(logits).flatten(1).bool(), label.flatten(1) > 0.5
        both = (predicted & true).sum(1).double()
        union = (predicted | true).sum(1).double()
        sizes = (predicted.sum(1) + true.sum(1)).double()
        found = {
            # Both empty agrees perfectly.
            "iou": torch.where(union > 0, both / union.clamp(min=1), torch.ones_like(both)),
            "dice": torch.where(sizes > 0, 2 * both / sizes.clamp(min=1), torch.ones_like(both)),
            "false_negative_rate": torch.where(
                true.any(1), 1 - both / true.sum(1).clamp(min=1), torch.full_like(both, torch.nan)
            ),
            "empty_mask": (~predicted.any(1)).double(),
        }
        probability = torch.sigmoid(logits.float()).flatten(1)
        found["brier"] = (probability - true.float()).square().mean(1).double()
        found["calibration_error"] = calibration_error(probability, true)
        if surface:
            found.update(self._surface(self.prediction(logits), (label > 0.5).float()))
        return {name: value.cpu() for name, value in found.items()}

    def _surface(self, predicted: torch.Tensor, true: torch.Tensor) -> dict[str, torch.Tensor]:
        """HD95 and NSD in pixels; a mask empty on one side only is as far as the image is wide."""
        diagonal = float(torch.tensor(true.shape[2:], dtype=torch.float64).square().sum().sqrt())
        hd95 = torch.zeros(len(true), dtype=torch.float64)
        nsd = torch.ones(len(true), dtype=torch.float64)
        with warnings.catch_warnings():
            # MONAI's own call uses an argument that MONAI calls deprecated.
            warnings.simplefilter("ignore", FutureWarning)
            self._distances(predicted, true, hd95, nsd, diagonal)
        return {"hd95": hd95, "nsd": nsd}

    @staticmethod
    def _distances(
        predicted: torch.Tensor, true: torch.Tensor, hd95: torch.Tensor, nsd: torch.Tensor, diagonal: float
    ) -> None:
        """Fill in `hd95` and `nsd` image by image."""
        one, other = predicted.flatten(1).any(1), true.flatten(1).any(1)
        for i in range(len(true)):
            if one[i] and other[i]:
                pair = predicted[i : i + 1], true[i : i + 1]
                hd95[i] = compute_hausdorff_distance(*pair, include_background=True, percentile=95).item()
                nsd[i] = compute_surface_dice(*pair, class_thresholds=[TOLERANCE], include_background=True).item()
            elif one[i] or other[i]:
                hd95[i], nsd[i] = diagonal, 0.0


def _in_cells(values: torch.Tensor) -> torch.Tensor:
    """Means of (N, 1, ...) over the cells of a grid: (N, cells)."""
    dims = values.ndim - 2
    pool = functional.adaptive_avg_pool2d if dims == 2 else functional.adaptive_avg_pool3d
    return pool(values, CELLS[dims]).flatten(1).cpu()
