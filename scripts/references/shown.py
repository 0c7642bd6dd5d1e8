"""What pictures show of a pool: the delivered model between its original and a model that never saw the data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.cohort.loaders import CohortLoaders
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.models import place_teacher
from scripts.record.run_folder import RunFolder
from scripts.tasks import Task
from torch import nn

if TYPE_CHECKING:
    from scripts.references.pool import ReferencePool


@dataclass(frozen=True)
class Shown:
    """Teacher, student and the first retrained model of a pool, on the data of a run."""

    pool: ReferencePool
    folder: RunFolder
    teacher: str | Path
    loaders: CohortLoaders
    network: nn.Module
    task: Task
    arithmetic: Arithmetic

    @cached_property
    def models(self) -> dict[str, nn.Module]:
        """Name -> network, in the order of the columns."""
        paths = {
            "teacher": self.teacher,
            "student": self.folder.student,
            "retrained": self.pool.pairs.retrained(0).weights,
        }
        return {
            name: place_teacher(network=self.network, path=path, arithmetic=self.arithmetic)
            for name, path in paths.items()
        }
