"""Interrupted work resumes where the last whole epoch ended, bit for bit."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events

from scripts import processes
from scripts.errors import InputError
from scripts.files import write_tensors
from scripts.student.student import Student


class Resume:
    """Save the state of `objects` and of the engine after each epoch; load it when the run starts.

    Only what epochs change is kept: random draws follow from (seed, epoch).

    Args:
        path: the checkpoint file, in the run's private folder.
        objects: name -> anything with `state_dict` and `load_state_dict`.
        fingerprint: plain values that must not change between the interrupted run and this one.
        every: epochs between two saves.
    """

    def __init__(
        self,
        *,
        path: str | Path,
        objects: Mapping[str, Any],
        fingerprint: Mapping[str, Any] | None = None,
        every: int = 1,
    ) -> None:
        self.path = Path(path)
        self.objects = {name: thing for name, thing in objects.items() if thing is not None}
        self.fingerprint = json.dumps(dict(fingerprint or {}), sort_keys=True, default=str)
        self.every = max(1, int(every))

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.COMPLETED, self.save)

    def start(self, engine: Engine) -> None:
        """Load, and from now on save after every other handler of an epoch has had its turn."""
        if not engine.has_event_handler(self.save, Events.EPOCH_COMPLETED):
            engine.add_event_handler(Events.EPOCH_COMPLETED(every=self.every), self.save)
        self.load(engine)
        if len(set(processes.gathered(engine.state.iteration))) > 1:
            raise InputError(f"{self.path}: not all processes find the same checkpoint; they need one output_dir")

    def save(self, engine: Engine) -> None:
        """Write the checkpoint in one step."""
        processes.once(lambda: self._write(engine))

    def _write(self, engine: Engine) -> None:
        content = {
            "engine": {
                "epoch": engine.state.epoch,
                "iteration": engine.state.iteration,
                "stopped": bool(engine.should_terminate) or engine.state.epoch >= engine.state.max_epochs,
            },
            "fingerprint": self.fingerprint,
            "objects": {name: thing.state_dict() for name, thing in self.objects.items()},
        }
        write_tensors(self.path, content)

    def load(self, engine: Engine) -> None:
        """Take up an interrupted run; does nothing where there is none."""
        if not self.path.is_file():
            return
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, EOFError, RuntimeError, OSError, KeyError, ValueError) as error:
            raise InputError(f"{self.path}: not a readable checkpoint; remove it to start afresh") from error
        self._check(json.loads(content["fingerprint"]))
        for name, thing in self.objects.items():
            thing.load_state_dict(content["objects"][name])
        engine.state.epoch = content["engine"]["epoch"]
        engine.state.iteration = content["engine"]["iteration"]
        if content["engine"]["stopped"]:
            engine.terminate()

    def _check(self, before: Mapping[str, Any]) -> None:
        now = json.loads(self.fingerprint)
        for key in sorted({*before, *now}):
            if before.get(key) != now.get(key):
                raise InputError(
                    f"{self.path}: holds an interrupted run with {key} = {before.get(key)!r}, not {now.get(key)!r};"
                    " give the same settings to resume it, or another output_dir"
                )


class StudentState:
    """What of a student changes in training, under the two names that checkpoints ask for."""

    def __init__(self, student: Student) -> None:
        self.student = student

    def state_dict(self) -> dict[str, Any]:
        return self.student.state_dict_trainable()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.student.load_trainable(state)
