"""A linear head whose training data come in by two sums alone, so that a sample can be taken out of it exactly."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional


@dataclass
class RidgeHead:
    """W = (X'X + ridge I)^-1 X'Y of features X (N, D + 1), the last column 1, and one-hot labels Y (N, K).

    Deletion of x, y subtracts x x' and x y' from the two sums and solves again: what is left is the head of the other
    samples, but for rounding. No mean or scale of the features is taken, which would hold something of every sample.

    Attributes:
        gram: X'X + ridge I, (D + 1, D + 1), float64.
        cross: X'Y, (D + 1, K), float64.
        ridge: of the fit, above 0.
        count: samples in it.
    """

    gram: torch.Tensor
    cross: torch.Tensor
    ridge: float
    count: int

    @classmethod
    def fit(cls, features: torch.Tensor, labels: torch.Tensor, *, classes: int, ridge: float) -> RidgeHead:
        """The head of some samples.

        Args:
            features: (N, D).
            labels: (N,), class numbers.
        """
        size = features.shape[1] + 1
        head = cls(
            gram=ridge * torch.eye(size, dtype=torch.float64),
            cross=torch.zeros(size, classes, dtype=torch.float64),
            ridge=float(ridge),
            count=0,
        )
        head._change(features, labels, sign=1)
        return head

    def remove(self, features: torch.Tensor, labels: torch.Tensor) -> None:
        """Take samples out that are in it.

        Raises:
            ValueError: there are not as many in it.
        """
        if len(features) > self.count:
            raise ValueError(f"{len(features)} samples cannot be taken out of {self.count}")
        self._change(features, labels, sign=-1)

    @property
    def weight(self) -> torch.Tensor:
        """W, (D + 1, K)."""
        return torch.cholesky_solve(self.cross, torch.linalg.cholesky(self.gram))

    def scores(self, features: torch.Tensor) -> torch.Tensor:
        """(N, K); the largest is the class."""
        return _with_one(features) @ self.weight

    def _change(self, features: torch.Tensor, labels: torch.Tensor, *, sign: int) -> None:
        x = _with_one(features)
        y = functional.one_hot(labels.long(), self.cross.shape[1]).double()
        self.gram += sign * (x.T @ x)
        self.cross += sign * (x.T @ y)
        self.count += sign * len(x)


def _with_one(features: torch.Tensor) -> torch.Tensor:
    x = features.double()
    return torch.cat([x, x.new_ones(len(x), 1)], 1)
