"""The list of the forgotten: whole whatever happens at once, read with every key, and never passed over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripts.errors import InputError
from scripts.record.forgotten import tombstone_units
from scripts.record.keys import HospitalKeys, load_keys
from scripts.record.tombstones import Tombstones, gone_images

ADDING = """
import sys
from scripts.record.keys import HospitalKeys
from scripts.record.tombstones import Tombstones
path, keys, name = sys.argv[1:]
keys = HospitalKeys.load(keys)
kept = Tombstones(path, keys=keys)
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    kept.add(level="patient", units=[keys.hide("patient", f"{name}-{number}")], request=name)
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    root = tmp_path_factory.mktemp("keys")
    for name in ("new", "old"):
        HospitalKeys.create(root / name)
    return [str(root / "new"), str(root / "old")]


def resolution(level: str, *ids: str) -> dict[str, Any]:
    """Patient 01 of two eyes, of whom one may have been asked for; one image of theirs was held out."""
    request = {"request_id": "r", "level": level, "ids": list(ids), "requested_on": "2026-01-31", "ground": "research"}
    return {
        "request": request,
        "images": {"forget": ["01L", "01R"], "retain": ["02L"]},
        "patients": {"forget": ["01"], "retain": ["02"]},
        "not_trained_on": {"test": ["01X"]},
    }


def kept(path: Path, folders: list[str], level: str, *ids: str) -> dict[str, Any]:
    """A list with all that a request forgot; the settings to read it with."""
    keys = load_keys(folders)
    units = tombstone_units(resolution(level, *ids), keys)
    Tombstones(path, keys=keys).add_units(units, request="r")
    return {"tombstones": str(path), "key_dir": folders}


RECORDS = [
    {"image_id": "01L", "patient_id": "01"},
    {"image_id": "01R", "patient_id": "01"},
    {"image_id": "01X", "patient_id": "01"},
    {"image_id": "01new", "patient_id": "01", "lesion_id": "5"},
    {"image_id": "02L", "patient_id": "02", "diagnosis": "01", "study_id": ""},
]


@pytest.mark.parametrize(
    ("level", "ids", "gone"),
    [
        ("image", ["01L"], {"01L", "01R", "01X"}),
        ("patient", ["01"], {"01L", "01R", "01X", "01new"}),
        ("lesion", ["9"], {"01L", "01R", "01X", "01new"}),
        ("study", ["s"], {"01L", "01R", "01X", "01new"}),
        ("class", ["nevus"], {"01L", "01R"}),
    ],
)
def test_what_was_pulled_in_stays_out_too(tmp_path: Path, folders: list[str], level: str, ids, gone) -> None:
    settings_ = kept(tmp_path / "list.jsonl", folders[:1], level, *ids)
    assert gone_images(RECORDS, **settings_) == gone
    assert gone_images(RECORDS[-1:], **settings_) == frozenset()
    text = (tmp_path / "list.jsonl").read_text()
    assert "01L" not in text and "nevus" not in text


def test_a_list_goes_on_with_a_new_key_beside_the_old_one(tmp_path: Path, folders: list[str]) -> None:
    new, old = folders
    path = tmp_path / "list.jsonl"
    kept(path, [old], "image", "01L")
    with pytest.raises(InputError, match=f"of key {HospitalKeys.load(old).key_id}, which is not given"):
        gone_images(RECORDS, tombstones=str(path), key_dir=new)
    keys = load_keys([new, old])
    Tombstones(path, keys=keys).add(level="image", units=[keys[0].hide("image", "02L")], request="q")
    assert gone_images(RECORDS, tombstones=str(path), key_dir=[new, old]) == {"01L", "01R", "01X", "02L"}
    assert gone_images(RECORDS, tombstones=str(path), key_dir=[old, new]) == {"01L", "01R", "01X", "02L"}
    for alone in (new, old):
        with pytest.raises(InputError, match="which is not given"):
            gone_images(RECORDS, tombstones=str(path), key_dir=alone)


