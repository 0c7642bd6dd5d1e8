"""A second request after a committed first: of the first patient no file is opened by anybody, and he is in no set."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from scripts.cohort.membership import Membership
from scripts.cohort.split_file import RecordedSplit
from scripts.record import __main__ as record
from scripts.record.keys import HospitalKeys
from scripts.record.lineage import Lineage
from scripts.workspace import Workspace
from scripts.workspace.workspace import settings_of
from tests.commands.common import read, refusal, request_file, run
from tests.commands.small_data import (
    FORGETTING,
    NETWORK,
    PATIENTS,
    RESTORING,
    TRAINING,
    everything,
    opened,
    trained_patients,
    write_datalist,
)


@dataclass(frozen=True)
class Hospital:
    """A data set, models trained on all of it, and a first request that was committed.

    Attributes:
        first, second: patients; the files of the first are garbage by now.
        settings: data, models, tombstones and keys.
    """

    root: Path
    first: str
    second: str
    settings: dict[str, Any]

    def asked(self, name: str, *patients: str) -> dict[str, Any]:
        """Settings of a request for these patients with a run folder of its own."""
        request = str(request_file(self.root / f"{name}.csv", patients, request_id=name))
        return {**self.settings, "request": request, "output_dir": str(self.root / name)}

    def files_of_the_first(self) -> list[Path]:
        return sorted((self.root / "data").glob(f"{self.first}-*"))


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    root = tmp_path_factory.mktemp("hospital")
    data = {**write_datalist(root / "data"), "model_dir": str(root / "models")}
    run("train", {**TRAINING, **data, "output_dir": str(root / "trained")})
    first, *others = trained_patients(root / "models")
    split = RecordedSplit.read(root / "models" / "split.json")
    assert split is not None
    # Of one fold: the teacher of that fold never saw either of them, and needs no renewal.
    second = next(one for one in others if split.fold[split.digest(one)] == split.fold[split.digest(first)])
    HospitalKeys.create(root / "keys")
    kept = {"tombstones": str(root / "tombstones.jsonl"), "key_dir": str(root / "keys")}
    place = Hospital(root, first, second, data)
    asked = place.asked("first", first)
    run("forget", {**FORGETTING, **asked})
    own = {name: asked[name] for name in ("model_dir", "request", "output_dir")}
    next_dir = str(root / "next")
    run("commit", {**own, **kept, "next_dir": next_dir, "override_reason": "a test of the second request"})
    for path in place.files_of_the_first():
        path.write_bytes(b"whoever reads this reads what was to be forgotten")
    return Hospital(root, first, second, {**data, **kept, "model_dir": next_dir, "fold_dir": str(root / "models")})


def garbage(path: Path) -> None:
    path.write_bytes(b"whoever reads this reads what was to be forgotten")


def removed(path: Path) -> None:
    path.unlink()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.fixture
def spoilt(hospital: Hospital) -> Iterator[Callable[[Callable[[Path], None]], None]]:
    """Make the first patient's files unreadable in some way; afterwards they are garbage again."""
    paths = hospital.files_of_the_first()

    def spoil(how: Callable[[Path], None]) -> None:
        for path in paths:
            how(path)

    yield spoil
    for path in paths:
        if path.is_dir():
            path.rmdir()
        garbage(path)


@pytest.mark.parametrize("how", [garbage, removed, a_folder])
def test_a_second_request_opens_no_file_of_the_first(hospital: Hospital, spoilt: Any, how: Any) -> None:
    spoilt(how)
    asked = hospital.asked(f"second-{how.__name__}", hospital.second)
    with opened() as paths:
        run("forget", {**FORGETTING, **asked})
        run("restore", {**RESTORING, **asked})
        run("evaluate", {**NETWORK, **asked, "overlays": 1, "surface": False, "attacks": ["int8"]})
    assert any(hospital.second in path for path in paths) and not opened_of(hospital, paths)
    found = read(Path(asked["output_dir"]) / "private" / "resolution.json")
    assert found["gone"] == {"images": 2, "patients": [hospital.first]}
    assert found["patients"]["forget"] == [hospital.second]
    for table in ("images", "patients"):
        assert not [name for names in found[table].values() for name in names if hospital.first in name]
    rows = (Path(asked["output_dir"]) / "private" / "images.csv").read_text(encoding="utf-8")
    assert hospital.second in rows and hospital.first not in rows


def opened_of(hospital: Hospital, paths: list[str]) -> list[str]:
    """Those of the paths that are files of the first patient."""
    own = {str(path) for path in (hospital.root / "data").iterdir() if hospital.first in path.name}
    return [path for path in paths if path in own or hospital.first in os.path.basename(path)]


@pytest.mark.parametrize("asked", [False, True], ids=["anew", "without-the-second"])
def test_training_opens_no_file_of_the_first(hospital: Hospital, spoilt: Any, tmp_path: Path, asked: bool) -> None:
    spoilt(removed)
    models, own = tmp_path / "models", hospital.asked("trained-without", hospital.second) if asked else {}
    settings = {**hospital.settings, **own, "model_dir": str(models), "output_dir": str(tmp_path / "run")}
    with opened() as paths:
        run("train", {**TRAINING, **settings})
    assert any(PATIENTS[-1] in path for path in paths) and not opened_of(hospital, paths)
    split = RecordedSplit.read(models / "split.json")
    assert split is not None and split.digest(hospital.first) not in split.places
    for path in sorted(models.glob("model*.pt")):
        membership = Membership.read(path)
        assert membership is not None and not membership.saw(hospital.first)
        assert not (asked and membership.saw(hospital.second))


