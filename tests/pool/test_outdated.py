"""Which models of a pool know somebody who is gone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from scripts.cohort.cohort import Cohort
from scripts.cohort.membership import Membership
from scripts.cohort.model_record import ModelRecord
from scripts.errors import InputError
from scripts.files import write_bytes
from scripts.pool.outdated import left_behind, outdated

SPLIT = {"seed": 0, "validation_share": 0.2, "test_share": 0.2, "guard_share": 0.0, "folds": 2}
RECORDS = [{"patient_id": f"p{k}", "image_id": f"p{k}-{n}"} for k in range(3) for n in range(2)]
GONE = tuple(record for record in RECORDS if record["patient_id"] == "p1")


def cohort(gone: Any = GONE) -> Cohort:
    kept = tuple(record for record in RECORDS if record not in gone)
    return Cohort(forget=(), retain=kept, guard=(), selection=(), validation=(), test=(), gone=tuple(gone))


def model(path: Path, *patients: str, fold: int = -1) -> Path:
    write_bytes(path, path.name.encode())
    trained = [record for record in RECORDS if record["patient_id"] in patients]
    ModelRecord("phantom", split=SPLIT, fold=fold, membership=Membership.of(trained, "salt")).write(path)
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> Any:
    (tmp_path / "references").mkdir()
    return SimpleNamespace(folder=tmp_path / "references", teacher=tmp_path / "model.pt")


def test_fold_teachers_by_their_record(tmp_path: Path, pairs: Any) -> None:
    knows = model(tmp_path / "model_fold0.pt", "p0", "p1", fold=0)
    model(tmp_path / "model_fold1.pt", "p0", "p2", fold=1)
    found = list(outdated(cohort=cohort(), folder=tmp_path, pairs=pairs, members=2))
    assert [one.path for one in found] == [knows] and found[0].target == knows
    assert found[0].by_patient() == {"p1": ["p1-0", "p1-1"]}
    assert not list(outdated(cohort=cohort(gone=()), folder=tmp_path, pairs=pairs, members=2))


def test_one_image_that_is_gone_is_enough(tmp_path: Path, pairs: Any) -> None:
    model(tmp_path / "model_fold0.pt", "p0", "p1", fold=0)
    found = list(outdated(cohort=cohort(gone=GONE[:1]), folder=tmp_path, pairs=pairs, members=2))
    assert found[0].by_patient() == {"p1": ["p1-0"]}


def test_a_fold_teacher_without_a_record_is_refused(tmp_path: Path, pairs: Any) -> None:
    write_bytes(tmp_path / "model_fold0.pt", b"weights")
    with pytest.raises(InputError, match=r"model_fold0\.pt: has no record of who was in it"):
        list(outdated(cohort=cohort(), folder=tmp_path, pairs=pairs, members=2))


def test_models_of_earlier_references_are_named(pairs: Any) -> None:
    knows = model(pairs.folder / "originals" / "a" / "model.pt", "p0", "p1", "p2")
    model(pairs.folder / "retrained" / "b" / "model.pt", "p0", "p2")
    assert left_behind(cohort=cohort(), pairs=pairs) == [knows]
