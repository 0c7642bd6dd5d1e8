"""A task's measure as an ignite metric: mean over images, not mean of batch means."""

from __future__ import annotations

from typing import Any

from ignite.metrics import Metric
from monai.utils import CommonKeys as Keys
from scripts import processes
from scripts.tasks import Task


class TaskMetric(Metric):
    """Mean over images of `task.measure(...)[name]`.

    Args:
        name: one of `task.measures`; the task's key metric when empty.
    """

    def __init__(self, *, task: Task, name: str = "") -> None:
        self.task = task
        self.name = name or task.key_metric
        super().__init__(output_transform=lambda output: (output[Keys.PRED], output[Keys.LABEL]))

    def reset(self) -> None:
        self.total, self.count = 0.0, 0

    def update(self, output: Any) -> None:
        logits, label = output
        surface = self.name in ("hd95", "nsd")
        values = self.task.measure(logits, label, surface=surface)[self.name]
        values = values[values == values]
        self.total += float(values.sum())
        self.count += len(values)

    def compute(self) -> float:
        # Checkpoint and early stop follow from it: of several processes all get what the first measured.
        return processes.agreed(self.total / self.count if self.count else float("nan"))
