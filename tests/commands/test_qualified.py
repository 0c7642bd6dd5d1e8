"""The procedure of a prepared folder is measured on mock requests, once; what is written names nobody."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scripts.attacks.quantisation import Quantised
from scripts.cohort.membership import salted
from scripts.cohort.split_file import RecordedSplit
from scripts.engines.models import model_path
from scripts.errors import InputError, user_error
from scripts.pool import preparation
from scripts.pool.mock_requests import ONE, MockRequests
from scripts.pool.mock_scoring import MockScoring
from scripts.record.bound import bound_verdict
from scripts.record.qualification import Qualification
from scripts.record.run_folder import RunFolder
from tests.commands.common import EXACT, FOLDS, SMALL, front_end, once, read, request_file, run
from tests.commands.test_prepare import CANDIDATES, settings

REQUESTS, MEMBERS = 16, 2


@pytest.fixture(scope="module")
def cheap() -> Iterator[None]:
    """Few candidates, one attack that trains nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparation, "candidates", lambda batch: CANDIDATES[:1])
        patch.setattr(MockScoring, "attacks", lambda self, without: {"int8": Quantised(8)})
        yield


@pytest.fixture
def again(qualified: Path, cheap: None, tmp_path: Path) -> Path:
    """A copy: test processes side by side would meet in one folder."""
    shutil.copytree(qualified, tmp_path / "again")
    return tmp_path / "again"


@pytest.fixture(scope="module")
def qualified(shared: Path, pool: Path, cheap: None) -> Path:
    folder = shared / "qualified"
    with once(folder) as todo:
        if todo:
            shutil.copytree(pool, folder / "models")
            run("prepare", own(folder))
    return folder


def own(folder: Path, **changes: Any) -> dict[str, Any]:
    return settings(folder, mock_requests=REQUESTS, measure_members=MEMBERS, calibration_requests=1, **changes)


def content(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "models" / "qualification.json").read_text())


def test_what_is_written_can_be_judged_and_names_nobody(qualified: Path) -> None:
    found = Qualification.read(qualified / "models")
    assert found is not None and set(found.sizes) == {ONE}
    rows = content(qualified)["sizes"]["1"]["requests"]
    assert len(rows) == REQUESTS and all(len(row["members"]) == MEMBERS for row in rows)
    # Models of one epoch know nobody: the rules can be computed, and are not met.
    (recipe,) = found.answered(ONE)
    measured = found.measured(ONE, recipe)
    procedure = measured.procedure()
    assert procedure.rate.requests == REQUESTS and not procedure.qualified()
    assert set(measured.recovery()) == {"int8"}
    text = (qualified / "models" / "qualification.json").read_text()
    assert not any(f"p{number:03d}" in text for number in range(40))


def test_members_have_seeds_of_their_own(qualified: Path) -> None:
    split = RecordedSplit.read(qualified / "models" / "split.json")
    assert split is not None
    records = [
        json.loads(path.read_text()) for path in (qualified / "references" / "fold_out").glob("*/model_fold*.json")
    ]
    members = [one for one in records if one["training"]["seed"] != 1000]
    assert len(members) == FOLDS * MEMBERS
    seeds = [one["training"]["seed"] for one in members]
    assert len(set(seeds)) == len(seeds) and 0 not in seeds


def test_nobody_on_whom_the_recipe_was_found_is_drawn(again: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    original = MockRequests.drawn

    def noted(self: MockRequests) -> Any:
        drawn.append(({patient for own in self.available().values() for patient in own}, original(self)))
        return drawn[-1][1]

    monkeypatch.setattr(MockRequests, "drawn", noted)
    run("prepare", own(again))
    ((available, mocks),) = drawn
    recipe = json.loads((again / "models" / "recipe.json").read_text())
    split = RecordedSplit.read(again / "models" / "split.json")
    assert split is not None and recipe["calibrated_on"]
    assert not {salted(split.salt, "patient", patient) for patient in available} & set(recipe["calibrated_on"])
    patients = [patient for mock in mocks for patient in mock.patients]
    assert len(set(patients)) == REQUESTS and set(patients) <= available


def test_again_it_makes_nothing(again: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in (again / "references").rglob("*.pt")}
    text = content(again)
    run("prepare", own(again))
    assert "mock requests of 1 patient: not qualified" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (again / "references").rglob("*.pt")} == before
    assert content(again) == text


def test_too_few_patients_are_told_and_end_nothing(qualified: Path, again: Path, capsys: Any) -> None:
    run("prepare", own(again, mock_patients=5))
    told = capsys.readouterr().out
    assert "no evidence from mock requests of 5 patients" in told and "judged by paired references" in told
    assert content(again) == content(qualified)


