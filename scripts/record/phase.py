"""One step of a run in its folder: it begins only where it belongs, and is done once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ignite.engine import Engine
from scripts import processes
from scripts.errors import InputError, Refused, user_error
from scripts.files import read_json, write_json
from scripts.identity import Identity, file_digest
from scripts.identity.identity import plain_digest
from scripts.methods.recipe import SETTINGS as RECIPE
from scripts.methods.registry import DEFAULT, method_class
from scripts.record.run_folder import RunFolder

FIRST = "forget"  # the phase that begins a run; every other one goes on from it
MAKING = ("forget", "restore")  # the phases that make a student
DECIDING = ("goal", "method", "schedule", "reference", "trainable")  # settings from which those of a recipe follow
BETWEEN = ("data", "membership", "model", "procedure")  # parts that two phases of a run have in common


class Phase:
    """A phase of a run, its identity, and the record `private/identity.json` of the phases before it.

    Args:
        name: of the phase.
        folder: of the run.
        identity: what the phase's result follows from.
        shared: settings that all phases of a run must have in common.
    """

    def __init__(self, *, name: str, folder: RunFolder, identity: Identity, shared: Mapping[str, Any]) -> None:
        self.name, self.folder, self.identity = name, folder, identity
        self.common = replace(identity, procedure=dict(shared))

    def check(self) -> bool:
        """Whether the phase is done already; nothing is written.

        Raises:
            Refused: the run was reverted or committed.
            InputError: the folder holds another run, or the phase before this one is missing.
        """
        self.folder.refuse_ended()
        record = read_identities(self.folder)
        if self.name != FIRST:
            self._goes_on(record)
        elif FIRST not in record and self._holds_something():
            raise InputError(
                f"output_dir: {self.folder.root} holds a run whose record {self.folder.identity} is missing;"
                " give another output_dir"
            )
        before = record.get(self.name)
        if before is None:
            return False
        if found := self.identity.differs(Identity.read(before, where=self.folder.identity)):
            raise InputError(
                f"output_dir: {self.folder.root} holds another run ({_told(found)}); give another output_dir"
            )
        return bool(before.get("done")) and self._whole()

    def run(self, engine: Engine, *, before: Callable[[], None] | None = None) -> None:
        """Run the engine to its end, or say that it was done.

        Args:
            before: what is written before the first step.
        """
        if processes.once(self.check):
            if processes.first():
                print(f"{self.name}: already done in {self.folder.root}; nothing was changed")
            return
        processes.once(self.folder.begin)
        if before is not None:
            before()
        processes.once(lambda: self._note(done=False))
        try:
            engine.run()
        except Exception as error:
            if user_error(error) is not None:
                processes.once(self._take_back)
            raise
        processes.once(lambda: self._note(done=True))

    def goes_on(self) -> RunFolder:
        """The folder, after checking that this step belongs to the run in it.

        Raises:
            Refused: the run was reverted or committed.
            InputError: there is no run, or one with something else.
        """
        self.folder.refuse_ended()
        self._goes_on(read_identities(self.folder))
        return self.folder

    def _goes_on(self, record: Mapping[str, Any]) -> None:
        if not record.get(FIRST, {}).get("done"):
            raise InputError(f"output_dir: {self.folder.root} holds no finished run of forget; run forget first")
        first = Identity.read(record[FIRST], where=self.folder.identity)
        found = self.common.differs(replace(first, model=self._same_models(first)), parts=BETWEEN)
        if found:
            raise InputError(
                f"output_dir: {self.folder.root} holds another run ({_told(found)}); give the request and the settings"
                " of that run, or another output_dir"
            )
        self.folder.require_trial()
        if not self._whole():
            raise Refused(f"output_dir: {self.folder.student} is not the student that the run wrote; run forget again")

    def _same_models(self, first: Identity) -> dict[str, str]:
        """The models of the first phase that this one uses too: not every phase asks the fold teachers."""
        return {name: digest for name, digest in first.model.items() if name in self.common.model}

    def _whole(self) -> bool:
        """Whether the student is what the last phase wrote."""
        noted = self.folder.read_state().get("student")
        return self.folder.student.is_file() and noted == file_digest(self.folder.student)

    def _holds_something(self) -> bool:
        return self.folder.student.exists() or self.folder.adapter.exists() or self.folder.resolution.exists()

    def _take_back(self) -> None:
        """Remove the records of a first phase that ended with bad input before it had made anything.

        The folder then takes the same command again once the input is mended, and holds no run that there never was.
        """
        begun = any(self.folder.checkpoints.glob(f"{self.name}_*.pt"))
        if self.name == FIRST and not begun and not self.folder.student.exists():
            for path in (self.folder.identity, self.folder.resolution):
                path.unlink(missing_ok=True)

    def _note(self, *, done: bool) -> None:
        # What later phases made of an earlier student is gone once that phase runs again.
        record = {} if self.name == FIRST else read_identities(self.folder)
        write_json(self.folder.identity, {**record, self.name: {**self.identity.as_dict(), "done": done}})


def read_identities(folder: RunFolder) -> dict[str, Any]:
    """Phase -> its identity and whether it is done; empty for a new run."""
    if not folder.identity.exists():
        return {}
    found = read_json(folder.identity, remedy="run forget again, in another output_dir")
    if not all(isinstance(entry, dict) for entry in found.values()):
        raise InputError(f"{folder.identity}: not a readable record of a run; run forget again, in another output_dir")
    return found


def asked_fold_teachers(folder: RunFolder) -> bool:
    """Whether forgetting looked at fold teachers; True where that is not on record."""
    first = read_identities(folder).get(FIRST)
    if first is None:
        return True
    return any(name != "teacher" for name in Identity.read(first, where=folder.identity).model)


def made_by(folder: RunFolder) -> dict[str, dict[str, Any]]:
    """Phase -> settings that its method found where the config left them open; the phases that make the student.

    A run of an earlier version names no phases: it was made by both.
    """
    phases = folder.read_state().get("phases", MAKING)
    first = read_identities(folder).get(FIRST)
    if first is None:
        return {phase: {} for phase in phases}
    procedure = Identity.read(first, where=folder.identity).procedure
    found = {name: procedure[name] for name in ("method", *RECIPE) if procedure.get(name) is not None}
    return {phase: found if phase == FIRST else {} for phase in phases}


def made_exact(state: Mapping[str, Any], identity: Identity) -> bool:
    """Whether nothing of what was ever forgotten can be in the student, by construction.

    That is so for a model that was trained without it, and for `fold_start` with `exact: true` from a member that was
    never trained on any of it; a member that unlearned somebody since is shown by test alone.

    Args:
        state: of the run.
        identity: of forgetting.
    """
    own = method_class(str(identity.procedure.get("method", DEFAULT)))
    exact = own.is_exact or identity.procedure.get("exact") is True
    return state.get("goal") == "unlearn" and exact and not state.get("unlearned_members")


def procedure_digest(root: str | Path) -> str:
    """Digest of all settings of all phases by which the student in a run's folder was made, the seed apart.

    Two students with the same digest were made by the same procedure; empty where the folder holds no run.
    """
    path = Path(root) / "private" / "identity.json"
    if not path.is_file():
        return ""
    found = read_json(path, remedy="run forget again, in another output_dir")
    phases = {name: Identity.read(found[name], where=path).procedure for name in MAKING if name in found}
    return plain_digest({name: {**procedure, "seed": None} for name, procedure in phases.items()})


def _told(differences: list[str]) -> str:
    """The first two differences, and how many more there are; settings from which others follow stand first."""
    differences = sorted(differences, key=lambda told: told.partition(":")[0] not in DECIDING)
    more = f", and {len(differences) - 2} more" if len(differences) > 2 else ""
    return "; ".join(differences[:2]) + more
