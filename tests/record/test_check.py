"""What an auditor is told of a folder in which anything at all may stand: a line that names it, and exit code 3."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scripts.record import __main__ as record
from scripts.record.keys import HospitalKeys
from tests.record.test_ledger import certify

JSON = ("certificate.json", "ledger_head.json", "ledger.jsonl")
ODD = [None, True, False, 0, -1, 10**30, 1.5, "", "text", "\ud800", [], {}, [[]], {"a": {"b": [None]}}, "a" * 5000]
RAW = {
    "not UTF-8": b"\xff\xfe{}\n",
    "not a number": b'{"entries": NaN}\n',
    "infinite": b'{"entries": 1e999}\n',
    "many digits": b'{"entries": ' + b"9" * 6000 + b"}\n",
    "deep list": b"[" * 200_000 + b"\n",
    "deep object": b'{"a":' * 200_000 + b"\n",
    "empty": b"",
    "blank": b"\n",
    "zeros": b"\0" * 100,
    "list of names": b'["body","hash","index","kind","previous","time"]\n',
    "cut": b'{"entries": 1',
}


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hospital")
    keys = HospitalKeys.create(root / "keys")
    (root / "release" / "tensorboard").mkdir(parents=True)
    (root / "release" / "tensorboard" / "events").write_bytes(b"events")
    certify(root / "release", keys, root / "anchor.jsonl")
    return root


@pytest.fixture
def release(hospital: Path, tmp_path: Path) -> Path:
    shutil.copytree(hospital / "release", tmp_path / "release")
    return tmp_path / "release"


def check(hospital: Path, release: Path, *, anchor: Path | None = None) -> int:
    given_ = ["--public-key", str(hospital / "keys" / "signing.pub.pem")]
    return record.main(["check", str(release), *given_, "--anchor", str(anchor or hospital / "anchor.jsonl")])


def test_an_untouched_copy_holds(hospital: Path, release: Path, capsys) -> None:
    assert check(hospital, release) == 0 and capsys.readouterr().out.rstrip().endswith("holds")


def places(content: Any, path: tuple = ()) -> Iterator[tuple]:
    """The path of every value in JSON content, the whole among them."""
    yield path
    for name in content if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ():
        yield from places(content[name], (*path, name))


def replaced(content: Any, path: tuple, value: Any) -> Any:
    if not path:
        return value
    copied = content.copy()
    copied[path[0]] = replaced(content[path[0]], path[1:], value)
    return copied


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_value_of_another_type_anywhere_is_found(hospital: Path, tmp_path: Path, capsys, data) -> None:
    name = data.draw(st.sampled_from([*JSON, "anchor.jsonl"]))
    copy = tmp_path / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(hospital / "release", copy)
    source = hospital / name if name == "anchor.jsonl" else copy / name
    lines = source.read_text().splitlines() if name.endswith(".jsonl") else [source.read_text()]
    number = data.draw(st.integers(0, len(lines) - 1))
    content = json.loads(lines[number])
    path = data.draw(st.sampled_from(sorted(places(content), key=str)))
    if name == "anchor.jsonl":
        # What an anchor says of another ledger, and when a line was added, is not signed by this one's key.
        number, path = len(lines) - 1, data.draw(st.sampled_from([(), ("entries",), ("hash",), ("signature",)]))
        content = json.loads(lines[number])
    value = data.draw(st.sampled_from(ODD))
    assume(json.dumps(replaced(content, path, value)) != json.dumps(content))
    lines[number] = json.dumps(replaced(content, path, value), sort_keys=True, separators=(",", ":"))
    if not name.endswith(".jsonl"):
        lines[number] = json.dumps(replaced(content, path, value), sort_keys=True, indent=2)
    target = tmp_path / name if name == "anchor.jsonl" else copy / name
    target.write_text("".join(f"{line}\n" for line in lines))
    capsys.readouterr()
    assert check(hospital, copy, anchor=target if name == "anchor.jsonl" else None) == 3
    assert name in capsys.readouterr().out


@pytest.mark.parametrize("what", sorted(RAW))
@pytest.mark.parametrize("name", [*JSON, "anchor.jsonl", "signing.pub.pem"])
def test_what_is_no_json_is_named(hospital: Path, release: Path, capsys, name: str, what: str) -> None:
    path = release.parent / name if name not in JSON else release / name
    path.write_bytes(RAW[what])
    key = path if name == "signing.pub.pem" else hospital / "keys" / "signing.pub.pem"
    anchor = path if name == "anchor.jsonl" else hospital / "anchor.jsonl"
    options = ["--public-key", str(key), "--anchor", str(anchor)]
    assert record.main(["check", str(release), *options]) == 3
    assert name in capsys.readouterr().out


@pytest.mark.parametrize("name", JSON)
def test_a_name_that_is_given_twice_is_found(hospital: Path, release: Path, capsys, name: str) -> None:
    text = (release / name).read_text()
    first = json.loads(text.splitlines()[0]) if name.endswith("l") else json.loads(text)
    key = sorted(first)[0]
    doubled = f'{{"{key}": "another", ' + text.lstrip("{\n ")
    (release / name).write_text(doubled)
    assert check(hospital, release) == 3 and name in capsys.readouterr().out


def make(path: Path, kind: str, outside: Path) -> None:
    """Something of a kind at a path, with the content that was there where the kind allows it."""
    content = path.read_bytes() if path.is_file() else b"content"
    path.unlink(missing_ok=True)
    if kind == "link out":
        (outside / "elsewhere").write_bytes(content)
        path.symlink_to(outside / "elsewhere")
    elif kind == "link inside":
        (path.parent / "beside").write_bytes(content)
        path.symlink_to("beside")
    elif kind == "link to nothing":
        path.symlink_to("nothing")
    elif kind == "link to itself":
        path.symlink_to(path.name)
    elif kind == "link to a folder":
        path.symlink_to(outside, target_is_directory=True)
    elif kind == "hard link":
        (outside / "elsewhere").write_bytes(content)
        os.link(outside / "elsewhere", path)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            here = os.getcwd()
            os.chdir(path.parent)  # the length of a socket's path is bounded
            try:
                one.bind(path.name)
            finally:
                os.chdir(here)
    elif kind == "folder":
        path.mkdir()
    elif kind == "folder with a file":
        path.mkdir()
        (path / "file").write_bytes(content)


KINDS = [
    "link out",
    "link inside",
    "link to nothing",
    "link to itself",
    "link to a folder",
    "hard link",
    "pipe",
    "socket",
    "folder",
    "folder with a file",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["student.pt", "tensorboard/events", *JSON, "model.sig", "more", ".hidden"])
def test_only_files_that_are_certified_may_lie_there(
    hospital: Path, release: Path, tmp_path: Path, capsys, name: str, kind: str
) -> None:
    (tmp_path / "outside").mkdir()
    make(release / name, kind, tmp_path / "outside")
    model_key = ["--model-key", str(hospital / "keys" / "model_signing.pub.pem")]
    assert check(hospital, release) == 3
    said = capsys.readouterr().out
    assert name in said
    assert record.main(["check", str(release), *model_key]) == 3


@pytest.mark.parametrize("name", ["more.txt", ".hidden", "tensorboard/more", "new/file", "tensorboard/.x/y", "\udcff"])
def test_whatever_was_added_is_named(hospital: Path, release: Path, capsys, name: str) -> None:
    path = release / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    assert check(hospital, release) == 3
    assert f"{name.encode('unicode_escape').decode() if name > '~' else name} is not in the" in capsys.readouterr().out


def test_names_cannot_write_to_the_terminal(hospital: Path, release: Path, capsys) -> None:
    (release / "\x1b[2Jholds\n\u202e").write_bytes(b"")
    assert check(hospital, release) == 3
    out = capsys.readouterr().out
    assert "\x1b" not in out and "\u202e" not in out and "\\x1b[2Jholds\\n\\u202e is not in the certificate" in out


def test_a_folder_that_is_very_deep_ends_no_check(hospital: Path, release: Path) -> None:
    here = os.getcwd()
    try:
        os.chdir(release)
        for _ in range(900):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(here)
    assert check(hospital, release) == 3


@pytest.mark.parametrize("name", JSON)
def test_a_file_of_a_release_that_is_missing_does_not_hold(hospital: Path, release: Path, capsys, name: str) -> None:
    (release / name).unlink()
    assert check(hospital, release) == 3 and name in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
@pytest.mark.parametrize("option", ["--public-key", "--anchor", "--model-key"])
def test_what_the_auditor_names_must_be_a_file(release: Path, tmp_path: Path, capsys, option: str, kind: str) -> None:
    path = tmp_path / "named"
    if kind != "missing":
        make(path, kind, tmp_path)
    assert record.main(["check", str(release), option, str(path)]) == 2
    assert f"{option}: {path}" in capsys.readouterr().err


def test_an_anchor_or_a_key_may_be_a_link_of_the_auditors_own(hospital: Path, release: Path, tmp_path: Path) -> None:
    for name in ("anchor.jsonl", "keys"):
        (tmp_path / name).symlink_to(hospital / name)
    options = ["--public-key", str(tmp_path / "keys/signing.pub.pem"), "--anchor", str(tmp_path / "anchor.jsonl")]
    assert record.main(["check", str(release), *options]) == 0


def test_a_signature_in_capital_letters_is_another_one(hospital: Path, release: Path) -> None:
    head = json.loads((release / "ledger_head.json").read_text())
    head["signature"] = head["signature"].upper()
    (release / "ledger_head.json").write_text(json.dumps(head, indent=2, sort_keys=True) + "\n")
    assert check(hospital, release) == 3


def test_a_file_with_holes_that_is_larger_than_any_model_is_named_at_once(
    hospital: Path, release: Path, capsys
) -> None:
    with (release / "student.pt").open("ab") as file:
        file.truncate(2**40)
    assert check(hospital, release) == 3
    assert "student.pt is a file of more than" in capsys.readouterr().out
