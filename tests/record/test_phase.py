"""A phase begins only in a folder of its own run, goes on from the one before it, and is done once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scripts.errors import InputError, Refused
from scripts.files import write_bytes, write_json
from scripts.identity import Identity, file_digest
from scripts.record.phase import Phase
from scripts.record.run_folder import RunFolder

DATA = {"forget": {"01": {"a": "x"}}, "retain": {"02": {"b": "y"}}}
SHARED = {"image_size": 64}


class Engine:
    """Writes a student, as a phase does."""

    def __init__(self, folder: RunFolder, content: bytes = b"student") -> None:
        self.folder, self.content, self.runs = folder, content, 0

    def run(self) -> None:
        self.runs += 1
        self.folder.release.mkdir(parents=True, exist_ok=True)
        write_bytes(self.folder.student, self.content)
        write_bytes(self.folder.adapter / "student.json", b"{}")
        self.folder.note(state="trial", goal="unlearn", student=file_digest(self.folder.student))


def write_resolution(folder: RunFolder) -> None:
    write_json(folder.resolution, {})


def identity(**changes: Any) -> Identity:
    own = Identity(data=DATA, model={"teacher": "t"}, procedure={**SHARED, "seed": 0}, code={"version": "1"})
    return replace(own, **changes)


def phase(folder: RunFolder, name: str = "forget", *, shared: Any = SHARED, **changes: Any) -> Phase:
    return Phase(name=name, folder=folder, identity=identity(**changes), shared=shared)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(output_dir=tmp_path / "run", log=False)


@pytest.fixture
def forgotten(folder: RunFolder) -> RunFolder:
    phase(folder).run(Engine(folder), before=lambda: write_resolution(folder))
    return folder


OTHER = {"forget": {"07": {"c": "x"}}, "retain": {"02": {"b": "y"}}}
CHANGED = {"forget": {"01": {"a": "new"}}, "retain": {"02": {"b": "y"}}}


def test_a_phase_is_done_once(forgotten: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    engine = Engine(forgotten, b"other")
    phase(forgotten).run(engine)
    assert engine.runs == 0 and forgotten.student.read_bytes() == b"student"
    assert "forget: already done" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": OTHER}, "forget: patient '07' not '01'"),
        ({"data": CHANGED}, "image 'a' holds other content"),
        ({"model": {"teacher": "u"}}, "teacher is another file"),
        ({"procedure": {**SHARED, "seed": 3}}, "seed: 3 not 0"),
        ({"code": {"version": "2"}}, "code: version 2"),
    ],
)
def test_another_run_in_the_folder_is_refused_by_name(forgotten: RunFolder, changes: Any, said: str) -> None:
    before = {path: path.read_bytes() for path in forgotten.root.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=said):
        phase(forgotten, **changes).run(Engine(forgotten))
    assert before == {path: path.read_bytes() for path in forgotten.root.rglob("*") if path.is_file()}


def test_what_is_written_first_is_written_after_the_check(forgotten: RunFolder) -> None:
    written: list[str] = []
    with pytest.raises(InputError):
        phase(forgotten, data=OTHER).run(Engine(forgotten), before=lambda: written.append("resolution"))
    assert written == []


def test_restore_goes_on_with_settings_of_its_own(forgotten: RunFolder) -> None:
    procedure = {**SHARED, "seed": 5, "restore_steps": 3}
    engine = Engine(forgotten, b"restored")
    phase(forgotten, "restore", procedure=procedure).run(engine)
    assert engine.runs == 1
    # The unrestored student never comes back.
    phase(forgotten).run(Engine(forgotten, b"unrestored"))
    assert forgotten.student.read_bytes() == b"restored"


@pytest.mark.parametrize(
    ("changes", "shared", "said"),
    [
        ({"data": OTHER}, SHARED, "forget: patient '07' not '01'"),
        ({}, {"image_size": 128}, "image_size: 128 not 64"),
        ({"model": {"teacher": "u"}}, SHARED, "teacher is another file"),
    ],
)
def test_a_step_of_another_run_does_not_go_on(forgotten: RunFolder, changes: Any, shared: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        phase(forgotten, "restore", shared=shared, **changes).run(Engine(forgotten))
    with pytest.raises(InputError, match=said):
        phase(forgotten, "evaluate", shared=shared, **changes).goes_on()


def test_without_forget_nothing_goes_on(folder: RunFolder) -> None:
    with pytest.raises(InputError, match="holds no finished run of forget"):
        phase(folder, "restore").run(Engine(folder))


def test_an_interrupted_forget_is_no_finished_one(folder: RunFolder) -> None:
    class Killed(Engine):
        def run(self) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        phase(folder).run(Killed(folder))
    with pytest.raises(InputError, match="holds no finished run of forget"):
        phase(folder, "restore").goes_on()
    engine = Engine(folder)
    phase(folder).run(engine)
    assert engine.runs == 1


@pytest.mark.parametrize("name", ["resolution.json", "state.json", "adapter/student.json"])
def test_without_its_records_a_run_does_not_go_on(forgotten: RunFolder, name: str) -> None:
    (forgotten.private / name).unlink()
    for step in ("restore", "evaluate"):
        with pytest.raises(InputError, match=f"{name}: is missing"):
            phase(forgotten, step).goes_on()


def test_another_student_in_its_place_is_refused(forgotten: RunFolder) -> None:
    forgotten.student.write_bytes(b"handwritten")
    with pytest.raises(Refused, match="student.pt is not the student that the run wrote"):
        phase(forgotten, "evaluate").goes_on()


@pytest.mark.parametrize("content", ["{x", "[]", '{"forget": 3}', '{"forget": {"done": true}}'])
def test_a_damaged_record_is_named(forgotten: RunFolder, content: str) -> None:
    forgotten.identity.write_text(content)
    with pytest.raises(InputError, match="identity.json"):
        phase(forgotten).run(Engine(forgotten))


def test_a_folder_whose_record_is_gone_is_not_taken_for_a_new_one(forgotten: RunFolder) -> None:
    forgotten.identity.unlink()
    with pytest.raises(InputError, match="whose record .* is missing"):
        phase(forgotten).run(Engine(forgotten))
    with pytest.raises(InputError, match="holds no finished run of forget"):
        phase(forgotten, "restore").goes_on()


def test_the_record_lies_in_private_and_names_the_settings(forgotten: RunFolder) -> None:
    assert forgotten.identity.parent == forgotten.private
    record = json.loads(forgotten.identity.read_text())
    assert record["forget"]["procedure"]["image_size"] == 64 and record["forget"]["done"] is True
