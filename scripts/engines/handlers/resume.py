"""Interrupted work resumes where the last whole epoch ended, bit for bit."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from scripts import processes
from scripts.errors import InputError
from scripts.files import write_tensors
from scripts.messages import shortened
from scripts.student.student import Student

REMEDY = "remove it to start afresh"
# Names of a recipe's fields where the setting in configs/ has another one.
SETTING = {
    "rank": "lora_rank",
    "alpha": "lora_alpha",
    "dropout": "lora_dropout",
    "learning_rate": "forget_learning_rate",
    "lr_schedule": "forget_lr_schedule",
}
# What repr writes of a dataclass: Name(field=value, ...).
_DATACLASS = re.compile(r"[A-Z]\w*\((.*)\)", re.DOTALL)
_FIELD = re.compile(r"(\w+)=('[^']*'|[^,]+)")


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
        content = self._read()
        self._check(json.loads(content["fingerprint"]))
        try:
            for name, thing in self.objects.items():
                thing.load_state_dict(content["objects"][name])
        except InputError as error:
            raise InputError(f"{self.path}: {error}; {REMEDY}") from error
        # Each object raises what its own reader meets in a state of another form.
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise InputError(f"{self.path}: is damaged, the state of {name} does not fit; {REMEDY}") from error
        engine.state.epoch = content["engine"]["epoch"]
        engine.state.iteration = content["engine"]["iteration"]
        if content["engine"]["stopped"]:
            engine.terminate()

    def _read(self) -> dict[str, Any]:
        """The content of the checkpoint, of the form in which it was written."""
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
        # torch raises whatever its zip and pickle readers meet in a damaged file; each of these means just that.
        except (
            pickle.UnpicklingError,
            EOFError,
            RuntimeError,
            OSError,
            ValueError,
            LookupError,
            AttributeError,
        ) as error:
            raise InputError(f"{self.path}: not a readable checkpoint; {REMEDY}") from error
        try:
            engine, objects = content["engine"], content["objects"]
            counts = [engine[name] for name in ("epoch", "iteration")]
            sound = all(type(count) is int and count >= 0 for count in counts) and type(engine["stopped"]) is bool
            sound = sound and isinstance(objects, dict) and objects.keys() >= self.objects.keys()
            sound = sound and isinstance(json.loads(content["fingerprint"]), dict)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError):
            sound = False
        if not sound:
            raise InputError(f"{self.path}: is damaged, not a checkpoint that this bundle writes; {REMEDY}")
        return content

    def _check(self, before: Mapping[str, Any]) -> None:
        then, now = _settings(before), _settings(json.loads(self.fingerprint))
        differing = [key for key in sorted({*then, *now}) if then.get(key) != now.get(key)]
        if differing:
            told = ", ".join(f"{key} = {_shown(then.get(key))}, not {_shown(now.get(key))}" for key in differing[:3])
            told += f" and {len(differing) - 3} more" if len(differing) > 3 else ""
            raise InputError(
                f"{self.path}: holds an interrupted run with {told};"
                " give the same settings to resume it, or another output_dir"
            )


def _settings(fingerprint: Mapping[str, Any]) -> dict[str, str]:
    """The fingerprint in one level, as text, under the names that the settings have in configs/."""
    flat: dict[str, str] = {}
    for key, value in fingerprint.items():
        fields = _DATACLASS.fullmatch(value) if isinstance(value, str) else None
        if fields:
            flat.update({SETTING.get(name, name): text for name, text in _FIELD.findall(fields[1])})
        elif isinstance(value, Mapping):
            flat.update({str(name): repr(inner) for name, inner in value.items()})
        else:
            flat[key] = repr(value)
    return flat


def _shown(value: str | None) -> str:
    return shortened(str(value), 40)


class StudentState:
    """What of a student changes in training, under the two names that checkpoints ask for."""

    def __init__(self, student: Student) -> None:
        self.student = student

    def state_dict(self) -> dict[str, Any]:
        return self.student.state_dict_trainable()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.student.load_trainable(state)
