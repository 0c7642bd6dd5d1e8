"""The committed student is the next teacher: it no longer holds who was forgotten, and says what it descends from."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripts.cohort.membership import Membership
from scripts.cohort.model_record import ModelRecord
from scripts.errors import InputError, Refused
from scripts.files import write_bytes, write_json
from scripts.identity import file_digest
from scripts.record.lineage import FILE_NAME, Lineage
from scripts.release.successor import Successor

SPLIT = {"seed": 0, "validation_share": 0.2, "test_share": 0.2, "guard_share": 0.0, "folds": 5}
RECORDS = [{"patient_id": f"p{k}", "image_id": f"p{k}-{n}"} for k in range(3) for n in range(2)]
DESCENT = {"method": "fold_start", "exact": True, "request": "r", "forgotten": ("u",), "verdict": "PASS"}


def record() -> ModelRecord:
    membership = Membership.of(RECORDS, "salt")
    return ModelRecord("phantom", split=SPLIT, membership=membership, images_of=dict.fromkeys(membership.patients, 2))


@pytest.fixture
def made(tmp_path: Path) -> Successor:
    teacher, student = tmp_path / "models" / "model.pt", tmp_path / "run" / "student.pt"
    write_bytes(teacher, b"teacher")
    write_bytes(student, b"student")
    record().write(teacher)
    write_json(teacher.parent / "split.json", {"salt": "salt"})
    return Successor(tmp_path / "next", teacher=teacher, student=student)


def descent(successor: Successor, **changes: object) -> dict[str, object]:
    return {**DESCENT, "parents": (file_digest(successor.teacher),), **changes}


def test_who_was_forgotten_is_not_in_it(made: Successor) -> None:
    made.check()
    made.write(forgotten={"p1": ["p1-0", "p1-1"]}, descent=descent(made))
    found = ModelRecord.read(made.folder / "model.pt")
    assert found is not None and found.membership is not None
    assert [found.membership.saw(f"p{k}") for k in range(3)] == [True, False, True]
    assert not found.membership.saw_image("p1-0") and found.membership.saw_image("p2-1")
    assert found.weights == file_digest(made.student) and sorted(found.images_of.values()) == [2, 2]
    assert (made.folder / "split.json").read_bytes() == (made.teacher.parent / "split.json").read_bytes()
    assert not any(b"p1" in path.read_bytes() for path in made.folder.iterdir())


def test_a_patient_of_whom_images_are_left_stays_in_it() -> None:
    left = record().without({"p1": ["p1-0"]})
    assert left.membership is not None and left.membership.saw("p1") and not left.membership.saw_image("p1-0")
    assert sorted(left.images_of.values()) == [1, 2, 2]


def test_lineage_grows_with_each_request(made: Successor, tmp_path: Path) -> None:
    first = made.write(forgotten={"p1": ["p1-0", "p1-1"]}, descent=descent(made))
    assert [line["method"] for line in first.lines] == ["train", "fold_start"]
    later = tmp_path / "later.pt"
    write_bytes(later, b"later")
    second = Successor(tmp_path / "third", teacher=made.folder / "model.pt", student=later)
    second.write(forgotten={"p2": ["p2-0", "p2-1"]}, descent=descent(second, exact=False, forgotten=("v",)))
    found = Lineage.read(tmp_path / "third" / FILE_NAME)
    assert [line["forgotten"] for line in found.lines] == [[], ["u"], ["v"]] and found.model == file_digest(later)
    assert first.exact and not found.exact


def test_twice_is_once_and_another_model_is_refused(made: Successor) -> None:
    made.write(forgotten={}, descent=descent(made))
    before = {path: path.read_bytes() for path in made.folder.iterdir()}
    made.check()
    made.write(forgotten={}, descent=descent(made))
    assert {path: path.read_bytes() for path in made.folder.iterdir()} == before
    write_bytes(made.student, b"another")
    with pytest.raises(Refused, match="next_dir: .*model.pt is another model"):
        made.check()


def test_without_a_record_or_a_split_there_is_no_successor(made: Successor) -> None:
    (made.teacher.parent / "split.json").unlink()
    with pytest.raises(InputError, match=r"split\.json: no such file"):
        made.check()
    made.teacher.with_suffix(".json").unlink()
    with pytest.raises(InputError, match="has no record of who was in it"):
        made.check()
