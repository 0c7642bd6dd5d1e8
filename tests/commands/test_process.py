"""An inbox is worked off by due date: each request goes on from the model of the last one, and stays accounted for."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from scripts.cohort.membership import Membership
from scripts.cohort.split_file import RecordedSplit
from scripts.inbox import processing
from scripts.record import __main__ as record
from scripts.record.check import check_release
from scripts.record.keys import HospitalKeys
from scripts.record.lineage import Lineage
from scripts.record.register import Register
from tests.commands.common import EXACT, ROOT, SMALL, Killed, once, refusal, run
from tests.commands.test_prepare import settings

FIRST, SECOND, THIRD = "p007", "p019", "p003"  # the first two are of different folds
QUALIFYING = {"mock_requests": 16, "measure_members": 2, "calibration_requests": 1}


@pytest.fixture(scope="module")
def prepared(shared: Path, pool: Path, cheap: None) -> Path:
    folder = shared / "process"
    with once(folder) as todo:
        if todo:
            shutil.copytree(pool, folder / "models")
            run("prepare", settings(folder, **QUALIFYING))
    return folder


@pytest.fixture
def site(prepared: Path, cheap: None, tmp_path: Path) -> Path:
    shutil.copytree(prepared, tmp_path / "site")
    HospitalKeys.create(tmp_path / "site" / "keys")
    (tmp_path / "site" / "inbox").mkdir()
    return tmp_path / "site"


def ask(site: Path, name: str, patient: str, date: str, *, more: str = "") -> Path:
    path = site / "inbox" / f"{name}.csv"
    path.write_text(f"request_id,level,id,requested_on,ground\n{name},patient,{patient},{date},erasure_request\n{more}")
    return path


def own(site: Path, **changes: Any) -> dict[str, Any]:
    made = settings(site, **QUALIFYING) | {"mock_requests": 0}
    for name in ("output_dir",):
        made.pop(name, None)
    kept = {
        "tombstones": str(site / "tombstones.jsonl"),
        "key_dir": str(site / "keys"),
        "surface": False,
        "attacks": [],
        "overlays": 0,
        "accept_no_influence": True,
    }
    return {**made, **SMALL, **EXACT, **kept, "inbox": str(site / "inbox"), "output_dir": str(site / "out"), **changes}


def process(site: Path, **changes: Any) -> int:
    """Exit code."""
    try:
        run("process", own(site, **changes))
    except SystemExit as exit_:
        return int(exit_.code or 0)
    return 0


def states(site: Path) -> dict[str, str]:
    return {row.request_id: row.state for row in Register.read(site / "out").rows}


def allow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every verdict allows the commit: what is tested here is the way of a request, and not its evidence."""
    monkeypatch.setattr(processing, "ALLOWED", ("PASS", "INCONCLUSIVE", "FAIL-under", "FAIL-over"))
    step = processing.Processing._step

    def overridden(self: Any, workflow: str, answer: Any) -> str:
        if workflow == "commit":
            original = self._own
            self._own = lambda name: {**original(name), "override_reason": "a test of processing"}
            try:
                return step(self, workflow, answer)
            finally:
                del self._own
        return step(self, workflow, answer)

    monkeypatch.setattr(processing.Processing, "_step", overridden)


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> None:
    allow(monkeypatch)


def seen(folder: str | Path, *patients: str) -> list[bool]:
    membership = Membership.read(Path(folder) / "model.pt")
    assert membership is not None
    return [membership.saw(one) for one in patients]


