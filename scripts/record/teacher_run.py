"""A supervised training from start to weights on disk."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine
from scripts import processes
from scripts.cohort import Cohort
from scripts.cohort.build import check_split, record_split
from scripts.cohort.membership import record_path
from scripts.cohort.model_record import ModelRecord, trained_on
from scripts.cohort.split_file import FILE_NAME
from scripts.engines.handlers import KeepBest
from scripts.errors import InputError
from scripts.files import write_tensors
from scripts.record.run_folder import RunFolder
from scripts.settings import SETTINGS

REMEDY = "give another model_dir or model_name, or overwrite: true to replace it"


class TeacherRun:
    """Train and write the chosen weights; what is finished, and was trained alike, is not trained again.

    Args:
        trainer: the training engine.
        best: whose state is written.
        path: of the weights, a plain state dict.
        cohort: what is trained on; its split and the record of who was in the model are written beside the weights.
        fold: the fold left out, or -1.
        settings: plain settings of the training, to be written beside the weights.
        overwrite: whether an existing file of another training may be replaced.
        identity: what else must be the same for two trainings to be one; written into the record.
        split_path: of the recorded split; None: `split.json` beside the weights.
        checkpoint: the resumable state of this training; None: that of the weights' name in `folder`.
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
        identity: Mapping[str, Any] | None = None,
        split_path: str | Path | None = None,
        checkpoint: str | Path | None = None,
    ) -> None:
        self.cohort, self.fold, self.settings = cohort, int(fold), dict(settings or {})
        self.trainer, self.best = trainer, best
        self.path, self.folder, self.overwrite = Path(path), folder, bool(overwrite)
        self.identity = None if identity is None else dict(identity)
        self.split_path = Path(split_path) if split_path else self.path.parent / FILE_NAME
        self.checkpoint = Path(checkpoint) if checkpoint else folder.checkpoint(self.path.stem)
        self.key = f"trained_{self.path.stem}"

    def run(self) -> None:
        """Train, or say that it was done.

        Raises:
            InputError: the weights at `path` were trained in another way, or have no record of how; the split that
                is recorded is another one.
        """
        if processes.once(self._is_done):
            return
        self.trainer.run()
        processes.once(self._write)

    def _is_done(self) -> bool:
        """Whether the weights at `path` are those that this run would train; everything is checked before a step."""
        if record_path(self.path) == self.split_path:
            raise InputError(f"model_name: the record beside {self.path} would be {FILE_NAME}; give another name")
        if self.path.suffix in (".json", ".safetensors"):
            raise InputError(f"model_name: {self.path.name} would hold torch weights; give a name that ends in .pt")
        if self.cohort is not None:
            check_split(self.split_path, self.cohort)
        if not self.path.is_file():
            return False
        if self.overwrite:
            self._drop_finished_checkpoint()
            return False
        before = ModelRecord.read(self.path)
        if before is None:
            raise InputError(f"{self.path}: exists already, without a record of how it was trained; {REMEDY}")
        if difference := self._difference(before):
            raise InputError(f"{self.path}: exists already and was trained {difference}; {REMEDY}")
        print(f"{self.path.name}: already trained")
        return True

    def _drop_finished_checkpoint(self) -> None:
        """Remove the state of a training that ended: what replaces its model starts afresh, and not where it ended.

        The state of an interrupted training stays: the same command again resumes it.
        """
        try:
            content = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
            finished = bool(content["engine"]["stopped"])
        except (pickle.UnpicklingError, EOFError, RuntimeError, OSError, LookupError, TypeError, ValueError):
            return  # there is none, or `Resume` says that it cannot be read
        if finished:
            self.checkpoint.unlink()

    def _difference(self, before: ModelRecord) -> str:
        """How the training of the weights at `path` differs from this one; empty where it does not."""
        # A setting that the record does not know is younger than it: the training was by what is its default now.
        younger = {name: SETTINGS[name].default for name in {*self.settings} & {*SETTINGS} if before.training}
        then = {"fold": before.fold, **younger, **before.training}
        found = first_difference(then, {"fold": self.fold, **self.settings})
        if not found and self.cohort is not None:
            found = self._other_data(before, self.cohort)
        if not found and self.identity is not None:
            digests = [one.get("data") for one in (before.identity, self.identity)]
            # A digest would tell a reader nothing; who was trained on is compared above.
            if digests[0] != digests[1] and all(isinstance(digest, str) for digest in digests):
                return "on other contents of the images or labels of training and selection"
            found = first_difference(before.identity, self.identity)
        return found

    def _other_data(self, before: ModelRecord, cohort: Cohort) -> str:
        split = {name: value for name, value in cohort.resolution["settings"].items() if name in before.split}
        if self.fold < 0:
            split.pop("folds", None)  # a model that was trained on all folds does not follow from their number
        then = {name: before.split[name] for name in split}
        data_set = cohort.resolution["data_set"]
        if found := first_difference({"data_set": before.data_set, **then}, {"data_set": data_set, **split}):
            return found.replace("with seed ", "with split_seed ").replace("with data_set ", "with dataset_name ")
        if before.membership is None:
            return "without a record of who was in it"
        now = ModelRecord.of(cohort, fold=self.fold)
        if before.left_out != now.left_out:
            return f"without {before.left_out} images of a request, not without {now.left_out}"
        trained = trained_on(cohort, fold=self.fold)
        new = sum(not before.membership.saw_image(record["image_id"]) for record in trained)
        if new or len(trained) != len(before.membership.images):
            known = len(before.membership.images)
            return f"on {known} images; of the {len(trained)} of this run {new} were not among them"
        return ""

    def _write(self) -> None:
        """Split, weights, record: in an order in which an interruption never leaves weights with a wrong record."""
        state: dict[str, Any] = {name: value.detach().cpu().contiguous() for name, value in self.best.chosen().items()}
        if self.cohort is not None:
            record_split(self.split_path, self.cohort)
            record_path(self.path).unlink(missing_ok=True)
        write_tensors(self.path, state)
        if self.cohort is not None:
            ModelRecord.of(self.cohort, fold=self.fold, settings=self.settings, identity=self.identity).write(self.path)
        found = {"select": self.best.select, "epochs": self.trainer.state.epoch, **self.best.summary()}
        self.folder.note(**{self.key: found})
        self.folder.write_manifest()
        print(f"{self.path.name}: " + ", ".join(f"{name} {value}" for name, value in found.items()))


def first_difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first setting in which two trainings differ, in words; empty where they do not."""
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name) and any("_target_" in str(side.get(name)) for side in (before, now)):
            return f"with another {name}"  # a part of the config, of which a line has no room to say more
    then, this = dict(_flat(before)), dict(_flat(now))
    for name in sorted({*then, *this}):
        if then.get(name) != this.get(name):
            if all(isinstance(values.get(name), (str, int, float, type(None))) for values in (then, this)):
                return f"with {name} {then.get(name)!r}, not {this.get(name)!r}"
            return f"with another {name}"
    return ""


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of nested settings by their dotted names; a tuple is what JSON makes of it, a list."""
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", list(value) if isinstance(value, tuple) else value
