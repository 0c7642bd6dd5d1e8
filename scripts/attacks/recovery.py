"""The recovery family: each is tried on every unlearned model, and on its retrained twin for comparison.

`build_recoveries` makes the attacks of a verdict's references, `build_attempts` those of an evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.attacks.batch_norm import ReestimatedNorm
from scripts.attacks.finetuning import LEARNING_RATE, FineTuned
from scripts.attacks.linear_probe import LinearProbe
from scripts.attacks.pruning import Pruned
from scripts.attacks.quantisation import Quantised
from scripts.cohort.cohort import Record
from scripts.cohort.loaders import CohortLoaders
from scripts.data.datasets import AugmentedDataset, EpochLoader
from scripts.engines.arithmetic import Arithmetic
from scripts.errors import InputError
from scripts.tasks import Task
from torch import nn

Attack = Callable[[nn.Module], nn.Module]

NAMES = ("int8", "int4", "pruned", "batch_norm", "fine_tuned", "new_head", "linear_probe")
IMAGES, BATCH = 64, 8  # retain images that somebody may have, and in one step
SHARE = 0.2  # of the weights, pruned
HEAD_STEPS = 20  # of a new head in an evaluation


@dataclass(frozen=True)
class Tuning:
    """Fine-tuning on retain images under a name of its own.

    Attributes:
        steps: optimiser steps.
        learning_rate, optimizer: see `FineTuned`.
    """

    steps: int
    learning_rate: float = LEARNING_RATE
    optimizer: str = "adamw"


TUNED: Mapping[str, Tuning] = {
    "fine_tuned_20": Tuning(20),
    "fine_tuned_60": Tuning(60),
    "fine_tuned_slow": Tuning(200, learning_rate=3e-4),
    "fine_tuned_fast": Tuning(20, learning_rate=3e-3),
    "fine_tuned_sgd": Tuning(100, learning_rate=1e-2, optimizer="sgd"),
}
CHANGED = ("int8", "int4", "pruned", "batch_norm", "new_head", "linear_probe")
RELEARNED: Mapping[str, int] = {"relearned_5": 5, "relearned_10": 10, "relearned_20": 20}  # optimiser steps
EVALUATED = (*TUNED, *CHANGED, *RELEARNED)


@dataclass(frozen=True)
class Attempt:
    """One attack, or several that are looks at one course of training.

    Attributes:
        names: of the attacks, in the order in which `networks` gives theirs.
        networks: plain network -> the attacked one of each name; it is to be measured before the next is asked for.
        measured: ids of the forget images on which it is measured; None: all of them.
    """

    names: tuple[str, ...]
    networks: Callable[[nn.Module], Iterator[nn.Module]]
    measured: frozenset[str] | None = None


def build_attempts(
    names: Sequence[str], *, loaders: CohortLoaders, task: Task, arithmetic: Arithmetic
) -> list[Attempt]:
    """The attacks of an evaluation; those that differ in their steps alone share one course.

    Fine-tuning sees `IMAGES` retain images, `BATCH` a step. Relearning is trained on every second forget image and
    measured on the others; it is left out, with a printed sentence, where the forget set has fewer than two images.

    Args:
        names: which of `EVALUATED`.

    Raises:
        InputError: an unknown name.
    """
    unknown = sorted(set(names) - set(EVALUATED))
    if unknown:
        raise InputError(f"attacks: '{unknown[0]}' is not one of {', '.join(EVALUATED)}")
    if not names:
        return []
    shared: dict[str, Any] = {"task": task.name, "arithmetic": arithmetic}
    retain = loaders.dataset("retain")
    batches = _batches(loaders.patches(loaders.part("retain", spread(len(retain)))))
    courses: dict[tuple[float, str], dict[str, int]] = {}
    for name, tuning in TUNED.items():
        if name in names:
            courses.setdefault((tuning.learning_rate, tuning.optimizer), {})[name] = tuning.steps
    attempts = []
    for (rate, optimizer), looks in courses.items():
        tuned = FineTuned(batches=batches, steps=max(looks.values()), learning_rate=rate, optimizer=optimizer, **shared)
        attempts.append(_course(tuned, looks))
    changes = _changes(batches, steps=HEAD_STEPS, **shared)
    attempts += [_single(name, changes[name]()) for name in CHANGED if name in names]
    looks = {name: steps for name, steps in RELEARNED.items() if name in names}
    if looks and len(loaders.cohort.forget) < 2:
        print(f"{', '.join(looks)}: left out, since the forget set has fewer than two images", flush=True)
    elif looks:
        trained, measured = halves(loaders.cohort.forget)
        forget = _batches(loaders.patches(loaders.part("forget", trained)))
        tuned = FineTuned(batches=forget, steps=max(looks.values()), **shared)
        others = frozenset(loaders.cohort.forget[position]["image_id"] for position in measured)
        attempts.append(_course(tuned, looks, measured=others))
    return attempts


def spread(size: int) -> list[int]:
    """Positions of `IMAGES` images spread over a set of `size`, whatever its order; all where there are no more."""
    return list(range(0, size, max(1, size // IMAGES)))[:IMAGES]


def halves(records: Sequence[Record]) -> tuple[list[int], list[int]]:
    """Positions of every second record, by patient and image, and of the others: both halves hold each patient's
    images, where a patient has several."""
    order = sorted(range(len(records)), key=lambda i: (records[i]["patient_id"], records[i]["image_id"]))
    return sorted(order[::2]), sorted(order[1::2])


def _course(tuned: FineTuned, looks: Mapping[str, int], *, measured: frozenset[str] | None = None) -> Attempt:
    ordered = sorted(looks, key=lambda name: looks[name])
    steps = [looks[name] for name in ordered]
    return Attempt(tuple(ordered), lambda network: tuned.course(network, steps), measured)


def _single(name: str, attack: Attack) -> Attempt:
    return Attempt((name,), lambda network: iter([attack(network)]))


def _batches(dataset: AugmentedDataset) -> list[dict[str, Any]]:
    return list(EpochLoader(dataset, batch_size=BATCH))


def build_recoveries(
    names: Sequence[str],
    *,
    loaders: CohortLoaders,
    task: Task,
    arithmetic: Arithmetic,
    steps: int,
    without: Collection[str] = (),
) -> dict[str, Attack]:
    """Name -> attack, in the order of `NAMES`.

    Args:
        names: which of `NAMES`.
        steps: of those that train.
        without: patients whose images no attacker has, beside the forget set: those of mock requests.

    Raises:
        InputError: an unknown name; steps below 1.
    """
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        raise InputError(f"recovery: '{unknown[0]}' is not one of {', '.join(NAMES)}")
    if int(steps) < 1:
        raise InputError(f"recovery_steps: {steps} is not a positive number")
    retain = [record for record in loaders.cohort.retain if record["patient_id"] not in without]
    chosen = [retain[position] for position in spread(len(retain))]  # the same images for all
    batches = _batches(loaders.patches(loaders.prepare(chosen))) if names else []
    made = _changes(batches, task=task.name, arithmetic=arithmetic, steps=int(steps))
    return {name: made[name]() for name in NAMES if name in set(names)}


def _changes(
    batches: Sequence[dict[str, Any]], *, task: str, arithmetic: Arithmetic, steps: int
) -> dict[str, Callable[[], Attack]]:
    """Name -> what makes the attack."""
    tuned: dict[str, Any] = {"batches": batches, "task": task, "arithmetic": arithmetic, "steps": steps}
    return {
        "int8": lambda: Quantised(8),
        "int4": lambda: Quantised(4),
        "pruned": lambda: Pruned(SHARE),
        "batch_norm": lambda: ReestimatedNorm(batches=batches, arithmetic=arithmetic),
        "fine_tuned": lambda: FineTuned(**tuned),
        "new_head": lambda: FineTuned(**tuned, head=True),
        "linear_probe": lambda: LinearProbe(batches=batches, task=task, arithmetic=arithmetic),
    }
