"""The commit: refused without a verdict, thorough with one, resumable, and free of ids."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from scripts.errors import InputError, Refused
from scripts.files import announce
from scripts.identity import file_digest
from scripts.record import __main__ as record
from scripts.record.keys import HospitalKeys
from scripts.record.tombstones import Tombstones, gone_images
from tests.release.conftest import IDS, prepare
from tests.verify.simulated import simulated


def check(site: Any, *options: str) -> int:
    folder = site.root / "keys"
    keys = ["--public-key", str(folder / "signing.pub.pem"), "--anchor", str(site.root / "anchor.jsonl")]
    keys += ["--model-key", str(folder / "model_signing.pub.pem")]
    return record.main(["check", str(site.run.folder.release), *keys, *options])


def test_a_passed_run_is_committed_and_an_auditor_finds_it_sound(site, capsys) -> None:
    teacher = site.run.teacher.read_bytes()
    site.commit().run()
    folder = site.run.folder
    left = sorted(path.relative_to(folder.root).as_posix() for path in folder.private.rglob("*"))
    assert left == ["private/manifest.json", "private/state.json"]
    assert folder.read_state()["state"] == "committed" and site.run.teacher.read_bytes() == teacher
    certificate = json.loads((folder.release / "certificate.json").read_text())
    assert certificate["verdict"] == "PASS" and certificate["request"]["due_on"] == "2026-02-28"
    assert "private/cache/row.bin" in certificate["destroyed"] and not certificate["not_destroyed"]
    assert certificate["request"]["units"] == sorted(site.keys.hide("patient", unit) for unit in IDS)
    assert certificate["files"].keys() >= {"student.pt", "verdict.json"}
    assert check(site) == 0
    for path in [*folder.root.rglob("*"), site.root / "anchor.jsonl", site.root / "tombstones.jsonl"]:
        assert path.is_dir() or b"secret" not in path.read_bytes(), path
    assert "secret" not in capsys.readouterr().out


def test_the_certificate_has_the_form_that_is_published(site) -> None:
    import jsonschema

    site.commit().run()
    schema = json.loads((Path(__file__).parents[2] / "configs" / "certificate.schema.json").read_text())
    jsonschema.validate(json.loads((site.run.folder.release / "certificate.json").read_text()), schema)


@pytest.mark.parametrize(
    ("truth", "reason"),
    [
        ({"kept": 1.0}, "the verdict is FAIL-under"),
        ({"gap": 0.0, "effect": 50.0}, "the verdict is NO-MEASURABLE-INFLUENCE.*or accept_no_influence: true"),
    ],
)
def test_refused_without_a_pass_and_nothing_is_touched(tmp_path: Path, truth, reason: str) -> None:
    from tests.record.judged import pool_of

    site = prepare(tmp_path, pool_of(simulated(seed=1, **truth)))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(Refused, match=reason) as refused:
        site.commit().run()
    assert refused.value.exit_code == 6
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    if "gap" in truth:
        site.commit(accept_no_influence=True).run()
        assert json.loads((site.run.folder.release / "certificate.json").read_text())["override_reason"] == ""


def test_an_override_is_certified_with_its_reason(tmp_path: Path, passing) -> None:
    site = prepare(tmp_path, passing, judge=False)
    with pytest.raises(Refused, match="there is no verdict; run references and verify"):
        site.commit().run()
    site.commit(override_reason="head of data\n protection, 2 May").run()
    certificate = json.loads((site.run.folder.release / "certificate.json").read_text())
    assert certificate["override_reason"] == "head of data protection, 2 May"
    assert certificate["verdict"] == "no verdict" and certificate["not_tested"] == ["everything"]
    assert check(site) == 0


def test_the_verdict_must_be_of_this_student(site) -> None:
    site.run.folder.student.write_bytes(b"another")
    with pytest.raises(Refused, match="student.pt: is not the student that the run wrote"):
        site.commit().run()
    site.run.folder.note(student=file_digest(site.run.folder.student))
    with pytest.raises(Refused, match="the verdict is of another model"):
        site.commit().run()


def test_suppressed_is_never_called_unlearned(site) -> None:
    site.run.folder.note(goal="suppress")
    with pytest.raises(Refused, match="a verdict compares with retrained models, which is for 'unlearn' alone"):
        site.commit(override_reason="a test").run()
    site.run.folder.verdict.unlink()
    site.commit(override_reason="a test").run()
    statement = json.loads((site.run.folder.release / "certificate.json").read_text())["statement"]
    assert "suppress" in statement and "it was not unlearned" in statement


@pytest.fixture
def interrupted(site, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A commit that was stopped after it destroyed."""
    from scripts.release import commit as module

    def stop(*args: Any, **settings: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "build_certificate", stop)
    with pytest.raises(KeyboardInterrupt):
        site.commit().run()
    monkeypatch.undo()
    return site


