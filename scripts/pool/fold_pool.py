"""The fold teachers: the training workflow once per fold and member, each without that fold's patients."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.chain import overrides, run_workflow
from scripts.errors import require_positive
from scripts.settings.given import Settings
from scripts.workers import run_tasks
from scripts.workspace.shared import sharing

SEED_STRIDE = 10_000  # between the seeds of a fold's members, so that studies of neighbouring seeds share none


@dataclass(frozen=True)
class Training:
    """One fold teacher's training: a workflow that leaves a finished model as it is."""

    workflow: str
    settings: Mapping[str, Any]

    def run(self) -> None:
        """Train it, from where an interrupted run stopped."""
        run_workflow([self.workflow], run_id="single", overrides=self.settings)


class FoldPool:
    """Trains the fold teachers.

    Member 0 of a fold has the teacher's own seed; the others have seeds of their own.

    Args:
        workflow: path of the training workflow.
        folds: how many.
        members: teachers per fold.
        seed: of member 0.
        settings: of the training.
        model_dir, split_dir: folders of the fold teachers and of the recorded split; empty: those of `settings`.
        folder: of the runs, of which each has a folder of its own where several are made side by side.
        workers, backend: see `run_tasks`.
    """

    def __init__(
        self,
        *,
        workflow: str | Path,
        folds: int,
        members: int = 1,
        seed: int = 0,
        settings: Settings,
        model_dir: str = "",
        split_dir: str = "",
        folder: str | Path = "",
        workers: int = 1,
        backend: str = "local",
    ) -> None:
        require_positive(fold_members=members)
        self.workflow, self.folder = str(workflow), Path(folder)
        self.folds, self.members, self.seed = int(folds), int(members), int(seed)
        self.settings = settings
        self.places = {name: value for name, value in (("model_dir", model_dir), ("split_dir", split_dir)) if value}
        self.workers, self.backend = int(workers), backend

    def run(self, *, present: Collection[tuple[int, int]] = ()) -> None:
        """Train what is missing; a finished fold is left as it is.

        Args:
            present: folds and members that are not looked at: models that were brought along.
        """
        with sharing():
            run_tasks(self.trainings(present), workers=self.workers, backend=self.backend)

    def trainings(self, present: Collection[tuple[int, int]] = ()) -> list[Training]:
        """One for each fold and member that is not in `present`."""
        given = overrides(self.settings, "train")
        if self.settings.workflow == "train":
            given |= self.settings.parts
        # What training takes by default is another number than what it was made for.
        given |= {"folds": self.folds, **self.places}
        places = [(fold, member) for fold in range(self.folds) for member in range(self.members)]
        apart = self.workers > 1 or self.backend != "local"
        found = []
        for fold, member in places:
            if (fold, member) in present:
                continue
            own: dict[str, Any] = {"fold": fold, "member": member, "seed": self.seed + SEED_STRIDE * member}
            if apart:
                own["output_dir"] = str(self.folder / f"fold{fold}_{member}")
            found.append(Training(self.workflow, {**given, **own}))
        return found