def test_a_target_with_a_member_s_seed_is_refused(again: Path) -> None:
    path = model_path(model_dir=str(again / "models"), model_name="", fold=0).with_suffix(".json")
    record = json.loads(path.read_text())
    record["training"]["seed"] = 1000 + 256
    path.write_text(json.dumps(record))
    (again / "models" / "qualification.json").unlink()
    with pytest.raises(Exception) as caught:
        run("prepare", own(again))
    error = user_error(caught.value)
    assert isinstance(error, InputError) and "reference_seed: 1256 is the seed of" in str(error)


# -- a request on the prepared folder


@pytest.fixture
def answered(qualified: Path, cheap: None, tmp_path: Path) -> Path:
    """A request for one patient, made as the mock requests were."""
    for name in ("models", "references"):
        shutil.copytree(qualified / name, tmp_path / name)
    request = request_file(tmp_path / "request.csv", ["p007"])
    run("forget", {**about(tmp_path), "request": str(request), "output_dir": str(tmp_path / "run")})
    return tmp_path


def about(folder: Path) -> dict[str, Any]:
    return {**SMALL, **EXACT, "model_dir": str(folder / "models"), "near_duplicates": False}


def verify(folder: Path, **changes: Any) -> tuple[int, str]:
    given = {
        name: value for name, value in own(folder).items() if name not in ("mock_requests", "calibration_requests")
    }
    for name in ("progress", "near_duplicates"):
        given.pop(name, None)
    given |= {"request": str(folder / "request.csv"), "output_dir": str(folder / "run"), **changes}
    return front_end("verify", given)


def test_a_request_is_judged_by_them_and_no_model_is_trained(answered: Path) -> None:
    before = {path for path in answered.rglob("*.pt")}
    code, errors = verify(answered)
    verdict = read(answered / "run" / "release" / "verdict.json")
    # Models of one epoch know nobody: there is nothing that could be shown.
    assert code == verdict["exit_code"] in (3, 4, 5), errors
    assert verdict["evidence_kind"] == "amortised" and verdict["evidence"]["mock_requests"] == REQUESTS
    names = [check["name"] for check in verdict["checks"]]
    assert names[0] == "made alike" and {"mock requests: rate", "delivered model", "recovery"} <= set(names)
    assert any(name.endswith("beside members") for name in names) and any(
        name.endswith("beside teacher") for name in names
    )
    assert {path for path in answered.rglob("*.pt")} == before
    ledger = [json.loads(line) for line in (answered / "run" / "release" / "ledger.jsonl").read_text().splitlines()]
    assert [entry["kind"] for entry in ledger] == ["plan", "verdict"]
    text = json.dumps(verdict)
    assert not any(f"p{number:03d}" in text for number in range(40))
    folder = RunFolder(output_dir=answered / "run", log=False)
    assert bound_verdict(folder, answered / "models" / "model.pt") == verdict
    page = (answered / "run" / "release" / "report.html").read_text()
    assert "on requests that nobody made" in page and f"of {REQUESTS}: at most" in page
    # Once more: nothing is scored again, and it is no second try.
    scores = (answered / "run" / "private" / "scores.json").stat().st_mtime_ns
    assert verify(answered)[0] == code
    assert (answered / "run" / "private" / "scores.json").stat().st_mtime_ns == scores
    assert read(answered / "run" / "release" / "verdict.json")["try"] == 1


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda folder: (folder / "models" / "qualification.json").unlink(),
            "holds no qualification.json; run prepare",
        ),
        (lambda folder: changed(folder, teacher="0" * 64), "were measured with another teacher; run prepare again"),
        (lambda folder: changed(folder, code={"version": "0"}), "were measured with another code; run prepare again"),
        (lambda folder: shutil.rmtree(folder / "references" / "fold_out"), "lacks members of the request's fold"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_to_do(answered: Path, spoil: Any, message: str) -> None:
    spoil(answered)
    code, errors = verify(answered)
    assert code == 2 and message in errors
    assert not (answered / "run" / "private" / "scores.json").exists()


def test_a_student_of_another_recipe_is_refused(answered: Path) -> None:
    shutil.rmtree(answered / "run")
    request = str(answered / "request.csv")
    more = {"request": request, "output_dir": str(answered / "run"), "forget_learning_rate": 3e-4}
    run("forget", {**about(answered), **more})
    code, errors = verify(answered, forget_learning_rate=3e-4)
    assert code == 2 and "the student was made with other settings than the mock requests" in errors


def test_paired_evidence_is_asked_for(answered: Path) -> None:
    code, errors = verify(answered, evidence="paired")
    assert code == 2 and "no scores; run references first" in errors


def changed(folder: Path, **changes: Any) -> None:
    path = folder / "models" / "qualification.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
