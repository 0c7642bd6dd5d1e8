"""The commit: refused without a verdict, thorough with one, resumable, and free of ids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.errors import InputError, Refused
from scripts.record import __main__ as record
from scripts.record.keys import HospitalKeys
from scripts.record.tombstones import Tombstones, allowed_records
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


def test_an_interrupted_commit_goes_on(site, monkeypatch: pytest.MonkeyPatch) -> None:
    from scripts.release import commit as module

    def stop(*args: Any, **settings: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "build_certificate", stop)
    with pytest.raises(KeyboardInterrupt):
        site.commit().run()
    monkeypatch.undo()
    folder = site.run.folder
    assert not folder.resolution.exists() and folder.read_state()["state"] == "trial"
    site.commit().run()
    assert check(site) == 0
    assert "private/cache/row.bin" in json.loads((folder.release / "certificate.json").read_text())["destroyed"]
    with pytest.raises(Refused, match="is committed already"):
        site.commit().run()


def test_what_cannot_be_destroyed_is_listed_and_nothing_outside_is_touched(site, tmp_path: Path) -> None:
    outside = tmp_path / "patients.csv"
    outside.write_text("theirs")
    folder = site.run.folder
    (folder.private / "link.csv").symlink_to(outside)
    manifest = json.loads(folder.manifest.read_text())
    manifest["files"] += ["private/link.csv", "private/../../patients.csv", "release/student.pt"]
    folder.manifest.write_text(json.dumps(manifest))
    site.commit().run()
    certificate = json.loads((folder.release / "certificate.json").read_text())
    assert certificate["not_destroyed"] == ["private/link.csv", "private/../../patients.csv"]
    assert outside.read_text() == "theirs" and folder.student.is_file()


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
    assert allowed_records(records[:1], **settings) == records[:1]
    assert allowed_records(records, without=[1], **settings) == records
    with pytest.raises(Refused, match="1 training images belong to .* the first is i2"):
        allowed_records(records, **settings)
    assert allowed_records(records) == records
    with pytest.raises(InputError, match="give both, or neither"):
        allowed_records(records, tombstones="x")
    with pytest.raises(InputError, match="no such file"):
        allowed_records(records, tombstones=str(site.root / "none"), key_dir=str(site.root / "keys"))
    again = Tombstones(settings["tombstones"], keys=site.keys)
    assert again.add(level="patient", units=[site.keys.hide("patient", IDS[0])], request="r") == 0
    path = site.root / "tombstones.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"patient"', b'"study"', 1))
    with pytest.raises(InputError, match="was changed, or is signed with another key"):
        allowed_records(records, **settings)
    path.write_text("nothing\n")
    with pytest.raises(InputError, match="not a readable list"):
        Tombstones(path, keys=HospitalKeys.load(site.root / "keys"))


def test_nothing_goes_on_in_a_committed_run(site) -> None:
    site.commit().run()
    with pytest.raises(Refused, match="was committed; run forget again, in another output_dir"):
        site.run.judge()
    assert check(site) == 0
