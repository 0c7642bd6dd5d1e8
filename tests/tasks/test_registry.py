"""Tasks by name."""

from __future__ import annotations

import pytest
from scripts.errors import InputError
from scripts.tasks import build_task


@pytest.mark.parametrize(
    "name", ["segmentation", "multiclass_segmentation", "multilabel_segmentation", "classification"]
)
def test_a_task_by_its_name(name: str) -> None:
    task = build_task(name)
    assert task.name == name and task.key_metric in task.measures


def test_unknown_task() -> None:
    with pytest.raises(InputError, match="task: 'detection' is not one of segmentation, multiclass_segmentation,"):
        build_task("detection")
