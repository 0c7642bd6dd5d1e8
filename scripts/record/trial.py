"""The trial state: base and detachable adapter. It can be taken up again, and taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.engines.arithmetic import Arithmetic
from scripts.errors import InputError
from scripts.files import write_tensors
from scripts.record.run_folder import RunFolder
from scripts.request import read_request
from scripts.student.storage import RECORD, load_student
from scripts.student.student import Student
from torch import nn


def trial_folder(*, output_dir: str, request: str) -> RunFolder:
    """The folder of an existing run.

    Raises:
        InputError: there is no run, or its record is damaged.
        Refused: its record is missing.
    """
    root = Path(output_dir) if output_dir else Path("eval") / read_request(request).request_id
    folder = RunFolder(output_dir=root)
    if not folder.read_state():
        raise InputError(f"output_dir: {root} holds no run; give the folder that `forget` wrote")
    return folder


def load_trial(*, folder: RunFolder, teacher: nn.Module, arithmetic: Arithmetic, open_head: bool = False) -> Student:
    """The student of the run, made for this teacher, on the device.

    Raises:
        InputError: no student in the folder, or one of another teacher.
        Refused: the run was reverted or committed; a record of it is missing.
    """
    folder.refuse_ended()
    if not (folder.adapter / RECORD).is_file():
        raise InputError(f"{folder.adapter}: no student; run forget first, with the same output_dir")
    # Restoration trains on what is retained: without the record of what was forgotten it could train on that.
    folder.require_trial(resolution=open_head)
    student = load_student(teacher, folder.adapter)
    arithmetic.place(student.network)
    if open_head:
        student.open_head()
    return student


def forgotten_weights(folder: RunFolder) -> str:
    """Digest of the student as forgetting left it: restoration goes on from this one and no other.

    Raises:
        InputError: forgetting has not ended in this folder.
    """
    found = (folder.read_state().get("forget") or {}).get("weights")
    if not isinstance(found, str):
        raise InputError(f"output_dir: {folder.root} holds no student; run forget first, with the same output_dir")
    return found


def require_phase(folder: RunFolder, phase: str) -> None:
    """Raise InputError where the method that made the run's student has no such phase."""
    state = folder.read_state()
    phases = state.get("phases", [phase])
    if phase not in phases:
        raise InputError(
            f"{phase}: the student in {folder.root} was made by {state.get('method')}, which ends with {phases[-1]};"
            " go on with evaluate"
        )


class Reversal:
    """Write the teacher, bit for bit, and take the student away."""

    def __init__(self, *, folder: RunFolder, student: Student) -> None:
        self.folder, self.student = folder, student

    def run(self) -> None:
        """Revert; the student stays in `private/` until the run is committed or deleted."""
        state: dict[str, Any] = {name: value.cpu() for name, value in self.student.revert().state_dict().items()}
        self.folder.begin()
        write_tensors(self.folder.release / "teacher.pt", state)
        self.folder.student.unlink(missing_ok=True)
        self.folder.note(state="reverted")
        self.folder.write_manifest()
        print("reverted: release/teacher.pt is the teacher bit for bit; release/student.pt is gone")
