"""Handlers that turn a finished phase into artefacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ignite.engine import Engine, Events
from scripts import processes
from scripts.engines.bisection import bisect_scale
from scripts.engines.criterion import Criterion
from scripts.engines.predict import Logits
from scripts.files import write_tensors
from scripts.identity import file_digest
from scripts.record.run_folder import RunFolder
from scripts.student.student import Student


class FitScale:
    """At the end of forgetting, bisect the adapter's scale to the goal and fold it into the adapter.

    Args:
        criterion: None where forgetting goes by steps alone: nothing is fitted or measured.
        logits: the student's, of a batch; see `predict`.
    """

    def __init__(
        self, *, criterion: Criterion | None, student: Student, enabled: bool = True, logits: Logits | None = None
    ) -> None:
        self.criterion = criterion
        self.student, self.logits = student, logits
        self.enabled = enabled

    def attach(self, engine: Engine) -> None:
        if self.criterion is not None:
            engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        assert self.criterion is not None
        scale = 1.0
        if self.enabled and self.student.scalable:
            scale, _ = bisect_scale(self._progress_at)
            self.student.set_scale(scale)
            self.student.bake_scale()
        found = self.criterion.measure(self.student.network, self.logits)
        engine.state.metrics.update({**found, "adapter_scale": scale})

    def _progress_at(self, scale: float) -> float:
        assert self.criterion is not None
        self.student.set_scale(scale)
        return self.criterion.progress(self.student.network, self.logits)


class SaveStudent:
    """Write the student and its plain network, and note the trial in the run's state.

    Args:
        noted: what else the state of the run is to say: goal, method, and the phases that make its student.
    """

    def __init__(
        self, *, folder: RunFolder, student: Student, phase: str, noted: Mapping[str, Any] | None = None
    ) -> None:
        self.folder = folder
        self.student = student
        self.phase = phase
        self.noted = dict(noted or {})

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        processes.once(lambda: self._write(engine))

    def _write(self, engine: Engine) -> None:
        save_student(self.folder, self.student)
        numbers = {name: value for name, value in engine.state.metrics.items() if isinstance(value, (int, float))}
        digest = file_digest(self.folder.student)
        phase = {"rounds": engine.state.epoch, "weights": digest, **numbers}
        self.folder.note(state="trial", student=digest, **self.noted, **{self.phase: phase})
        self.folder.write_manifest()


def save_student(folder: RunFolder, student: Student) -> None:
    """`private/adapter/` and `release/student.pt`, a plain state dict on the CPU."""
    student.save(folder.adapter)
    merged: dict[str, Any] = {name: value.cpu() for name, value in student.merged().state_dict().items()}
    write_tensors(folder.student, merged)