def test_an_interrupted_commit_goes_on(interrupted) -> None:
    site = interrupted
    folder = site.run.folder
    assert not folder.resolution.exists() and folder.read_state()["state"] == "trial"
    site.commit().run()
    assert check(site) == 0
    assert "private/cache/row.bin" in json.loads((folder.release / "certificate.json").read_text())["destroyed"]
    with pytest.raises(Refused, match="is committed already"):
        site.commit().run()


def test_what_the_run_did_not_write_stays_and_is_listed(site, tmp_path: Path) -> None:
    outside = tmp_path / "patients.csv"
    outside.write_text("theirs")
    folder = site.run.folder
    private = folder.private
    (private / "link.csv").symlink_to(outside)
    (private / "notes").mkdir()
    (private / "notes" / "mine.csv").write_text("mine")
    (private / "cache" / "more.bin").write_text("mine")
    os.mkfifo(private / "pipe")
    (private / "overlays" / "forget.png").unlink()
    (private / "overlays" / "forget.png").symlink_to(outside)
    site.commit().run()
    certificate = json.loads((folder.release / "certificate.json").read_text())
    left = [
        "cache/",
        "cache/more.bin",
        "link.csv",
        "notes/",
        "notes/mine.csv",
        "overlays/",
        "overlays/forget.png",
        "pipe",
    ]
    assert certificate["not_destroyed"] == [f"private/{name}" for name in left]
    assert "private/cache/row.bin" in certificate["destroyed"]
    assert not set(certificate["destroyed"]) & set(certificate["not_destroyed"])
    assert outside.read_text() == "theirs" and (private / "notes" / "mine.csv").read_text() == "mine"
    assert check(site) == 0


def test_files_of_a_killed_command_are_destroyed(site) -> None:
    folder = site.run.folder
    for path in (folder.private / "cache" / "late.pt", folder.release / ".student.pt.1_0.pt"):
        announce(path, kind="temporary")
        path.write_bytes(b"secret-a")
    site.commit().run()
    certificate = json.loads((folder.release / "certificate.json").read_text())
    assert "private/cache/late.pt" in certificate["destroyed"] and not certificate["not_destroyed"]
    assert not any(".student.pt" in name for name in certificate["files"])
    assert not (folder.release / ".student.pt.1_0.pt").exists()


def everything(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file() and path.name != ".lock"}


def refused(site: Any, words: str, kind: type[InputError] = InputError, **settings: Any) -> None:
    """Commit is refused with `words`, and no file was changed."""
    before = everything(site.root)
    with pytest.raises(kind, match=words):
        site.commit(**settings).run()
    assert everything(site.root) == before


@pytest.mark.parametrize("name", ["release/notes.txt", "release/verdict.html", "private/secret-A.csv"])
def test_what_could_not_be_certified_is_refused(site, name: str) -> None:
    (site.run.folder.root / name).write_text("mine")
    refused(site, f"{name}: the run did not write it", Refused)


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_only_files_are_released(site, kind: str) -> None:
    path = site.run.folder.student
    path.rename(site.root / "elsewhere.pt")
    path.symlink_to(site.root / "elsewhere.pt")
    refused(site, r"student.pt: the run did not write it, so it is not released", Refused)


