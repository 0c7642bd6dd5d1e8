"""One model of a pool: the workflows that make it, where it lies, and whether it is there."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.errors import InputError
from scripts.files import read_json, write_json
from scripts.identity import file_digest
from scripts.record.lock import unlock_folder
from scripts.workers import run_tasks


@dataclass(frozen=True)
class Step:
    """One workflow with its settings."""

    workflow: str
    run_id: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Job:
    """A model to be made.

    Attributes:
        kind: original, retrained or unlearned.
        key: digest of all that the model follows from.
        folder: its own.
        weights: path of the weights that the last step leaves.
    """

    kind: str
    key: str
    folder: Path
    weights: Path
    steps: tuple[Step, ...]

    @property
    def record(self) -> Path:
        """Written when the model is whole."""
        return self.folder / "done.json"

    def done(self) -> bool:
        """Whether the model is there.

        Raises:
            InputError: another key, or weights that are not those that were written.
        """
        if not self.record.is_file():
            return False
        key, digest, _ = self._recorded()
        if key != self.key:
            raise InputError(f"{self.record}: is of another model; remove {self.folder} to train it again")
        if not self.weights.is_file() or file_digest(self.weights) != digest:
            raise InputError(f"{self.weights}: is not what was trained; remove {self.folder} to train it again")
        return True

    def seconds(self) -> float | None:
        """Wall seconds that it took; None while it is not there."""
        if not self.record.is_file():
            return None
        return self._recorded()[2]

    def _recorded(self) -> tuple[str, str, float]:
        """Key, digest of the weights and seconds, as `run` wrote them."""
        remedy = f"remove {self.folder} to train it again"
        found = read_json(self.record, remedy=remedy)
        key, weights, seconds = (found.get(name) for name in ("key", "weights", "seconds"))
        sound = isinstance(key, str) and isinstance(weights, str)
        if not sound or isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e12:
            raise InputError(f"{self.record}: is damaged, not what this bundle writes; {remedy}")
        return str(key), str(weights), float(seconds)

    def run(self) -> None:
        """Make the model, from where an interrupted run stopped."""
        from scripts.chain import run_workflow

        if self.done():
            return
        start = time.perf_counter()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            for step in self.steps:
                run_workflow([step.workflow], run_id=step.run_id, overrides=step.settings)
        finally:
            # A pool makes many models in one process: each would keep a lock open to its end.
            for private in self.folder.glob("**/private"):
                unlock_folder(private)
        seconds = time.perf_counter() - start
        write_json(self.record, {"key": self.key, "weights": file_digest(self.weights), "seconds": round(seconds, 3)})


def digest(content: Any) -> str:
    """SHA-256 of plain JSON content."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def run_jobs(jobs: Sequence[Job], *, workers: int = 1, backend: str = "local") -> None:
    """Make all models that are missing; see `run_tasks`."""
    run_tasks([job for job in jobs if not job.done()], workers=workers, backend=backend)