def test_the_oldest_due_date_comes_first_and_the_last_model_is_the_present_one(site: Path, passing: None) -> None:
    ask(site, "later", FIRST, "2026-03-02")
    (site / "inbox" / "biobank.txt").write_text(f"{SECOND}\n")
    assert process(site, requested_on="2026-02-15", mock_requests=16) == 0
    register = Register.read(site / "out")
    assert [(row.request_id, row.due_on, row.state) for row in register.by_due_date()] == [
        ("biobank", "2026-03-15", "committed"),
        ("later", "2026-04-02", "committed"),
    ]
    assert [Path(row.next).name for row in register.by_due_date()] == ["0001", "0002"]
    assert register.model == register.renewed == str(site / "out" / "models" / "0002")
    assert seen(register.model, FIRST, SECOND, THIRD) == [False, False, True]
    lineage = Lineage.read(Path(register.model) / "lineage.jsonl")
    assert not lineage.problem() and len(lineage.lines) == 3
    for path in (site / "models").glob("model_fold*.pt"):
        membership = Membership.read(path)
        assert membership is not None and not membership.saw(FIRST) and not membership.saw(SECOND)
    # Again there is nothing to do, and a request for somebody who is gone is refused.
    before = {path: path.stat().st_mtime_ns for path in site.rglob("*.pt")}
    assert process(site) == 0
    ask(site, "again", FIRST, "2026-03-03")
    assert process(site) == 6
    assert {path: path.stat().st_mtime_ns for path in site.rglob("*.pt")} == before
    row = Register.read(site / "out").row("again")
    assert row is not None and "was forgotten before" in row.reason


def test_a_batch_is_one_student_and_a_certificate_each(site: Path, passing: None, capsys: Any) -> None:
    """Of two folds: its evidence are mock requests of two patients of several folds."""
    run("prepare", settings(site, **QUALIFYING, mock_patients=2, mock_folds="several"))
    split = RecordedSplit.read(site / "models" / "split.json")
    assert split is not None and split.fold[split.digest(FIRST)] != split.fold[split.digest(SECOND)]
    ask(site, "one", FIRST, "2026-03-02")
    ask(site, "two", SECOND, "2026-02-01")
    ask(site, "wrong", "p999", "2026-02-01")
    assert process(site, batch=True) == 6
    assert states(site) == {"one": "committed", "two": "committed", "wrong": "refused"}
    register = Register.read(site / "out")
    (run_of,) = {row.run for row in register.rows if row.state == "committed"}
    release = site / "out" / run_of / "release"
    parts = [json.loads(path.read_text()) for path in sorted((release / "certificates").iterdir())]
    assert [part["request"]["requested_on"] for part in parts] == ["2026-03-02", "2026-02-01"]
    assert not any(any(errors) for _, errors in check_release(release))
    assert seen(register.model, FIRST, SECOND, THIRD) == [False, False, True]
    evidence = json.loads((release / "verdict.json").read_text())["evidence"]
    assert (evidence["mock_requests"], evidence["patients"]) == (16, 2)
    assert record.main(["status", str(site / "out")]) == 6
    told = capsys.readouterr().out
    # Each of the two fold teachers knows the other's patient: neither could be the target, so both were trained again.
    assert told.count("model_fold0.pt: trained again") == told.count("model_fold1.pt: trained again") == 1
    assert "wrong" in told and "'p999' matches nothing in the data set" in told and register.model in told


def test_what_does_not_pass_waits_for_a_person(site: Path) -> None:
    ask(site, "one", FIRST, "2026-03-02")
    assert process(site, accept_no_influence=False) in (3, 4, 5)
    (row,) = Register.read(site / "out").rows
    assert row.state == "verified" and row.outcome and "for a person to decide" in row.reason
    assert f"--next_dir {row.next}" in row.reason and not Path(row.next).exists()
    students = (site / "out" / row.run / "release" / "student.pt").stat().st_mtime_ns
    assert process(site, accept_no_influence=False) in (3, 4, 5)
    assert (site / "out" / row.run / "release" / "student.pt").stat().st_mtime_ns == students
    # The person commits it as told, and process goes on from there.
    by_hand = {"output_dir": str(site / "out" / row.run), "request": str(site / "inbox" / "one.csv")}
    by_hand |= {"model_dir": row.model, "next_dir": row.next, "override_reason": "decided by a person"}
    kept = {name: own(site)[name] for name in ("tombstones", "key_dir")}
    run("commit", {**by_hand, **kept})
    assert process(site, accept_no_influence=False) == 0
    register = Register.read(site / "out")
    assert register.rows[0].state == "committed" and register.model == register.renewed == row.next