@pytest.mark.parametrize(
    "reason",
    [None, False, True, 0, 1.5, [], "", "  ", "None", "null", "True", "false", "~", "-", "123", "n/a", "\u200b"],
)
def test_what_is_no_reason_opens_nothing(tmp_path: Path, passing, reason: Any) -> None:
    site = prepare(tmp_path, passing, judge=False)
    refused(site, "there is no verdict; .* give override_reason in words", Refused, override_reason=reason)


@pytest.mark.parametrize("value", ["false", "true", 0, 1, None, ""])
def test_accept_no_influence_is_true_or_false(site, value: Any) -> None:
    refused(site, f"accept_no_influence: '{value}' is not true or false", accept_no_influence=value)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("r2,patient,secret-a,2026-01-31,research", "request_id 'r2' is not 'r1'"),
        ("r1,patient,secret-a,2026-01-31,research", "the ids are not the same"),
        ("r1,image,secret-a,2026-01-31,research", "level 'image' is not 'patient'"),
        ("r1,patient,secret-a,2026-01-30,objection", "requested_on '2026-01-30' is not '2026-01-31', ground"),
    ],
)
def test_another_request_is_refused_by_what_differs(site, row: str, words: str) -> None:
    path = site.root / "other.csv"
    path.write_text(f"request_id,level,id,requested_on,ground\n{row}\n")
    refused(site, f"other.csv is not the request of this run: .*{words}.*give --request", Refused, request=str(path))
    refused(site, "request: none is given; give --request", Refused, request="")


@pytest.mark.parametrize("place", ["release/keys", "private/keys", "link"])
def test_keys_inside_the_run_are_refused(site, place: str) -> None:
    inside = site.run.folder.root / ("release/keys" if place == "link" else place)
    shutil.copytree(site.root / "keys", inside)
    given = inside
    if place == "link":
        given = site.root / "link"
        given.symlink_to(inside)
    with pytest.raises(InputError, match="key_dir: .* lies inside the run"):
        site.commit(key_dir=str(given))
    assert site.run.folder.adapter.is_dir()


@pytest.mark.parametrize("setting", ["anchor", "tombstones"])
def test_the_hospitals_files_are_checked_first(site, setting: str) -> None:
    (site.root / "file").write_text("no list\n")
    folder = site.run.folder
    refused(site, f"{setting}: .* lies inside the run", Refused, **{setting: str(folder.private / "list.jsonl")})
    refused(site, f"{setting}: .* is no regular file", **{setting: str(site.root)})
    refused(site, f"{setting}: .* cannot be written", **{setting: str(site.root / "file" / "list.jsonl")})
    refused(site, "file.*: (is not of an anchor|not a readable list)", **{setting: str(site.root / "file")})
    refused(site, "two files are needed", anchor=str(site.root / "one"), tombstones=str(site.root / "one"))


@pytest.mark.parametrize("name", ["private/state.json", "private/resolution.json", "private/adapter/student.json"])
def test_a_record_that_is_missing_or_damaged_is_refused(site, name: str) -> None:
    path = site.run.folder.root / name
    whole = path.read_bytes()
    path.unlink()
    refused(site, f"{name}: is missing")
    if "adapter" not in name:
        for content in (b"{x", b"[]", b"\xff"):
            path.write_bytes(content)
            refused(site, f"{name}: is damaged")
        path.write_bytes(whole)
        site.commit().run()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"requested_on": "9999-12-31"}, "has no due date"),
        ({"requested_on": 3}, "is damaged"),
        ({"ids": []}, "is damaged"),
        ({"ids": "secret-a"}, "is damaged"),
        ({"level": "person"}, "is damaged"),
        ({"ground": None}, "is damaged"),
    ],
)
def test_a_request_from_which_no_certificate_follows(site, change: dict[str, Any], words: str) -> None:
    path = site.run.folder.resolution
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "request": {**content["request"], **change}}))
    refused(site, f"resolution.json: .*{words}")


def test_a_reason_names_no_patient(site) -> None:
    site.run.folder.verdict.unlink()
    refused(site, "override_reason: holds an id of the request", Refused, override_reason="died: Secret-B, 2 May")


