"""What an enhanced picture is to be: rich in detail, true to the picture, neither dark nor blinding (2505.11246)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

BINS = 256  # levels of the histogram of which the entropy is taken
LOW, HIGH = 0.35, 0.70  # mean brightness that needs no mending
CHANNELS, SEED = (8, 16), 0  # of the network that compares pictures


@dataclass(frozen=True)
class Change:
    """x -> contrast (x^gamma - m) + m + brightness, m the mean of x^gamma, cut to 0..1."""

    brightness: float = 0.0
    contrast: float = 1.0
    gamma: float = 1.0

    def apply(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        """A picture (H, W) or (H, W, 3) in 0..1."""
        bent = np.power(picture, self.gamma)
        middle = bent.mean()
        found = self.contrast * (bent - middle) + middle + self.brightness
        return found.clip(0, 1).astype(np.float32)


class Aims:
    """Three aims of a changed picture, each the smaller the better.

    Args:
        picture: (H, W) or (H, W, 3) in 0..1.
    """

    def __init__(self, picture: NDArray[np.float32]) -> None:
        self.picture = picture
        self._network = _features()
        self._own = self._seen(picture)

    def of(self, change: Change) -> tuple[float, float, float]:
        """Minus the entropy of its grey levels, bits; distance of features; brightness outside `LOW` to `HIGH`."""
        changed = change.apply(self.picture)
        distance = float((self._seen(changed) - self._own).square().mean().sqrt() / self._own.square().mean().sqrt())
        return -entropy(changed), distance, outside(float(changed.mean()))

    @torch.no_grad()
    def _seen(self, picture: NDArray[np.float32]) -> torch.Tensor:
        # Of each picture's own mean and spread: structure is compared, which a change of light keeps.
        grey = torch.as_tensor(_grey(picture))
        grey = (grey - grey.mean()) / grey.std().clamp_min(1e-3)
        return self._network(grey[None, None])


def entropy(picture: NDArray[np.float32]) -> float:
    """Of the histogram of grey levels, bits."""
    counts, _ = np.histogram(_grey(picture), bins=BINS, range=(0, 1))
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def outside(mean: float) -> float:
    """How far a mean brightness is from the range that needs no mending."""
    return max(LOW - mean, 0.0, mean - HIGH)


def _grey(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return picture.mean(-1) if picture.ndim == 3 else picture


def _features() -> nn.Module:
    """Two convolutions with drawn weights, always the same: no trained network comes with this bundle."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        first, second = CHANNELS
        layers = [nn.Conv2d(1, first, 5, 2, 2), nn.ReLU(), nn.Conv2d(first, second, 3, 2, 1), nn.ReLU()]
        return nn.Sequential(*layers).eval().requires_grad_(False)
