"""A supervised training from start to weights on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ignite.engine import Engine

from scripts import processes
from scripts.cohort import Cohort
from scripts.cohort.provenance import write_provenance
from scripts.engines.handlers import KeepBest
from scripts.errors import InputError
from scripts.files import write_tensors
from scripts.record.run_folder import RunFolder


class TeacherRun:
    """Train and write the chosen weights; what is finished is not trained again.

    Args:
        trainer: the training engine.
        best: whose state is written.
        path: of the weights, a plain state dict.
        cohort: what was trained on; its split is written beside the weights.
        fold: the fold left out, or -1.
        settings: plain settings of the training, to be written beside the weights.
        overwrite: whether an existing file of another run may be replaced.
    """

    def __init__(
        self,
        *,
        trainer: Engine,
        best: KeepBest,
        path: str | Path,
        folder: RunFolder,
        cohort: Cohort | None = None,
        fold: int = -1,
        settings: Mapping[str, Any] | None = None,
        overwrite: bool = False,
    ) -> None:
        self.cohort, self.fold, self.settings = cohort, int(fold), dict(settings or {})
        self.trainer, self.best = trainer, best
        self.path, self.folder, self.overwrite = Path(path), folder, bool(overwrite)
        self.key = f"trained_{self.path.stem}"

    def run(self) -> None:
        """Train, or say that it was done.

        Raises:
            InputError: another run's weights are at `path`.
        """
        if processes.once(self._is_done):
            return
        self.trainer.run()
        processes.once(self._write)

    def _is_done(self) -> bool:
        if not self.path.is_file() or self.overwrite:
            return False
        if self.folder.read_state().get(self.key):
            print(f"{self.path.name}: already trained")
            return True
        raise InputError(
            f"{self.path}: exists already; give another model_dir or model_name, or overwrite: true to replace it"
        )

    def _write(self) -> None:
        state: dict[str, Any] = {name: value.detach().cpu().contiguous() for name, value in self.best.chosen().items()}
        write_tensors(self.path, state)
        if self.cohort is not None:
            write_provenance(self.path, self.cohort, fold=self.fold, **self.settings)
        found = {"select": self.best.select, "epochs": self.trainer.state.epoch, **self.best.summary()}
        self.folder.note(**{self.key: found})
        self.folder.write_manifest()
        print(f"{self.path.name}: " + ", ".join(f"{name} {value}" for name, value in found.items()))
