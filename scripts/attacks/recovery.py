"""The recovery family: each is tried on every unlearned model, and on its retrained twin for comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from scripts.attacks.batch_norm import ReestimatedNorm
from scripts.attacks.finetuning import FineTuned
from scripts.attacks.linear_probe import LinearProbe
from scripts.attacks.pruning import Pruned
from scripts.attacks.quantisation import Quantised
from scripts.cohort.loaders import CohortLoaders
from scripts.data.datasets import EpochLoader
from scripts.engines.arithmetic import Arithmetic
from scripts.errors import InputError
from scripts.tasks import Task

Attack = Callable[[nn.Module], nn.Module]

NAMES = ("int8", "int4", "pruned", "batch_norm", "fine_tuned", "new_head", "linear_probe")
IMAGES, BATCH = 64, 8  # retain images that somebody may have, and in one step
SHARE = 0.2  # of the weights, pruned


def build_recoveries(
    names: Sequence[str], *, loaders: CohortLoaders, task: Task, arithmetic: Arithmetic, steps: int
) -> dict[str, Attack]:
    """Name -> attack, in the order of `NAMES`.

    Args:
        names: which of `NAMES`.
        steps: of those that train.

    Raises:
        InputError: an unknown name; steps below 1.
    """
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        raise InputError(f"recovery: '{unknown[0]}' is not one of {', '.join(NAMES)}")
    if int(steps) < 1:
        raise InputError(f"recovery_steps: {steps} is not a positive number")
    # Spread over the set, whatever its order; the same images for all.
    retain = loaders.cohort.retain
    chosen = retain[:: max(1, len(retain) // IMAGES)][:IMAGES]
    batches = list(EpochLoader(loaders.prepare(chosen), batch_size=BATCH)) if names else []
    tuned: dict[str, Any] = {"batches": batches, "task": task.name, "arithmetic": arithmetic, "steps": int(steps)}
    made: dict[str, Callable[[], Attack]] = {
        "int8": lambda: Quantised(8),
        "int4": lambda: Quantised(4),
        "pruned": lambda: Pruned(SHARE),
        "batch_norm": lambda: ReestimatedNorm(batches=batches, arithmetic=arithmetic),
        "fine_tuned": lambda: FineTuned(**tuned),
        "new_head": lambda: FineTuned(**tuned, head=True),
        "linear_probe": lambda: LinearProbe(batches=batches, task=task.name, arithmetic=arithmetic),
    }
    return {name: made[name]() for name in NAMES if name in set(names)}