def test_a_run_that_is_given_up_is_made_again_and_its_verdict_counts(site: Path) -> None:
    ask(site, "one", FIRST, "2026-03-02")
    process(site, accept_no_influence=False)
    (row,) = Register.read(site / "out").rows
    shutil.rmtree(site / "out" / row.run)
    process(site, accept_no_influence=False)
    (row,) = Register.read(site / "out").rows
    assert row.state == "verified" and row.tries == 1
    verdict = json.loads((site / "out" / row.run / "release" / "verdict.json").read_text())
    assert verdict["try"] == 2


@pytest.fixture(scope="module")
def uninterrupted(shared: Path, prepared: Path, cheap: None) -> dict[str, bytes]:
    folder = shared / "uninterrupted"
    with once(folder) as todo:
        if todo:
            shutil.copytree(prepared, folder / "site")
            HospitalKeys.create(folder / "site" / "keys")
            (folder / "site" / "inbox").mkdir()
            ask(folder / "site", "one", FIRST, "2026-03-02")
            with pytest.MonkeyPatch.context() as patch:
                allow(patch)
                assert process(folder / "site") == 0
    return models(folder / "site")


def models(site: Path) -> dict[str, bytes]:
    """The present model and the fold teachers."""
    found = {path.name: path.read_bytes() for path in (site / "models").glob("model_fold*.pt")}
    return found | {"next": (Path(Register.read(site / "out").model) / "model.pt").read_bytes()}


@pytest.mark.parametrize(
    ("step", "when"), [("unlearn", "after"), ("verify", "after"), ("commit", "after"), ("renew", "before")]
)
def test_killed_at_a_step_it_ends_as_if_it_had_not_been(
    site: Path, passing: None, uninterrupted: dict[str, bytes], step: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(site, "one", FIRST, "2026-03-02")
    original = processing.run_workflow

    def killed(files: list[str], **given: Any) -> Any:
        if given["run_id"] == step and when == "before":
            raise Killed
        try:
            return original(files, **given)
        finally:
            if given["run_id"] == step:
                raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(processing, "run_workflow", killed)
        with pytest.raises(Killed):
            process(site)
    assert process(site) == 0
    assert states(site) == {"one": "committed"} and models(site) == uninterrupted


# -- what is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"request": "x.csv"}, "request: is of a single request"),
        ({"next_dir": "x"}, "next_dir: is of a single request"),
        ({"inbox": ""}, "inbox: none is given"),
        ({"key_dir": ""}, "key_dir: none is given"),
        ({"key_dir": "nowhere"}, "nowhere"),
        ({"inbox": "nowhere"}, "inbox: nowhere: no such folder"),
    ],
)
def test_settings_of_a_single_request_are_refused(site: Path, changes: dict[str, str], message: str) -> None:
    assert message in str(refusal("process", own(site, **changes)))
    assert not (site / "out").exists()


def test_settings_that_fit_no_request_end_the_command(site: Path) -> None:
    ask(site, "one", FIRST, "2026-03-02")
    assert "split_seed" in str(refusal("process", own(site, split_seed=7)))
    assert states(site) == {"one": "received"}


def test_a_request_that_was_changed_after_it_was_begun_is_refused(site: Path) -> None:
    ask(site, "one", FIRST, "2026-03-02")
    process(site, accept_no_influence=False)
    ask(site, "one", SECOND, "2026-03-02")
    assert "one.csv: was changed after request 'one' was begun" in str(refusal("process", own(site)))


def test_two_at_once_one_refuses(site: Path) -> None:
    private = site / "out" / "private"
    private.mkdir(parents=True)
    code = (
        "import sys, time; from scripts.record.lock import lock_folder; lock_folder(sys.argv[1]); print(1, flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", f"{code}; time.sleep(60)", str(private)], stdout=subprocess.PIPE, cwd=ROOT
    ) as other:
        assert other.stdout is not None and other.stdout.readline().strip() == b"1"
        assert "another command is at work in" in str(refusal("process", own(site)))
        other.kill()