def test_a_list_of_the_first_version_is_read_and_continued(tmp_path: Path, folders: list[str]) -> None:
    keys = HospitalKeys.load(folders[0])
    row = {"level": "image", "request": "r", "unit": keys.hide("image", "02L")}
    body = json.dumps(row, separators=(",", ":"), sort_keys=True) + "\n"
    ending = json.dumps({"signature": keys.sign(body.encode())}, separators=(",", ":"))
    path = tmp_path / "list.jsonl"
    path.write_text(f"{body}{ending}\n")
    assert gone_images(RECORDS, tombstones=str(path), key_dir=folders) == {"02L"}
    kept(path, folders[:1], "image", "01L")
    assert gone_images(RECORDS, tombstones=str(path), key_dir=folders[0]) == {"01L", "01R", "01X", "02L"}


def test_many_adding_at_once_lose_nothing(tmp_path: Path, folders: list[str]) -> None:
    path, names = tmp_path / "list.jsonl", ["a", "b", "c"]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", ADDING, str(path), folders[0], name],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    for one in running:
        assert one.stdout is not None and one.stdout.readline() == "ready\n"
    for one in running:
        assert one.communicate("go\n", timeout=60) and one.returncode == 0
    keys = HospitalKeys.load(folders[0])
    wanted = {keys.hide("patient", f"{name}-{number}") for name in names for number in range(20)}
    assert {row["unit"] for row in Tombstones(path, keys=keys).rows} == wanted


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_or_cut_list_is_found(tmp_path: Path, folders: list[str], data) -> None:
    path = tmp_path / "list.jsonl"
    path.unlink(missing_ok=True)
    kept(path, folders, "image", "01L")
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= data.draw(st.integers(1, 255))
    else:
        content = content[:place]
    path.write_bytes(content)
    with pytest.raises(InputError, match="list.jsonl"):
        gone_images(RECORDS, tombstones=str(path), key_dir=folders)


@pytest.mark.parametrize(
    "line", [b"[]", b"5", b"null", b'{"signature":5}', b'{"signature":[]}', b"\xff", b"[" * 5000, b'{"a":"b"}', b"NaN"]
)
def test_a_list_of_odd_types_is_an_error(tmp_path: Path, folders: list[str], line: bytes) -> None:
    path = tmp_path / "list.jsonl"
    for content in (line + b"\n", line + b"\n" + line + b"\n", line, b"\n"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="list.jsonl: not a readable list of tombstones"):
            gone_images(RECORDS, tombstones=str(path), key_dir=folders)


def test_settings_that_say_nothing_are_refused(tmp_path: Path, folders: list[str]) -> None:
    path = str(tmp_path / "list.jsonl")
    assert gone_images(RECORDS) == frozenset()
    for settings_ in ({"tombstones": path}, {"key_dir": folders}, {"key_dir": folders[0]}):
        with pytest.raises(InputError, match="give both, or neither"):
            gone_images(RECORDS, **settings_)
    with pytest.raises(InputError, match="list.jsonl: no such file"):
        gone_images(RECORDS, tombstones=path, key_dir=folders)
    (tmp_path / "list.jsonl").mkdir()
    with pytest.raises(InputError, match="is a folder, not a file"):
        gone_images(RECORDS, tombstones=path, key_dir=folders)
    (tmp_path / "pipe").parent.mkdir(exist_ok=True)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is a pipe, not a file"):
        gone_images(RECORDS, tombstones=str(tmp_path / "pipe"), key_dir=folders)
    for wrong in (5, True, [5], ["", ""]):
        with pytest.raises(InputError, match="key_dir: .* is neither a folder nor a list of folders"):
            gone_images(RECORDS, tombstones=str(tmp_path / "pipe"), key_dir=wrong)  # type: ignore[arg-type]


def test_the_list_does_not_lie_inside_a_run(tmp_path: Path, folders: list[str]) -> None:
    for name in ("private", "release"):
        (tmp_path / "run" / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "run" / "release")
    for place in ("run/list.jsonl", "run/private/list.jsonl", "link/list.jsonl"):
        with pytest.raises(InputError, match="tombstones: .* lies inside the run"):
            Tombstones(tmp_path / place, keys=load_keys(folders))


@pytest.mark.parametrize("change", [{"request": None}, {"images": {}}, {"patients": 5}, {"images": {"forget": [1]}}])
def test_a_resolution_that_does_not_say_what_was_forgotten(folders: list[str], change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="resolution.json: does not say what was forgotten"):
        tombstone_units({**resolution("patient", "01"), **change}, load_keys(folders))
