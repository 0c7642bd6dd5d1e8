"""The committed student as the teacher of the next request: weights, who is in it, the split, and its lineage."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.cohort.model_record import ModelRecord
from scripts.cohort.split_file import FILE_NAME as SPLIT
from scripts.errors import InputError, Refused
from scripts.files import write_bytes
from scripts.identity import file_digest
from scripts.identity.identity import plain_digest
from scripts.record.lineage import FILE_NAME, Descent, Lineage

MODEL = "model.pt"


class Successor:
    """Writes a folder that a workflow takes as `model_dir`; nothing in it names a patient.

    Args:
        folder: new, or left by an interrupted commit of the same run.
        teacher: file of the student's original, with its record, split and lineage beside it.
        student: file of the committed weights.
    """

    def __init__(self, folder: str | Path, *, teacher: str | Path, student: str | Path) -> None:
        self.folder, self.teacher, self.student = Path(folder), Path(teacher), Path(student)

    def check(self) -> None:
        """Whether the folder can be written, before anything is destroyed.

        Raises:
            InputError: the teacher has no record of who was in it, or no split.
            Refused: the folder holds something else.
        """
        record = ModelRecord.read(self.teacher)
        if record is None or record.membership is None:
            raise InputError(f"{self.teacher}: has no record of who was in it; without one no successor can be made")
        if not self._split.is_file():
            raise InputError(f"{self._split}: no such file; the successor would lack the recorded split")
        Lineage.read(self.teacher.parent / FILE_NAME)
        there = self.folder / MODEL
        if os.path.lexists(self.folder) and not self.folder.is_dir():
            raise InputError(f"next_dir: {self.folder} is a file; a folder is needed")
        if there.exists() and file_digest(there) != file_digest(self.student):
            raise Refused(f"next_dir: {there} is another model; give a folder of its own")

    def write(self, *, forgotten: Mapping[str, Sequence[str]], descent: Mapping[str, Any]) -> Lineage:
        """Fill the folder; the weights last, so that a folder with weights is whole.

        Args:
            forgotten: patient -> image ids that the student no longer holds.
            descent: of the student, without its model and membership; see `Descent`.

        Returns:
            The student's lineage.
        """
        record = ModelRecord.read(self.teacher)
        assert record is not None
        left, digest = record.without(forgotten), file_digest(self.student)
        lineage = descended(self.teacher, record, student=digest, forgotten=forgotten, descent=descent)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        target = self.folder / MODEL
        write_bytes(self.folder / SPLIT, self._split.read_bytes())
        lineage.write(self.folder / FILE_NAME)
        left.write(target, weights=digest)
        write_bytes(target, self.student.read_bytes())
        return lineage

    @property
    def _split(self) -> Path:
        return self.teacher.parent / SPLIT


def descended(
    teacher: Path,
    record: ModelRecord | None,
    *,
    student: str,
    forgotten: Mapping[str, Sequence[str]],
    descent: Mapping[str, Any],
) -> Lineage:
    """The lineage of a student; a teacher that was trained here, and has none yet, begins one.

    Args:
        teacher: its file; its lineage lies beside it.
        record: of the teacher; None where it has none.
        student: SHA-256 of the weights.
        forgotten, descent: as of `Successor.write`.
    """
    known, digest = Lineage.read(teacher.parent / FILE_NAME), file_digest(teacher)
    if known.model != digest:
        known = Lineage(where=known.where).then(Descent(model=digest, membership=_who(record)))
    left = record.without(forgotten) if record is not None and record.membership is not None else None
    return known.then(Descent(model=student, membership=_who(left), **descent))


def _who(record: ModelRecord | None) -> str:
    """Digest of who was in a model; empty where that is not on record."""
    return "" if record is None or record.membership is None else plain_digest(record.membership.as_json())