@pytest.mark.parametrize("workflow", ["references", "verifier_study"])
def test_the_pool_leaves_the_first_out(hospital: Hospital, spoilt: Any, workflow: str) -> None:
    """As far as the pool's key: what its models are trained on."""
    spoilt(removed)
    asked = hospital.asked("pool", hospital.second)
    values = {**NETWORK, **asked, "bundle_root": ".", "reference_dir": str(hospital.root / "references")}
    with opened() as paths:
        workspace = Workspace(workflow=workflow, settings=settings_of(values, workflow))
        contents = workspace.contents
        assert workspace.reference_models.original(0).key != workspace.reference_models.retrained(0).key
    assert not opened_of(hospital, paths)
    assert {hospital.second} == set(contents["forget"])
    assert all(hospital.first not in patients for patients in contents.values())


@pytest.mark.parametrize("workflow", ["forget", "train"])
def test_a_request_that_names_the_first_again_is_refused(hospital: Hospital, workflow: str, spoilt: Any) -> None:
    spoilt(removed)
    own = FORGETTING if workflow == "forget" else TRAINING
    for patients in ([hospital.first], [hospital.second, hospital.first]):
        asked = hospital.asked("again", *patients)
        before = everything(hospital.root)
        error = refusal(workflow, {**own, **asked})
        assert error.exit_code == 6 and f"'{hospital.first}' was forgotten before" in str(error)
        assert everything(hospital.root) == before


@pytest.mark.parametrize("lost", ["tombstones", "key_dir"])
def test_half_of_the_two_settings_is_refused(hospital: Hospital, lost: str) -> None:
    asked = {**hospital.asked("half", hospital.second), lost: ""}
    assert "tombstones, key_dir: give both, or neither" in str(refusal("forget", {**FORGETTING, **asked}))


def test_without_the_list_a_missing_file_is_an_error(hospital: Hospital, spoilt: Any) -> None:
    spoilt(removed)
    asked = {**hospital.asked("without", hospital.second), "tombstones": "", "key_dir": ""}
    assert "no such file" in str(refusal("forget", {**FORGETTING, **asked}))


def test_restoration_without_the_list_opens_no_file_of_the_first(hospital: Hospital, tmp_path: Path) -> None:
    """The next teacher's record says that the first patient is not in it, so that nobody trains on the images."""
    asked = hospital.asked("going-on", hospital.second)
    run("forget", {**FORGETTING, **asked})
    shutil.copytree(hospital.root / "going-on", tmp_path / "run")
    without = {**asked, "output_dir": str(tmp_path / "run"), "tombstones": "", "key_dir": ""}
    with opened() as paths:
        run("restore", {**RESTORING, **without})
    assert any(PATIENTS[-1] in path or hospital.second in path for path in paths) and not opened_of(hospital, paths)


def test_the_committed_student_is_the_next_teacher(hospital: Hospital, spoilt: Any, capsys: Any) -> None:
    """By its lineage it is asked who was in it; a second request goes on from it, and a third from that one's."""
    spoilt(removed)
    folder, keys = hospital.root / "next", str(hospital.root / "keys")
    assert (folder / "model.pt").read_bytes() == (hospital.root / "first" / "release" / "student.pt").read_bytes()
    membership = Membership.read(folder / "model.pt")
    assert membership is not None and not membership.saw(hospital.first) and membership.saw(hospital.second)
    asked = hospital.asked("second-in-a-row", hospital.second)
    with opened() as paths:
        run("forget", {**FORGETTING, **asked})
    assert not opened_of(hospital, paths)
    own = {name: asked[name] for name in ("model_dir", "request", "output_dir", "tombstones", "key_dir")}
    run("commit", {**own, "next_dir": str(hospital.root / "third"), "override_reason": "a test of requests in a row"})
    lineage = Lineage.read(hospital.root / "third" / "lineage.jsonl")
    assert [line["method"] for line in lineage.lines] == ["train", "erase_to_retain", "erase_to_retain"]
    assert Lineage.read(Path(asked["output_dir"]) / "release" / "lineage.jsonl").lines == lineage.lines
    certificate = read(Path(asked["output_dir"]) / "release" / "certificate.json")
    assert "lineage.jsonl" in certificate["files"] and certificate["shown"] == "not shown"
    capsys.readouterr()
    model = str(hospital.root / "third" / "model.pt")
    assert record.main(["saw", model, "--id", hospital.first, "--key-dir", keys]) == 3
    told = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    # Not in it, in the first teacher, and the second one, which forgot him, is not known to hold him.
    assert told == ["no", "yes", "not"]
    assert record.main(["saw", model, "--id", PATIENTS[-1], "--key-dir", keys]) in (0, 3)