@pytest.mark.parametrize("name", ["signing.pem", None])
def test_the_key_for_models_is_checked_first(site, name: str | None) -> None:
    content = (site.root / "keys" / name).read_bytes() if name else b"no key"
    (site.root / "keys" / "model_signing.pem").write_bytes(content)
    refused(site, "model_signing.pem: not a (readable key|key on the elliptic curve P-256)")


def test_a_ledger_without_a_plan_is_refused(interrupted) -> None:
    folder = interrupted.run.folder
    folder.note(commit=None)
    # What the plan was made from is destroyed: nothing can be certified any more, and nothing is written.
    refused(interrupted, "is missing; run forget first")


def test_the_goal_is_never_guessed(site) -> None:
    site.run.folder.note(goal=None)
    refused(site, "does not say for which goal", Refused)
    site.run.folder.note(goal="forget")
    refused(site, "goal 'forget' is not one of unlearn, suppress")


@pytest.mark.parametrize("content", [b"{x", b"[]", b"{}", b'{"outcome": 3}', b'{"outcome": "PASS", "models": {}}'])
def test_a_damaged_verdict_is_refused(site, content: bytes) -> None:
    site.run.folder.verdict.write_bytes(content)
    refused(site, "verdict.json: .*; run references and verify again", Refused)


def test_a_verdict_that_verify_did_not_give(site) -> None:
    path = site.run.folder.verdict
    path.write_text(json.dumps({**json.loads(path.read_text()), "outcome": "NO-MEASURABLE-INFLUENCE"}))
    refused(site, "not the one that the run's record names", Refused, accept_no_influence=True)


def test_a_verdict_that_is_not_bound_goes_before_an_override(site) -> None:
    site.run.folder.verdict.write_text("{}")
    refused(site, "remove the file and commit with override_reason", Refused, override_reason="head of data protection")
    site.run.folder.verdict.unlink()
    (site.run.folder.release / "report.html").unlink(missing_ok=True)
    site.commit(override_reason="head of data protection").run()
    certificate = json.loads((site.run.folder.release / "certificate.json").read_text())
    assert certificate["verdict"] == "no verdict" and certificate["evidence"] is None


def test_the_certificate_covers_contents_and_all_settings(tmp_path: Path, passing: dict[str, Any]) -> None:
    def certified(name: str, change: Any) -> dict[str, Any]:
        site = prepare(tmp_path / name, passing, judge=False)
        record = json.loads(site.run.folder.identity.read_text())
        change(record["forget"])
        site.run.folder.identity.write_text(json.dumps(record))
        shutil.rmtree(site.root / "keys")
        shutil.copytree(keys, site.root / "keys")
        site.commit(override_reason="a test").run()
        return json.loads((site.run.folder.release / "certificate.json").read_text())

    keys = prepare(tmp_path / "first", passing, judge=False).root / "keys"
    plain = certified("plain", lambda record: None)
    label = certified("label", lambda record: record["data"]["forget"]["secret-a"].update({"secret-image-1": "new"}))
    setting = certified("setting", lambda record: record["procedure"].update(steps_per_round=48))
    assert plain["data_hash"] != label["data_hash"] and plain["data_hash"] == setting["data_hash"]
    assert plain["config_hash"] == label["config_hash"] != setting["config_hash"]


def test_a_resumed_commit_compares_again(interrupted) -> None:
    site, folder = interrupted, interrupted.run.folder
    assert not any(one in folder.state_file.read_text() for one in IDS)
    for path in (folder.student, folder.verdict, site.run.teacher):
        whole = path.read_bytes()
        path.write_bytes(whole + b" ")
        refused(site, f"{path.name}: is not what the interrupted commit .* was begun with", Refused)
        path.write_bytes(whole)
    other = site.root / "other.csv"
    other.write_text((site.root / "request.csv").read_text().replace("secret-b", "secret-c"))
    refused(site, "other.csv: is not what the interrupted commit", Refused, request=str(other))
    HospitalKeys.create(site.root / "new")
    refused(site, "or made with other keys", Refused, key_dir=str(site.root / "new"), anchor="", tombstones="")
    plan = folder.read_state()["commit"]
    for changed in ({**plan, "verdict": "FAIL-over"}, {**plan, "more": 1}, {**plan, "signature": "00"}):
        folder.note(commit=changed)
        refused(site, "state.json: the plan of the interrupted commit was changed", Refused)
    for changed in (3, [], {}, "x"):
        folder.note(commit=changed)
        refused(site, "state.json: ")
    folder.note(commit=plan)
    site.commit().run()
    assert check(site) == 0


