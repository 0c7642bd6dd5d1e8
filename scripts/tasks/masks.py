"""What all segmentations share: measures structure by structure, coarse answers, suppression, drawn masks."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping

import torch
from scripts.tasks.drawn import blob, moved
from scripts.tasks.margin import Margin
from scripts.tasks.overlap import lesions, overlap, surface
from scripts.tasks.task import CALIBRATION, Task
from torch.nn import functional

CLIP = 8.0  # nats; beyond it a pixel says no more about membership
CELLS = {2: 16, 3: 6}  # along each axis, of the coarse answer; per spatial dimensions
LEAST = 0.005  # of the image: a structure of a few pixels must not make its image the only one drawn
# The dangerous direction in a clinic: structure that is missed, and confidence that is not earned.
MARGINS = {
    "dice": Margin(0.02),
    "false_negative_rate": Margin(0.02, higher_is_better=False),
    "empty_mask": Margin(0.01, higher_is_better=False),
    "brier": Margin(CALIBRATION, relative=True, higher_is_better=False),
    "calibration_error": Margin(CALIBRATION, relative=True, higher_is_better=False),
}


class Masks(Task):
    """S structures, each against what is not it. With several of them every measure is the mean over structures, and
    stands for each structure k = 1..S as `<measure>_<k>` too.
    """

    key_metric = "dice"
    overlap = "iou"
    measures = (
        *("iou", "dice", "hd95", "nsd", "false_negative_rate", "empty_mask", "brier", "calibration_error"),
        *("lesion_sensitivity", "false_positive_lesions"),
    )
    masks = True
    background = True
    entropy_weight = 1.0

    @abstractmethod
    def structures(self, logits: torch.Tensor) -> torch.Tensor:
        """Probability of each structure, (N, S, ...)."""

    @abstractmethod
    def truth(self, label: torch.Tensor, *, structures: int) -> torch.Tensor:
        """True mask of each structure, (N, S, ...), bool."""

    def departure(self, logits: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        """sum |p - p_T| / max(sum p_T, 0.5 % of the pixels), over all structures."""
        own, taught = (self.structures(z).flatten(1) for z in (logits, teacher))
        return (own - taught).abs().sum(1) / taught.sum(1).clamp(min=LEAST * taught.shape[1])

    def margin(self, measure: str) -> Margin | None:
        return MARGINS.get(re.sub(r"_\d+$", "", measure))

    def overlooked(self, means: Mapping[str, float]) -> float:
        """The false negative rate."""
        return means["false_negative_rate"]

    def guarded(self, classes: int) -> dict[str, Margin]:
        """Of all structures together, and of each of several: one that is lost is not made up by others."""
        several = range(1, classes + 1) if classes > 1 else ()
        return MARGINS | {f"{name}_{k}": margin for k in several for name, margin in MARGINS.items()}

    def answer(self, logits: torch.Tensor) -> torch.Tensor:
        """Mean probability of each structure in each cell of a grid, 16 x 16 or 6 x 6 x 6: (N, S cells)."""
        return in_cells(self.structures(logits))

    def decided(self, logits: torch.Tensor) -> torch.Tensor:
        """Part of each cell of that grid that is decided to be of each structure: (N, S cells)."""
        return in_cells(self.prediction(logits))

    def measure(
        self,
        logits: torch.Tensor,
        label: torch.Tensor,
        *,
        surface: bool = True,
        spacing: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        probability, predicted = self.structures(logits), self.prediction(logits).bool()
        true = self.truth(label, structures=probability.shape[1])
        rows = [
            _of_one(
                *(part[:, k : k + 1] for part in (predicted, true, probability)), with_surface=surface, spacing=spacing
            )
            for k in range(probability.shape[1])
        ]
        if len(rows) == 1:
            return rows[0]
        found = {name: torch.stack([row[name] for row in rows]).nanmean(0) for name in rows[0]}
        return found | {f"{name}_{k}": value for k, row in enumerate(rows, start=1) for name, value in row.items()}

    def suppression(
        self, logits: torch.Tensor, label: torch.Tensor | None, teacher: torch.Tensor | None, *, bound: float
    ) -> torch.Tensor:
        """on_i * mean of `void` over pixels that are a structure in truth or teacher, on_i = [hard IoU > bound]."""
        known = None if teacher is None else self.prediction(teacher).bool()
        truth = known if label is None else self.truth(label, structures=self.classes(logits.shape[1]))
        assert truth is not None, "the label or the teacher's logits are given"
        anywhere = (truth if known is None else truth | known).any(1, keepdim=True).flatten(1)
        student = self.prediction(logits.detach()).bool()
        union = (student | truth).flatten(1).sum(1).clamp(min=1)
        on = (student & truth).flatten(1).sum(1) / union > bound
        return on * (anywhere * self.void(logits).flatten(1)).sum(1) / anywhere.sum(1).clamp(min=1)

    def random_target(self, label: torch.Tensor, *, outputs: int, generator: torch.Generator) -> torch.Tensor:
        return torch.stack([blob(mask > 0.5, generator=generator) for mask in label]).float()

    def noisy_target(
        self, label: torch.Tensor, *, outputs: int, displacement: float, flip: float, generator: torch.Generator
    ) -> torch.Tensor:
        masks = [moved(mask > 0.5, displacement=displacement, generator=generator) for mask in label]
        return torch.stack(masks).float()


def _of_one(
    predicted: torch.Tensor,
    true: torch.Tensor,
    probability: torch.Tensor,
    *,
    with_surface: bool,
    spacing: torch.Tensor | None,
) -> dict[str, torch.Tensor]:
    """Measures of one structure, masks and probabilities (N, 1, ...)."""
    found = overlap(predicted, true, probability)
    if with_surface:
        found.update(surface(predicted, true, spacing=spacing), **lesions(predicted, true))
    return {name: value.cpu() for name, value in found.items()}


def in_cells(values: torch.Tensor) -> torch.Tensor:
    """Means of (N, S, ...) over the cells of a grid: (N, S cells)."""
    dims = values.ndim - 2
    pool = functional.adaptive_avg_pool2d if dims == 2 else functional.adaptive_avg_pool3d
    return pool(values.float(), CELLS[dims]).flatten(1).cpu()


def mean_over_parts(odds: torch.Tensor, parts: list[torch.Tensor]) -> torch.Tensor:
    """Clipped log odds (N, 1, ...), mean over each part (N, 1, ...), then over those that are not empty: (N,)."""
    odds = odds.clamp(-CLIP, CLIP)
    total, count = torch.zeros(len(odds)), torch.zeros(len(odds))
    for part in parts:
        size = part.flatten(1).sum(1)
        mean = (odds * part).flatten(1).sum(1) / size.clamp(min=1)
        total += torch.where(size > 0, mean, torch.zeros_like(mean)).cpu()
        count += (size > 0).cpu()
    return total / count
