"""Settings of a run, and what follows from them alone: processes and files."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts import errors
from scripts.errors import InputError
from scripts.settings.given import Settings, line_of, read_settings, resolved
from scripts.settings.running import Running, running

if TYPE_CHECKING:
    from scripts.foreign.bundle import ForeignBundle
    from scripts.processes import Processes
    from scripts.record.run_folder import RunFolder
    from scripts.settings.command_line import CommandLine

WRITTEN = ("output_dir", "model_dir", "fold_dir", "reference_dir")  # folders that a command writes into


class SettingsParts:
    """The settings of a workflow, read and checked.

    Args:
        workflow: name of the workflow, a key of `WORKFLOWS`.
        settings: its settings; None reads them from the config that is being evaluated.

    Raises:
        InputError: a setting is unknown, has another type or is out of range.
    """

    def __init__(self, *, workflow: str, settings: Settings | None = None) -> None:
        self.workflow = workflow
        self._network_block: Any = None
        self.by_command_line = False
        self.line: CommandLine | None = None
        run: Running | None = None
        if settings is None:
            run = running()
            self.by_command_line = run.by_command_line
            if run.by_command_line:
                errors.install()
                self.line = line_of(run)
                # ignite and MONAI log an exception before it reaches the hook; the operator reads one line.
                for name in ("ignite", "monai"):
                    logging.getLogger(name).setLevel(logging.CRITICAL)
            handed = None
            if workflow == "train":
                from scripts.label.handed import taken_from_label

                run, handed = taken_from_label(run)
            settings = read_settings(run, workflow)
            if handed is not None:
                places = {"model_dir": settings.model_dir, "bundle_root": settings.bundle_root}
                settings = settings.with_values(handed.settings(**places))
                for name, value in settings.items():
                    if name in run.config:
                        run.put(name, value)
            if settings.blocks:
                self._network_block = _seeded_block(run, settings.get("seed", 0))
        self.settings = settings
        if self.foreign is not None and "dataset_name" in settings:
            self.settings = settings.with_values(self.foreign.settings)
            for name, value in self.foreign.settings.items():
                if run is not None and name in run.config:
                    run.put(name, value)  # for what refers to it in the config

    @cached_property
    def foreign(self) -> ForeignBundle | None:
        """Somebody else's bundle, scanned; None where the model is of this one."""
        path = self._get("foreign", "")
        if not path:
            return None
        from scripts.foreign.bundle import ForeignBundle
        from scripts.workspace.shared import shared

        for name in WRITTEN:
            written = self._get(name, "")
            if written and Path(written).resolve().is_relative_to(Path(path).expanduser().resolve()):
                raise InputError(
                    f"{name}: {written} lies in the foreign bundle, which is never changed; give a folder elsewhere"
                )
        own = {"trust": self._get("trust_foreign", ""), "dataset_dir": self._get("dataset_dir", "")}
        own["task"] = self.settings.given.get("task", "")
        return shared("foreign", [path, own], lambda: ForeignBundle(path, **own))

    @cached_property
    def processes(self) -> Processes:
        """The processes that torchrun started; one alone otherwise."""
        from scripts.processes import Processes

        return Processes(distributed=self._get("distributed", False), device=self.settings.device)

    @cached_property
    def teacher_path(self) -> Path:
        """File of the teacher."""
        from scripts.engines.models import model_path

        return model_path(model_dir=self.settings.model_dir, model_name=self.settings.model_name)

    @cached_property
    def model_path(self) -> Path:
        """File of the model that is trained: the teacher, or a fold teacher."""
        from scripts.engines.models import model_path

        return model_path(**self._some(["model_dir", "model_name", "fold", "member"]))

    @cached_property
    def split_path(self) -> Path:
        """File of the recorded split."""
        from scripts.cohort.split_file import FILE_NAME

        return Path(self._get("split_dir", "") or self._beside) / FILE_NAME

    @property
    def _beside(self) -> Path:
        """Folder of what a model's data are known by: that of the models, or of a run that makes none."""
        return Path(self.settings.model_dir) if "model_dir" in self.settings else self.folder.private

    @property
    def fold_dir(self) -> str:
        """Folder of the fold teachers."""
        return self._get("fold_dir", "") or str(self._beside)

    @property
    def asks_reference(self) -> bool:
        """Whether the settings ask for fold teachers, as far as goal and reference say."""
        return self._get("goal", "") == "unlearn" and self._get("reference", "none") == "fold"

    @property
    def folder(self) -> RunFolder:
        """The folder of the run."""
        raise NotImplementedError

    def _get(self, name: str, default: Any) -> Any:
        return self.settings.get(name, default)

    def _some(self, names: Any) -> dict[str, Any]:
        """Those of the settings that this workflow has."""
        return {name: self.settings[name] for name in names if name in self.settings}


def _seeded_block(run: Running, seed: int) -> Any:
    """The network of a block `network_def`, with initial weights by the seed, whatever else drew before."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(seed))
        return resolved(run, "network_def")