def test_a_reverted_run_is_not_committed(site) -> None:
    site.run.folder.note(state="reverted")
    with pytest.raises(Refused, match="was reverted"):
        site.commit().run()
    with pytest.raises(InputError, match="key_dir: none is given"):
        site.commit(key_dir="")


def test_a_forgotten_patient_is_not_trained_on_again(site) -> None:
    site.commit().run()
    settings = {"tombstones": str(site.root / "tombstones.jsonl"), "key_dir": str(site.root / "keys")}
    records = [{"image_id": "i1", "patient_id": "other"}, {"image_id": "i2", "patient_id": IDS[0]}]
    assert gone_images(records[:1], **settings) == frozenset()
    assert gone_images(records, **settings) == {"i2"}
    assert gone_images(records) == frozenset()
    with pytest.raises(InputError, match="give both, or neither"):
        gone_images(records, tombstones="x")
    with pytest.raises(InputError, match="no such file"):
        gone_images(records, tombstones=str(site.root / "none"), key_dir=str(site.root / "keys"))
    again = Tombstones(settings["tombstones"], keys=site.keys)
    assert again.add(level="patient", units=[site.keys.hide("patient", IDS[0])], request="r") == 0
    path = site.root / "tombstones.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"patient"', b'"study"', 1))
    with pytest.raises(InputError, match="was changed, or is signed with another key"):
        gone_images(records, **settings)
    path.write_text("nothing\n")
    with pytest.raises(InputError, match="not a readable list"):
        Tombstones(path, keys=HospitalKeys.load(site.root / "keys"))


def test_nothing_goes_on_in_a_committed_run(site) -> None:
    site.commit().run()
    with pytest.raises(Refused, match="was committed; run forget again, in another output_dir"):
        site.run.judge()
    assert check(site) == 0


def test_a_list_that_another_command_holds_is_waited_for_before_anything_is_destroyed(
    site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.record.tombstones.PATIENCE", 0.2)
    lock = site.root / ".tombstones.jsonl.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused(site, "tombstones.jsonl is held by another command")
    site.commit().run()


@pytest.mark.parametrize(
    ("part", "named"),
    [("patients", ["secret-a", "someone-else"]), ("images", ["secret-image-2"]), ("patients", None)],
)
def test_a_resolution_that_names_others_than_the_run_forgot(site, part: str, named: Any) -> None:
    """Their ids would be in certificate and tombstones, and those who were forgotten could be trained on again."""
    path = site.run.folder.resolution
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, part: {"forget": named}}))
    with pytest.raises(InputError, match="names other patients or images|does not say what was forgotten"):
        site.commit().run()
    assert site.run.folder.adapter.exists() and not (site.root / "tombstones.jsonl").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": {"teacher": "0" * 64}}, "is not the model that the run started from"),
        (
            {"procedure": {"steps_per_round": 180, "seed": 0, "goal": "suppress"}},
            "is not that of forgetting, 'suppress'",
        ),
    ],
)
def test_what_the_certificate_names_is_that_of_forgetting(tmp_path: Path, passing, change, words: str) -> None:
    site = prepare(tmp_path, passing, judge=False)
    path = site.run.folder.identity
    record = json.loads(path.read_text())
    path.write_text(json.dumps({"forget": {**record["forget"], **change}}))
    with pytest.raises(Refused, match=words):
        site.commit(override_reason="a test").run()
    assert site.run.folder.adapter.exists()


def test_a_reason_fits_on_a_certificate(site) -> None:
    with pytest.raises(InputError, match="override_reason: has 100000 characters; allowed are 1000"):
        site.commit(override_reason="x" * 100_000)
