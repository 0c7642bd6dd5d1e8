"""Tasks by name."""

from __future__ import annotations

from scripts.errors import InputError
from scripts.tasks.classification import Classification
from scripts.tasks.multiclass import MulticlassSegmentation
from scripts.tasks.multilabel import MultilabelSegmentation
from scripts.tasks.reconstruction import Reconstruction
from scripts.tasks.segmentation import Segmentation
from scripts.tasks.task import Task

TASKS: dict[str, type[Task]] = {
    kind.name: kind
    for kind in (Segmentation, MulticlassSegmentation, MultilabelSegmentation, Classification, Reconstruction)
}


def build_task(name: str) -> Task:
    """The task called `name`.

    Raises:
        InputError: unknown name.
    """
    if name not in TASKS:
        raise InputError(f"task: '{name}' is not one of {', '.join(TASKS)}")
    return TASKS[name]()
