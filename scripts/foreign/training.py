"""A model of the pool, trained by the bundle's own workflow in a process of its own, on a copy of the bundle."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from scripts.data.source import Record
from scripts.errors import InputError
from scripts.foreign.bundle import TRAINED_ON, VALIDATED_ON, ForeignBundle
from scripts.foreign.folder import is_weights, read_plain

PROGRAM = Path(__file__).with_name("own_training.py")
MOST_EPOCHS = "train::trainer::max_epochs"
LEFT_OUT = (".git", "__pycache__", "eval", "docs")
OUTPUTS = {"ckpt_dir": "models", "output_dir": "eval"}  # where configs write, by the names that they give it


class OwnTraining:
    """Stands for trainer and chosen weights of our own training: `run`, `chosen`, `summary`.

    The weights are those after the last epoch, as for every model that a verdict compares.

    Args:
        records: that are trained on.
        selection: on which the workflow validates.
        folder: private; copy, task and log lie in it, and it goes when the training is done.
        seed: of the training.
        epochs: in place of the bundle's own; None takes those.
        device: `cpu`, `cuda` or `auto`, which leaves it to the bundle.
    """

    select = "last"

    def __init__(
        self,
        bundle: ForeignBundle,
        *,
        records: Sequence[Record],
        selection: Sequence[Record],
        folder: Path,
        seed: int,
        epochs: int | None,
        device: str,
        threads: int = 0,
    ) -> None:
        self.bundle, self.folder, self.seed = bundle, Path(folder), int(seed)
        self.records, self.selection = list(records), list(selection)
        self.epochs, self.device, self.threads = epochs, device, int(threads)
        self.state = SimpleNamespace(epoch=0)
        self._weights: dict[str, torch.Tensor] = {}

    def run(self) -> None:
        """Train.

        Raises:
            InputError: the bundle's workflow fails; its last line is told, the log is named.
        """
        shutil.rmtree(self.folder, ignore_errors=True)  # of a training that was interrupted
        self.folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.mkdir(mode=0o700)
        copy, weights, log = self.folder / self.bundle.name, self.folder / "trained.pt", self.folder / "training.log"
        without_weights(self.bundle.folder.root, copy)
        task = self.folder / "task.json"
        # Not announced as a file of a run: it goes with the folder.
        task.write_text(json.dumps(self._task(copy, weights)), encoding="utf-8")
        print(f"training {len(self.records)} images by the workflow of {self.bundle.name}; log: {log}", flush=True)
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": ""}
        with log.open("w", encoding="utf-8") as output:
            done = subprocess.run(
                [sys.executable, str(PROGRAM), str(task.resolve())],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=environment,
                check=False,
            )
        if done.returncode or not weights.is_file():
            raise InputError(
                f"{self.bundle.folder.train}: its own training ended with code {done.returncode}: {_last_line(log)};"
                f" the log is {log}"
            )
        found = torch.load(weights, map_location="cpu", weights_only=True)
        self._weights, self.state.epoch = found["model"], int(found["epochs"])
        shutil.rmtree(self.folder)

    def chosen(self) -> Mapping[str, torch.Tensor]:
        """The weights after the last epoch."""
        return self._weights

    def summary(self) -> dict[str, Any]:
        """What is told of the choice: nothing, for the last epoch is no choice."""
        return {}

    def _task(self, copy: Path, weights: Path) -> dict[str, Any]:
        content = read_plain(self.bundle.folder.train)
        root = copy.resolve()
        overrides: dict[str, Any] = self.bundle.places(str(root), content)
        overrides |= {name: str(root / place) for name, place in OUTPUTS.items() if name in content}
        if self.epochs is not None:
            overrides[MOST_EPOCHS] = self.epochs
        lists = {TRAINED_ON: self.records}
        if self.bundle.has(VALIDATED_ON):
            lists[VALIDATED_ON] = self.selection
        return {
            "root": str(root),
            "config": str(root / self.bundle.folder.train.relative_to(self.bundle.folder.root)),
            "metadata": str(root / "configs" / "metadata.json"),
            "overrides": overrides,
            "lists": {name: [_entry(record) for record in records] for name, records in lists.items()},
            "device": "" if self.device == "auto" else self.device,
            "seed": self.seed,
            "threads": self.threads,
            "weights": str(weights.resolve()),
        }


def _entry(record: Record) -> dict[str, Any]:
    return {"image": record["image"], "label": record["label"]}


def without_weights(root: Path, copy: Path) -> None:
    """Copy a bundle without its weights: none of its models may begin as one that saw everybody."""

    def left_out(folder: str, names: list[str]) -> set[str]:
        inside = Path(folder).relative_to(root)
        return {name for name in names if name in LEFT_OUT or is_weights(inside / name)}

    shutil.copytree(root, copy, ignore=left_out, symlinks=False)
    (copy / "models").mkdir(exist_ok=True)
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "nothing was said"
