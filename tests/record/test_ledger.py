"""Keys, chain, head and anchor; what an auditor finds in a folder that was tampered with."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripts.errors import InputError, Refused
from scripts.record import __main__ as record
from scripts.record.certificate import build_certificate, due_date, file_hashes
from scripts.record.check import check_release
from scripts.record.keys import HospitalKeys
from scripts.record.ledger import Ledger, read_entries

REQUEST = {"digest": "d", "level": "patient", "units": ["u"], "requested_on": "2026-11-30", "ground": "research"}


def certify(release: Path, keys: HospitalKeys, anchor: Path | None, *, entries: int = 2) -> None:
    """A small folder as `commit` leaves it."""
    release.mkdir(parents=True, exist_ok=True)
    (release / "student.pt").write_bytes(b"weights")
    (release / "verdict.json").write_text('{"outcome": "PASS"}')
    ledger = Ledger(release / "ledger.jsonl", keys=keys, anchor=anchor)
    for number in range(entries):
        ledger.append("step", {"number": number, "said": 'a "quoted"\nline é'})
    certificate = build_certificate(
        keys=keys,
        request=REQUEST,
        goal="unlearn",
        verdict=None,
        tries=0,
        override_reason="a test",
        models={"before": "b", "after": "a"},
        data_hash="d",
        config_hash="c",
        code_version="0",
        shown="not shown",
        files=file_hashes(release),
        destroyed=[],
        not_destroyed=[],
        derived=[],
    )
    from scripts.files import write_json

    write_json(release / "certificate.json", certificate)
    ledger.close({"signature": certificate["signature"]})


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hospital")
    keys = HospitalKeys.create(root / "keys")
    certify(root / "release", keys, root / "anchor.jsonl")
    return root


def errors(root: Path, release: Path) -> list[str]:
    given_ = {"public_key": str(root / "keys" / "signing.pub.pem"), "anchor": str(root / "anchor.jsonl")}
    return [error for _, found in check_release(release, **given_) for error in found]


def test_what_was_not_touched_holds(hospital: Path, capsys) -> None:
    assert errors(hospital, hospital / "release") == []
    assert record.main(["check", str(hospital / "release")]) == 0
    assert "--anchor only" in capsys.readouterr().out


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_byte_anywhere_is_found(hospital: Path, tmp_path: Path, data) -> None:
    release = tmp_path / "copy"
    shutil.rmtree(release, ignore_errors=True)
    shutil.copytree(hospital / "release", release)
    path = data.draw(st.sampled_from(sorted(release.iterdir())))
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    assert errors(hospital, release)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_cut_file_or_an_added_one_is_found(hospital: Path, tmp_path: Path, data) -> None:
    release = tmp_path / "copy"
    shutil.rmtree(release, ignore_errors=True)
    shutil.copytree(hospital / "release", release)
    path = data.draw(st.sampled_from(sorted(release.iterdir())))
    content = path.read_bytes()
    if data.draw(st.booleans()):
        path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    else:
        (release / "more.txt").write_text("x")
    assert errors(hospital, release)


def test_recomputation_with_another_key_is_found_by_the_public_key(hospital: Path, tmp_path: Path) -> None:
    other = HospitalKeys.create(tmp_path / "other")
    certify(tmp_path / "release", other, None)
    assert not [error for _, found in check_release(tmp_path / "release") for error in found]
    key = str(hospital / "keys" / "signing.pub.pem")
    found = [error for _, found in check_release(tmp_path / "release", public_key=key) for error in found]
    assert any("another key" in error for error in found)


def test_an_older_state_put_back_is_found_by_the_anchor_alone(tmp_path: Path) -> None:
    keys = HospitalKeys.create(tmp_path / "keys")
    ledger = Ledger(tmp_path / "release" / "ledger.jsonl", keys=keys, anchor=tmp_path / "anchor.jsonl")
    ledger.append("step", {})
    old = tmp_path / "old"
    shutil.copytree(tmp_path / "release", old)
    ledger.append("step", {"more": 1})
    certify(tmp_path / "release", keys, tmp_path / "anchor.jsonl", entries=0)
    for name in ("ledger.jsonl", "ledger_head.json"):
        shutil.copy(old / name, tmp_path / "release" / name)
    found = dict(check_release(tmp_path / "release", anchor=str(tmp_path / "anchor.jsonl")))
    assert found["ledger"] == found["signed head"] == []
    assert "was cut or put back" in found["anchor"][0]


def test_an_anchor_that_was_changed_or_knows_nothing(hospital: Path, tmp_path: Path) -> None:
    anchor = tmp_path / "anchor.jsonl"
    lines = (hospital / "anchor.jsonl").read_text()
    for content, message in (
        (lines.replace('"entries":3', '"entries":2'), "not signed by the key"),
        ("", "does not know this ledger"),
        ("{\n", "not readable"),
    ):
        anchor.write_text(content)
        found = dict(check_release(hospital / "release", anchor=str(anchor)))
        assert message in found["anchor"][0]


def test_nothing_is_added_to_a_closed_or_broken_ledger(hospital: Path, tmp_path: Path) -> None:
    keys = HospitalKeys.load(hospital / "keys")
    shutil.copytree(hospital / "release", tmp_path / "release")
    path = tmp_path / "release" / "ledger.jsonl"
    with pytest.raises(Refused, match="is closed"):
        Ledger(path, keys=keys).append("more", {})
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[1], lines[0]]))
    with pytest.raises(Refused, match="does not follow the one before it"):
        Ledger(path, keys=keys).append("more", {})
    path.write_bytes(lines[0].replace(b"number", b"Number"))
    with pytest.raises(Refused, match="entry 0 was changed"):
        Ledger(path, keys=keys).append("more", {})
    path.write_bytes(lines[0][:-1])
    with pytest.raises(InputError, match="line 1 is not whole"):
        read_entries(path)


def test_keys_are_private_whole_and_never_written_over(tmp_path: Path, capsys) -> None:
    assert record.main(["keys", str(tmp_path / "keys")]) == 0
    for name in ("hmac.key", "signing.pem"):
        assert (tmp_path / "keys" / name).stat().st_mode & 0o777 == 0o600
    assert record.main(["keys", str(tmp_path / "keys")]) == 2
    assert "hmac.key: exists already" in capsys.readouterr().err
    os.chmod(tmp_path / "keys" / "hmac.key", 0o644)
    with pytest.raises(InputError, match="others may read it"):
        HospitalKeys.load(tmp_path / "keys")
    os.chmod(tmp_path / "keys" / "hmac.key", 0o600)
    (tmp_path / "keys" / "signing.pem").write_text("no key")
    with pytest.raises(InputError, match="signing.pem: not a readable key"):
        HospitalKeys.load(tmp_path / "keys")
    (tmp_path / "keys" / "hmac.key").write_bytes(b"short")
    with pytest.raises(InputError, match="5 bytes; 32 are needed"):
        HospitalKeys.load(tmp_path / "keys")
    with pytest.raises(InputError, match="no such key; make the keys with"):
        HospitalKeys.load(tmp_path)


def test_hidden_ids_differ_by_level_and_key(tmp_path: Path) -> None:
    one, other = (HospitalKeys.create(tmp_path / name) for name in ("one", "other"))
    assert one.hide("patient", "1") == HospitalKeys.load(tmp_path / "one").hide("patient", "1")
    assert len({one.hide("patient", "1"), one.hide("image", "1"), other.hide("patient", "1")}) == 3


@pytest.mark.parametrize(
    ("asked", "due"),
    [
        ("2026-01-31", "2026-02-28"),
        ("2028-01-30", "2028-02-29"),
        ("2026-12-15", "2027-01-15"),
        ("2026-03-31", "2026-04-30"),
    ],
)
def test_one_month_to_answer(asked: str, due: str) -> None:
    assert due_date(asked) == due


def test_no_date() -> None:
    with pytest.raises(InputError, match="requested_on: 'soon' is not a date"):
        due_date("soon")
    with pytest.raises(InputError, match="requested_on: '9999-12-31' has no due date"):
        due_date("9999-12-31")


def test_check_names_what_is_missing(tmp_path: Path, capsys) -> None:
    assert record.main(["check", str(tmp_path)]) == 2
    assert "ledger.jsonl: no such file" in capsys.readouterr().err


def test_a_failed_check_has_its_exit_code(hospital: Path, tmp_path: Path, capsys) -> None:
    shutil.copytree(hospital / "release", tmp_path / "release")
    (tmp_path / "release" / "student.pt").write_bytes(b"other weights")
    assert record.main(["check", str(tmp_path / "release")]) == 3
    out = capsys.readouterr().out
    assert "student.pt was changed" in out and out.rstrip().endswith("FAIL")
    json.loads((tmp_path / "release" / "certificate.json").read_text())
