"""Whether somebody was in a model, in what it descends from, and in its pool."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripts.cohort.membership import Membership
from scripts.cohort.model_record import ModelRecord
from scripts.errors import InputError
from scripts.files import write_bytes, write_json
from scripts.identity import file_digest
from scripts.record import __main__ as record
from scripts.record.keys import HospitalKeys
from scripts.record.saw import answers
from scripts.release.successor import Successor
from tests.release.test_successor import RECORDS, SPLIT


@pytest.fixture
def hospital(tmp_path: Path) -> tuple[Path, HospitalKeys]:
    """A successor that forgot p1, with two fold teachers, one of which saw him."""
    keys = HospitalKeys.create(tmp_path / "keys")
    teacher, student = tmp_path / "models" / "model.pt", tmp_path / "student.pt"
    write_bytes(teacher, b"teacher")
    write_bytes(student, b"student")
    ModelRecord("phantom", split=SPLIT, membership=Membership.of(RECORDS, "salt")).write(teacher)
    write_json(teacher.parent / "split.json", {"salt": "salt"})
    hidden = (keys.hide("patient", "p1"), keys.hide("image", "p1-0"), keys.hide("image", "p1-1"))
    descent = {"method": "fold_start", "exact": True, "request": "r", "verdict": "PASS", "forgotten": hidden}
    successor = Successor(tmp_path / "next", teacher=teacher, student=student)
    successor.write(forgotten={"p1": ["p1-0", "p1-1"]}, descent={**descent, "parents": (file_digest(teacher),)})
    for fold, trained in enumerate((RECORDS[:2], RECORDS[2:])):
        path = successor.folder / f"model_fold{fold}.pt"
        write_bytes(path, b"fold")
        ModelRecord("phantom", split=SPLIT, fold=fold, membership=Membership.of(trained, "salt")).write(path)
    return successor.folder, keys


def test_the_model_its_ancestors_and_its_pool(hospital: tuple[Path, HospitalKeys]) -> None:
    folder, keys = hospital
    found = list(answers(folder / "model.pt", "p1", level="patient", keys=[keys]))
    assert [one.saw for one in found] == [False, True, False, True]
    assert found[1].why == "forgotten by fold_start, by construction"
    assert [one.saw for one in answers(folder / "model.pt", "p1-0", level="image", keys=[keys])] == [
        False,
        True,
        False,
        True,
    ]
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    apart = answers(folder / "model.pt", "p1", level="patient", keys=[keys], pool=elsewhere)
    assert [one.saw for one in apart] == [False, True]
    kept = list(answers(folder / "model.pt", "p0", level="patient", keys=[keys]))
    assert [one.saw for one in kept] == [True, True, True, False]


def test_the_command(hospital: tuple[Path, HospitalKeys], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, _ = hospital
    model, keys = str(folder / "model.pt"), str(tmp_path / "keys")
    assert record.main(["saw", model, "--id", "p1", "--key-dir", keys]) == 3
    told = capsys.readouterr().out.splitlines()
    assert told[0] == f"no        {model}: by its record" and told[1].startswith("yes")
    assert record.main(["saw", model, "--id", "p9", "--key-dir", keys]) == 0
    assert record.main(["saw", model, "--id", "p1", "--level", "study"]) == 2
    assert "level: 'study' is not one of patient, image" in capsys.readouterr().err
    assert record.main(["saw", str(tmp_path / "none.pt"), "--id", "p1"]) == 2


def test_without_a_record_it_is_not_known(tmp_path: Path) -> None:
    write_bytes(tmp_path / "model.pt", b"weights")
    (one,) = answers(tmp_path / "model.pt", "p1", level="patient")
    assert one.saw is None and one.why == "has no record of who was in it"
    with pytest.raises(InputError, match="no such model"):
        list(answers(tmp_path / "other.pt", "p1", level="patient"))
