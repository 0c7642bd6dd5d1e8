"""A training of the pool: whom it is trained on, what it follows from, and how it is run."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts.workspace.pool_parts import PoolParts

if TYPE_CHECKING:
    from scripts.identity import Identity


class TrainingParts(PoolParts):
    """What the workflow `train` is made of beside its trainer."""

    @cached_property
    def training_records(self) -> Any:
        """The training set without the fold that is left out; what is to be forgotten is among it, see `left_out`."""
        from scripts.cohort.build import training_records

        return training_records(self.cohort, fold=self.settings.fold)

    @property
    def training_ids(self) -> list[str]:
        """Image ids of the training set, in its order."""
        return [record["image_id"] for record in self.training_records]

    @cached_property
    def left_out(self) -> list[int]:
        """Positions in the training set that no batch holds: a retrained model stays paired with its original."""
        from scripts.cohort.build import left_out

        return left_out(self.cohort, fold=self.settings.fold)

    @property
    def least_batch(self) -> int:
        """Images that a batch of training must hold: two, where BatchNorm sees one pixel per image."""
        from scripts.tasks.networks import least_batch

        if self.settings.blocks or self.foreign is not None:
            return 1
        return least_batch(**self._some(["network_name", "spatial_dims"]), image_size=self.trained_size)

    @cached_property
    def training_identity(self) -> Identity:
        """What the trained weights follow from."""
        from scripts.identity import Identity, code_identity
        from scripts.identity.identity import plain_digest

        without = set(self.left_out)
        trained = [record for position, record in enumerate(self.training_records) if position not in without]
        patients = sorted({record["patient_id"] for record in trained})
        # The patients say what these settings come to.
        apart = ("folds", "fold", "forget_ratio")
        procedure = {name: value for name, value in self.settings.procedure().items() if name not in apart}
        return Identity(
            data=self._digests_of({"training": trained, "selection": self.cohort.selection}),
            membership={"model": plain_digest(patients)},
            procedure=procedure,
            code=code_identity(),
        )

    def teacher_run(self, trainer: Any, best: Any) -> Any:
        """A training from start to weights on disk."""
        from scripts.record.teacher_run import TeacherRun

        if self.foreign is not None:
            trainer = best = self._own_training()
        return TeacherRun(
            trainer=trainer,
            best=best,
            path=self.model_path,
            folder=self.folder,
            cohort=self.cohort,
            fold=self.settings.fold,
            settings=self.training_identity.procedure,
            overwrite=self.settings.overwrite,
            identity=self.training_identity.sealed(),
            split_path=self.split_path,
            checkpoint=self.checkpoint,
        )

    def _own_training(self) -> Any:
        """The foreign bundle's own training, in place of ours."""
        from scripts.data.image_store import PRIVATE
        from scripts.foreign.training import OwnTraining

        assert self.foreign is not None
        out = set(self.left_out)
        return OwnTraining(
            self.foreign,
            records=[record for place, record in enumerate(self.training_records) if place not in out],
            selection=self.cohort.selection,
            folder=self.model_path.parent / PRIVATE / f"training_{self.model_path.stem}",
            epochs=self.settings.foreign_epochs,
            **self._some(["seed", "device", "threads"]),
        )

    @property
    def checkpoint(self) -> Path:
        """The state from which an interrupted training goes on."""
        raise NotImplementedError
