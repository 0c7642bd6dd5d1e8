"""The front door of a workflow: its parts, its folder, its identity, and how its phase begins and ends."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts import processes
from scripts.settings.given import Settings
from scripts.workspace.embedding_parts import EmbeddingParts

if TYPE_CHECKING:
    from scripts.identity import Identity
    from scripts.record.phase import Phase
    from scripts.record.run_folder import RunFolder
    from scripts.settings.command_line import CommandLine
    from scripts.student.student import Student


class Workspace(EmbeddingParts):
    """Made by a workflow file as `workspace`, which refers to its parts as `$@workspace.cohort` and the like."""

    def begin(self) -> None:
        """First step of a workflow; restoration is refused where the method of the run has no such phase."""
        super().begin()
        if self.workflow == "restore":
            from scripts.record.trial import require_phase

            require_phase(self.folder, self.workflow)

    def end(self) -> None:
        """Last step of a workflow: what was computed of the files is kept, the other processes are left, and the folder
        is given back, for a notebook or a server goes on after it.

        A command that was refused does not come here: it leaves the folder of the models as it was.
        """
        if "digests" in self.__dict__ and processes.first():
            self.digests.save()
        if self.line is not None and processes.first():
            self._close(self.line)
        super().end()
        if "folder" in self.__dict__:
            self.folder.end()

    def _close(self, line: CommandLine) -> None:
        """Say on the terminal what lies where and what comes next."""
        from scripts.report.closing import closing

        folder = self.__dict__.get("folder")
        phases = self.method.phases if self.workflow == "forget" else ()
        lines = closing(
            self.workflow,
            line,
            settings=self.settings,
            folder=folder.root if folder is not None else None,
            after_forget="restore" if "restore" in phases else "evaluate",
        )
        if lines:
            print("\n".join(lines), flush=True)

    # -- the folder of the run

    @cached_property
    def folder(self) -> RunFolder:  # type: ignore[override]
        """The folder of the run; that of an existing run where the workflow goes on from one without its data."""
        from scripts.cohort.build import request_name
        from scripts.record.run_folder import RunFolder
        from scripts.record.trial import trial_folder

        if self.workflow in ("revert", "verify", "commit", "export"):
            return trial_folder(output_dir=self.settings.output_dir, request=self.settings.request)
        named = {"train": f"train_{self._get('dataset_name', '')}", "verifier_study": "verifier_study"}
        named |= {"prepare": "prepare", "tune": "tune", "embed": f"embed_{self._get('dataset_name', '')}"}
        if self.workflow == "compare":
            named["compare"] = f"compare_{request_name(self.cohort)}"
        name = named.get(self.workflow) or request_name(self.cohort)
        return RunFolder(output_dir=self.settings.output_dir, name=name)

    @cached_property
    def checked_folder(self) -> RunFolder:
        """The folder, after checking that this workflow belongs to the run in it."""
        from scripts.record.resolution import compare_resolution

        folder = self.phase.goes_on()
        compare_resolution(folder=folder, cohort=self.cohort)
        return folder

    @property
    def evaluated_folder(self) -> RunFolder:
        """The folder of the run that is evaluated; a folder of its own where other weights are given."""
        return self.folder if self.settings.student_path else self.checked_folder

    @cached_property
    def frozen(self) -> Any:
        """The store of what no trained weight changes."""
        from scripts.frozen.cache import FrozenCache

        return FrozenCache(folder=self.folder.cache / "frozen", megabytes=self.settings.frozen_budget)

    # -- identity and phase

    @cached_property
    def identity(self) -> Identity:
        """What the result of this phase follows from."""
        from scripts.identity import Identity, code_identity, file_digest

        model = {"teacher": file_digest(self.teacher_path)}
        if self.uses_pool:
            from scripts.engines.reference import used_members

            model |= {path.name: file_digest(path) for path in used_members(self.cohort, self.fold_dir)}
        procedure = self.settings.procedure()
        if self.workflow == "forget":
            # What was open in the config has a value here, so that a changed recipe is another procedure.
            procedure |= self.method.as_settings()
        return Identity(data=self.contents, model=model, procedure=procedure, code=code_identity())

    @property
    def needs_reference(self) -> bool:
        """Whether the fold teachers are asked in this phase; restoration asks those that forgetting asked, or none."""
        from scripts.record.phase import asked_fold_teachers

        if self.workflow == "restore":
            return self.asks_reference and asked_fold_teachers(self.folder)
        return super().needs_reference

    @cached_property
    def phase(self) -> Phase:
        """This step of the run in its folder: whether it may begin, and whether it is done."""
        from scripts.record.phase import Phase

        return Phase(name=self.workflow, folder=self.folder, identity=self.identity, shared=self.settings.shared())

    def run(self, engine: Any) -> None:
        """Run the phase's engine in the run's folder, unless it is done."""
        from scripts.record.resolution import compare_resolution

        if self.workflow == "forget" and processes.first():
            print(f"method: {self.method.name}: {self.choice.reason}", flush=True)
        if self.phase.check():
            self.folder.require_trial()  # a finished run without its records is not handed back as done
        compare_resolution(folder=self.folder, cohort=self.cohort)
        self.phase.run(engine, before=self._write_resolution if self.workflow == "forget" else None)

    def _write_resolution(self) -> None:
        """What the request was taken to mean, before the first step."""
        from scripts.record.resolution import WriteResolution

        WriteResolution(
            folder=self.folder,
            cohort=self.cohort,
            prints=self.prints if self.settings.near_duplicates else None,
            loaders=self.loaders,
            needs_images=bool(self.looked_at),
        )()

    # -- handlers that every engine has

    @property
    def phase_name(self) -> str:
        """Name of the phase in histories and times."""
        return f"train_{self.model_path.stem}" if self.workflow == "train" else self.workflow

    @property
    def checkpoint(self) -> Path:
        """The state from which an interrupted phase goes on: of this identity and no other."""
        identity = self.training_identity if self.workflow == "train" else self.identity
        return self.folder.checkpoint(f"{self.phase_name}_{identity.digest[:16]}")

    def tracking_uri(self, experiment: str) -> str:
        """Address of the database of `--tracking mlflow`."""
        from scripts.record.tracking import tracking_uri

        return tracking_uri(self.folder.tracking, experiment=str(experiment))

    def history(self, validator: Any = None) -> Any:
        """Losses and metrics of the phase."""
        from scripts.engines.handlers import History

        folder = self.folder
        return History(path=folder.history, phase=self.phase_name, tensorboard=folder.tensorboard, validator=validator)

    def timing(self) -> Any:
        """What the phase costs."""
        from scripts.record.timing import Timing

        train = self.workflow == "train"
        own = {} if train else {"frozen": self.frozen, "loaders": self.loaders}
        return Timing(path=self.folder.timing, phase=self.phase_name, **own)

    # -- the student

    def trial_student(self, *, open_head: bool = False) -> Student:
        """The student of the run in its folder."""
        from scripts.record.trial import load_trial

        folder = self.folder if self.workflow == "revert" else self.checked_folder
        return load_trial(folder=folder, teacher=self.teacher, arithmetic=self.arithmetic, open_head=open_head)

    def save_student(self, student: Student) -> Any:
        """The handler that writes the student when its phase ends."""
        from scripts.record.outcome import SaveStudent

        noted = {"goal": self.settings.goal, **self.noted()} if self.workflow == "forget" else {}
        return SaveStudent(folder=self.folder, student=student, phase=self.workflow, noted=noted)


def settings_of(values: Mapping[str, Any], workflow: str) -> Settings:
    """Settings for a workspace that no config makes: a workflow's defaults, and `values` on top."""
    from scripts.settings.schema import SETTINGS
    from scripts.settings.values import read_value
    from scripts.settings.workflows import WORKFLOWS

    own = WORKFLOWS[workflow]
    found = {name: own.defaults.get(name, SETTINGS[name].default) for name in own.names}
    return Settings(workflow, found | {name: read_value(SETTINGS[name], value) for name, value in values.items()})
