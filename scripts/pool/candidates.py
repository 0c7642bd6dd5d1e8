"""Recipes that preparation tries: for each method a few, from the cheapest to the most thorough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Candidate:
    """A method and settings of its recipe, by the names of a config."""

    method: str
    settings: Mapping[str, Any]

    @property
    def told(self) -> str:
        """One line for the terminal."""
        return " ".join([self.method, *(f"{name}={value}" for name, value in self.settings.items())])


def candidates(*, batch: int) -> tuple[Candidate, ...]:
    """What is tried on every data set.

    Steps and rates lie around the defaults of the methods: at most 180 steps, at 1e-3 where all weights are trained.
    Fifteen do where a fold lacks little: the fold teacher then stands where the teacher does. Batches follow those of
    the training, which fit the data's size and the machine's memory.

    Args:
        batch: images per step of the teacher's training.
    """
    fold = [
        {"forget_learning_rate": rate, "steps_per_round": steps // 3, "max_rounds": 3, "retain_batch": batch}
        for steps, rate in ((120, 5e-4), (15, 3e-4), (60, 3e-4), (180, 1e-3))
    ]
    fold.append({**fold[0], "hard_share": 0.5})
    half = max(1, batch // 2)
    common = {"trainable": "all", "forget_batch": min(8, batch)}
    hardened = [
        {**common, "steps_per_round": steps // 3, "max_rounds": 3, "retain_batch": own, "forget_weight": weight}
        for steps, own, weight in ((120, batch, 1.0), (180, 2 * batch, 1.0), (180, 2 * batch, 4.0))
    ]
    adapter = [
        {"trainable": "adapter", "forget_batch": min(8, batch), "retain_batch": half},
        {
            "trainable": "adapter",
            "forget_batch": min(8, batch),
            "retain_batch": batch,
            "scope": "all",
            "lora_rank": 16,
            "supervised_weight": 0.1,
            "hardening_weight": 0.3,
        },
    ]
    return (
        *(Candidate("fold_start", own) for own in fold),
        *(Candidate("erase_to_retain", own) for own in (*hardened, *adapter)),
    )
