"""Which images of a set are drawn more often: those on which the student strays from the teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from scripts.errors import InputError

KEPT = 0.3  # of the former weight: one augmented view says little about an image
FLOOR = 0.02  # of every weight: an image that was held once may be lost again


class HardExamples:
    """Sampling weights per cohort; an image's weight is a running mean of its departures, 1 before the first.

    Forgetting spoils most the images that look like a forgotten one. Drawn evenly they come once in many rounds;
    drawn by their departure they are held while the rest is merely looked over.

    Args:
        ids: cohort name -> image ids in the order of its dataset.
        share: of a cohort's draws that go by weight, in [0, 1]; the others come in even turns.
    """

    def __init__(self, *, ids: Mapping[str, Sequence[str]], share: float) -> None:
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
            raise InputError(f"hard_share: '{share}' is not a share; allowed are numbers from 0 to 1")
        self.share = float(share)
        self.positions = {name: {own: i for i, own in enumerate(found)} for name, found in ids.items()}
        self.weights = {name: torch.ones(len(found)) for name, found in ids.items()}

    def count(self, name: str, size: int) -> int:
        """How many of `size` draws go by weight."""
        return round(self.share * size) if name in self.weights else 0

    def draw(self, name: str, count: int, *, generator: torch.Generator) -> list[int]:
        """`count` indices with probability proportional to the weights, with replacement."""
        return torch.multinomial(self.weights[name], count, replacement=True, generator=generator).tolist()

    def observe(self, name: str, ids: Sequence[str], departures: torch.Tensor) -> None:
        """Take in the departures (N,), at least 0, of the images `ids`; the next round draws by them."""
        if name not in self.weights:
            return
        weights = self.weights[name]
        for own, departure in zip(ids, departures.tolist(), strict=True):
            position = self.positions[name][own]
            weights[position] = KEPT * weights[position] + (1 - KEPT) * (departure + FLOOR)

    def state_dict(self) -> dict[str, Any]:
        return {name: weights.clone() for name, weights in self.weights.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.weights = {name: state[name].clone() for name in self.weights}
