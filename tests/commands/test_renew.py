"""A committed request leaves models of the pool that know who is gone: they are refused, renewed, and then serve."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from scripts.cohort.model_record import ModelRecord
from scripts.cohort.split_file import RecordedSplit
from scripts.identity import file_digest
from scripts.pool import renewal
from scripts.record.keys import HospitalKeys
from scripts.record.qualification import Qualification
from tests.commands.common import EXACT, FOLDS, SMALL, Killed, once, refusal, request_file, run
from tests.commands.small_data import everything
from tests.commands.test_prepare import settings

GONE, OTHER = "p007", "p019"  # of different folds
MEMBERS = 2
QUALIFYING = {"mock_requests": 16, "measure_members": MEMBERS, "calibration_requests": 1}


def kept(folder: Path) -> dict[str, str]:
    return {"tombstones": str(folder / "tombstones.jsonl"), "key_dir": str(folder / "keys")}


def committed(folder: Path) -> None:
    """A request of one patient, answered and committed; its student is the next teacher."""
    HospitalKeys.create(folder / "keys")
    request = request_file(folder / "first.csv", [GONE])
    asked = {"model_dir": str(folder / "models"), "request": str(request), "output_dir": str(folder / "first")}
    run("forget", {**SMALL, **EXACT, **asked, "near_duplicates": False})
    run("commit", {**asked, **kept(folder), "next_dir": str(folder / "next"), "override_reason": "a test of renewal"})


@pytest.fixture(scope="module")
def left(shared: Path, pool: Path, cheap: None) -> Path:
    """A prepared pool after the commit, not renewed."""
    folder = shared / "left"
    with once(folder) as todo:
        if todo:
            shutil.copytree(pool, folder / "models")
            run("prepare", settings(folder, **QUALIFYING))
            committed(folder)
    return folder


@pytest.fixture
def hospital(left: Path, cheap: None, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(left, tmp_path / "hospital")
    return tmp_path / "hospital"


def present(folder: Path) -> dict[str, str]:
    """The present teacher and the pool."""
    return {"model_dir": str(folder / "next"), "fold_dir": str(folder / "models"), **kept(folder)}


def renew(folder: Path, **changes: Any) -> None:
    own = settings(folder, **QUALIFYING)
    for name in ("model_dir", "output_dir"):
        own.pop(name, None)
    run("renew", {**own, **present(folder), "mock_requests": 0, **changes})


def knowing(folder: Path, patient: str) -> list[str]:
    """Models of the pool whose record says that they were trained on a patient."""
    found = []
    for path in sorted([*(folder / "models").glob("model_fold*.pt"), *(folder / "references").rglob("model_fold*.pt")]):
        record = ModelRecord.read(path)
        assert record is not None and record.membership is not None
        if record.membership.saw(patient):
            found.append(str(path.relative_to(folder)))
    return found


def measuring_of_his_fold(folder: Path) -> list[Path]:
    """Measuring members that were trained without the fold of who is gone, but for those of the recipe."""
    split = RecordedSplit.read(folder / "models" / "split.json")
    assert split is not None
    fold = split.fold[split.digest(GONE)]
    paths = (folder / "references").glob(f"fold_out/*/model_fold{fold}.pt")
    records = {path: ModelRecord.read(path) for path in paths}
    return [path for path, record in records.items() if record is not None and record.training["seed"] != 1000]


def second(folder: Path, name: str = "second", **changes: Any) -> dict[str, Any]:
    request = request_file(folder / f"{name}.csv", [OTHER], request_id=name)
    asked = {"request": str(request), "output_dir": str(folder / name), "near_duplicates": False}
    return {**SMALL, **EXACT, **present(folder), **asked, **changes}


def test_a_teacher_that_knows_who_is_gone_is_refused(hospital: Path) -> None:
    before = everything(hospital)
    asked = second(hospital, model_dir=str(hospital / "models"))
    error = refusal("forget", asked)
    assert f"was trained on patient '{GONE}', who was forgotten before; give as model_dir the folder" in str(error)
    shutil.rmtree(hospital / "second", ignore_errors=True)
    (hospital / "second.csv").unlink()
    assert set(everything(hospital)) == set(before)


def test_a_member_that_knows_who_is_gone_is_refused(hospital: Path) -> None:
    error = refusal("forget", second(hospital))
    assert f"was trained on patient '{GONE}', who was forgotten before; run renew" in str(error)
    assert not (hospital / "second" / "release" / "student.pt").exists()


def test_what_would_be_renewed_is_listed(hospital: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = everything(hospital)
    renew(hospital, renew_by="none")
    told = capsys.readouterr().out
    # Of two folds one member and two measuring members knew him, and the one that the recipe was measured by or not.
    assert f"renew: 1 patient gone; {len(renewal_paths(told))} models of the pool to be renewed" in told
    assert len(renewal_paths(told)) == 1 + MEMBERS
    assert everything(hospital) == before


def renewal_paths(told: str) -> list[str]:
    return [line for line in told.splitlines() if line.startswith("renew: ") and ": knows " in line]


@pytest.mark.parametrize(("by", "requests"), [("unlearn", 16), ("retrain", 0)])
def test_the_pool_serves_again(hospital: Path, by: str, requests: int, capsys: pytest.CaptureFixture[str]) -> None:
    clean = {path: path.read_bytes() for path in (hospital / "models").glob("model_fold*.pt")}
    others = [path for path in clean if not ModelRecord.read(path).membership.saw(GONE)]  # type: ignore[union-attr]
    measuring = {path.read_bytes() for path in measuring_of_his_fold(hospital)}
    renew(hospital, renew_by=by, mock_requests=requests)
    assert not knowing(hospital, GONE)
    # Those of his own fold never saw him: they are not trained again, only found under the new training set.
    assert len(measuring) == MEMBERS and {path.read_bytes() for path in measuring_of_his_fold(hospital)} == measuring
    assert len(others) == FOLDS - 1 and all(path.read_bytes() == clean[path] for path in others)
    records = [ModelRecord.read(path) for path in clean if path not in others]
    assert [record.unlearned for record in records if record is not None] == [1 if by == "unlearn" else 0]
    assert knowing(hospital, OTHER)  # nobody else left the pool
    assert not (hospital / "references" / "renewed").exists()
    found = Qualification.read(hospital / "models")
    teacher = hospital / ("next" if requests else "models") / "model.pt"
    assert found is not None and found.about["teacher"] == file_digest(teacher)
    run("forget", second(hospital))
    assert "nothing was prepared" not in capsys.readouterr().out
    # Once more it has nothing to do.
    before = {path: content for path, content in everything(hospital / "models").items() if path.endswith(".pt")}
    renew(hospital, renew_by=by)
    assert "0 models of the pool to be renewed" in capsys.readouterr().out
    now = {path: content for path, content in everything(hospital / "models").items() if path.endswith(".pt")}
    assert now == before


@pytest.fixture(scope="module")
def renewed(shared: Path, left: Path, cheap: None) -> dict[str, bytes]:
    """The fold teachers and their records after a renewal without a break."""
    folder = shared / "renewed"
    with once(folder) as todo:
        if todo:
            shutil.copytree(left, folder, dirs_exist_ok=True)
            renew(folder)
    return {path.name: path.read_bytes() for path in (folder / "models").glob("model_fold*.*")}


@pytest.mark.parametrize("after", [1, 4, 5])
def test_an_interrupted_renewal_goes_on(
    hospital: Path, renewed: dict[str, bytes], after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while renewed models are staged or put in place: the same command ends with the same models."""
    count = 0
    original = renewal.write_bytes

    def killed(path: Path, content: bytes) -> None:
        nonlocal count
        count += 1
        if count > after:
            raise Killed
        original(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(renewal, "write_bytes", killed)
        with pytest.raises(Killed):
            renew(hospital)
    renew(hospital)
    assert {path.name: path.read_bytes() for path in (hospital / "models").glob("model_fold*.*")} == renewed
