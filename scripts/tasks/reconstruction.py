"""Reconstruction of an image: what the network gives is the image itself, one channel of intensities."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import torch
from scripts.tasks.drawn import smooth_field
from scripts.tasks.margin import Margin
from scripts.tasks.masks import in_cells
from scripts.tasks.task import Task
from torch.nn import functional

RANGE = 1.0  # of the intensities of a label, 0..1
NODES = 12  # of the field that stands for an image of nothing
LEAST = 1e-10  # mean squared error below which PSNR would grow without end
MARGINS = {"ssim": Margin(0.02), "psnr": Margin(0.5)}  # dB


class Reconstruction(Task):
    """Answers z and labels y (N, 1, ...) with intensities in 0..1; there are no logits and no probabilities."""

    name = "reconstruction"
    key_metric = "ssim"
    overlap = "ssim"
    measures = ("ssim", "psnr", "nmse")
    masks = True
    graded = True
    exclusive = False
    background = False
    entropy_weight = 1.0

    def problem(self, logits: torch.Tensor) -> str:
        if logits.ndim >= 4 and logits.shape[1] == 1:
            return ""
        return f"reconstruction needs answers (N, 1, H, W[, D]), one channel; got {tuple(logits.shape)}"

    def outputs(self, classes: int) -> int:
        return 1

    def classes(self, outputs: int) -> int:
        return 1

    def activate(self, logits: torch.Tensor) -> torch.Tensor:
        """The image itself."""
        return logits

    def mean_of(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.mean(0)

    def prediction(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.float()

    def answer(self, logits: torch.Tensor) -> torch.Tensor:
        """Mean intensity in each cell of a grid, 16 x 16 or 6 x 6 x 6: (N, cells)."""
        return in_cells(logits)

    def decided(self, logits: torch.Tensor) -> torch.Tensor:
        return in_cells(logits)

    def agreement(self, one: torch.Tensor, other: torch.Tensor) -> float:
        """1 - mean |a - b|."""
        return 1.0 - float((one - other).abs().mean())

    @cached_property
    def _ssim(self) -> dict[int, torch.nn.Module]:
        from monai.losses import SSIMLoss

        return {dims: SSIMLoss(spatial_dims=dims, data_range=RANGE, reduction="none") for dims in (2, 3)}

    def _ssim_loss(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """1 - SSIM of each image (N,)."""
        return self._ssim[logits.ndim - 2](logits.float(), label.float()).flatten(1).mean(1)

    def loss(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """(1 - SSIM) + mean |z - y| of each image.

        After Erase to Enhance (arXiv 2405.15517), which weighs the second by 1e-5; there intensities are not in 0..1.
        """
        apart = (logits.float() - label.float()).abs().flatten(1).mean(1)
        return self._ssim_loss(logits, label) + apart

    def ceiling(self, logits: torch.Tensor) -> float:
        """About that of an image that has nothing to do with the label."""
        return 1.0

    def distil(self, logits: torch.Tensor, teacher: torch.Tensor, *, temperature: float = 1.0) -> torch.Tensor:
        """Mean |z - z_T|; a temperature has no meaning here."""
        return functional.l1_loss(logits.float(), teacher.detach().float())

    def fit(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Mean of `loss`: what is to be learned is an image, whatever it shows."""
        return self.loss(logits, target).mean()

    def departure(self, logits: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        """sum |z - z_T| / sum |z_T|."""
        own, taught = logits.float().flatten(1), teacher.float().flatten(1)
        return (own - taught).abs().sum(1) / taught.abs().sum(1).clamp_min(LEAST)

    def uniform(self, logits: torch.Tensor) -> torch.Tensor:
        """Mean distance from the image's own mean: an answer that shows nothing is flat."""
        flat = logits.flatten(2).mean(2).reshape(*logits.shape[:2], *[1] * (logits.ndim - 2))
        return (logits - flat).abs().mean()

    def suppression(
        self, logits: torch.Tensor, label: torch.Tensor | None, teacher: torch.Tensor | None, *, bound: float
    ) -> torch.Tensor:
        """[SSIM_i > bound] * SSIM_i."""
        truth = teacher if label is None else label
        assert truth is not None, "the label or the teacher's answer is given"
        alike = 1 - self._ssim_loss(logits, truth)
        return (alike.detach() > bound) * alike

    def random_target(self, label: torch.Tensor, *, outputs: int, generator: torch.Generator) -> torch.Tensor:
        """A smooth random field with the mean and spread of the image."""
        field = torch.stack([smooth_field(part.shape, nodes=NODES, generator=generator) for part in label.float()])
        return (label.float().mean() + label.float().std() * field).clamp(0, RANGE)

    def noisy_target(
        self, label: torch.Tensor, *, outputs: int, displacement: float, flip: float, generator: torch.Generator
    ) -> torch.Tensor:
        """y + flip * N(0, 1), each pixel by itself: the NL loss of Erase to Enhance (arXiv 2405.15517)."""
        return label.float() + flip * torch.randn(label.shape, generator=generator)

    def score(self, logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """-ln of the mean squared error (N,), nats: PSNR in another unit."""
        return -self._squared(logits, label).log().cpu()

    @staticmethod
    def _squared(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        return (logits.float() - label.float()).square().flatten(1).mean(1).clamp_min(LEAST)

    def measure(
        self,
        logits: torch.Tensor,
        label: torch.Tensor,
        *,
        surface: bool = True,
        spacing: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """SSIM; PSNR in dB of a range of 1; squared error over the squares of the label."""
        squared = self._squared(logits, label)
        whole = label.float().square().flatten(1).mean(1).clamp_min(LEAST)
        found = {
            "ssim": 1 - self._ssim_loss(logits, label),
            "psnr": 10 * (RANGE**2 / squared).log10(),
            "nmse": squared / whole,
        }
        return {name: value.double().cpu() for name, value in found.items()}

    def overlooked(self, means: Mapping[str, float]) -> float:
        """1 - SSIM."""
        return 1 - means["ssim"]

    def margin(self, measure: str) -> Margin | None:
        return MARGINS.get(measure)

    def guarded(self, classes: int) -> dict[str, Margin]:
        return dict(MARGINS)
