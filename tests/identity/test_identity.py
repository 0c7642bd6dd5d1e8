"""Whether something is the same is told by contents, and what differs is told by name."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from scripts.errors import InputError
from scripts.identity import ContentDigests, Identity, code_identity, file_digest


def identity(**changes: Any) -> Identity:
    data = {"forget": {"01": {"a": "x", "b": "y"}}, "retain": {"02": {"c": "z"}}}
    found = Identity(
        data=data,
        membership={"teacher": "m"},
        model={"teacher": "t"},
        procedure={"seed": 0, "image_size": 64},
        code={"version": "1", "digest": "d"},
    )
    return replace(found, **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": {"forget": {"07": {"a": "x"}}, "retain": {"02": {"c": "z"}}}}, "forget: patient '07' not '01'"),
        (
            {"data": {"forget": {"01": {"a": "x", "b": "y"}}, "retain": {"02": {"c": "z"}, "03": {"d": "w"}}}},
            "retain: also patient '03'",
        ),
        ({"data": {"forget": {"01": {"a": "x"}}, "retain": {"02": {"c": "z"}}}}, "forget: without image 'b'"),
        (
            {"data": {"forget": {"01": {"a": "new", "b": "y"}}, "retain": {"02": {"c": "z"}}}},
            "forget: image 'a' holds other content than before",
        ),
        ({"membership": {"teacher": "n"}}, "teacher was trained on other patients"),
        ({"model": {"teacher": "u"}}, "teacher is another file"),
        ({"procedure": {"seed": 0, "image_size": 48}}, "image_size: 48 not 64"),
        ({"code": {"version": "2", "digest": "e"}}, "code: version 2 (e) not version 1 (d)"),
    ],
)
def test_every_difference_has_a_name(changes: dict[str, Any], said: str) -> None:
    other = identity(**changes)
    assert other.differs(identity()) == [said]
    assert other.digest != identity().digest and identity().differs(identity()) == []


def test_a_setting_that_one_phase_alone_has_is_no_difference_between_phases() -> None:
    first, second = identity(), identity(procedure={"seed": 0, "image_size": 64, "restore_steps": 3})
    assert second.differs(first, parts=("data", "procedure")) == []
    assert second.differs(first) == ["restore_steps: 3 not None"]


def test_sealed_names_nobody() -> None:
    text = str(identity().sealed())
    assert "01" not in text.replace(identity().sealed()["data"], "") and identity().sealed()["seed"] == 0


@given(some.dictionaries(some.text(max_size=5), some.integers() | some.text() | some.none(), max_size=4))
def test_what_is_written_is_read_back(procedure: dict[str, Any]) -> None:
    one = identity(procedure=procedure)
    assert Identity.read(one.as_dict(), where="here").digest == one.digest


@pytest.mark.parametrize("content", [None, 3, [], {}, {"data": 1}, {"data": {}, "model": []}])
def test_garbage_is_refused(content: Any) -> None:
    with pytest.raises(InputError, match="^here: not a readable record"):
        Identity.read(content, where="here")


def test_contents_are_known_by_their_bytes(tmp_path: Path) -> None:
    image, label = tmp_path / "i.png", tmp_path / "m.png"
    image.write_bytes(b"image")
    label.write_bytes(b"label")
    record = {"image": str(image), "label": str(label), "image_id": "i", "patient_id": "01"}
    cache = tmp_path / "digests.json"
    first = ContentDigests(cache)
    before = first.of_record(record)
    first.save()
    assert str(tmp_path) not in cache.read_text() and cache.stat().st_mode & 0o077 == 0
    assert ContentDigests(cache).of_record(record) == before
    label.write_bytes(b"lapel")
    os.utime(label, ns=(1, 1))
    assert ContentDigests(cache).of_record(record) != before
    moved = {**record, "image": str(image.rename(tmp_path / "renamed.png")), "image_id": "other"}
    label.write_bytes(b"label")
    assert ContentDigests().of_record(moved) == before


def test_what_is_drawn_is_known_by_its_values() -> None:
    digests = ContentDigests()
    one = {"image": "phantom-0-p001-v0", "label": "phantom-0-p001-v0", "image_id": "i", "patient_id": "p001"}
    assert digests.of_record(one) != digests.of_record({**one, "label": 1})
    assert digests.of_record(one) != digests.of_record({**one, "label_shrink": -0.7})
    assert digests.of_records([one]) == {"p001": {"i": digests.of_record(one)}}


@pytest.mark.parametrize("content", ["[" * 99999, "{x", "[1]", '{"a": 3}'])
def test_a_damaged_cache_is_computed_again(tmp_path: Path, content: str) -> None:
    (tmp_path / "digests.json").write_text(content)
    assert ContentDigests(tmp_path / "digests.json").of_file(__file__) == file_digest(__file__)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none.pt: cannot be read"):
        file_digest(tmp_path / "none.pt")
    with pytest.raises(InputError, match="none.png: cannot be read"):
        ContentDigests().of_file(tmp_path / "none.png")


def test_code_has_a_version_and_a_digest() -> None:
    found = code_identity()
    assert found["version"] and len(found["digest"]) == 64


@pytest.mark.parametrize(
    "part", [{"data": {"retain": 3}}, {"data": {"retain": {"p": []}}}, {"data": {"retain": {"p": {"i": 3}}}}]
    + [{name: {"one": 3}} for name in ("membership", "model", "code")]
    + [{name: []} for name in ("data", "membership", "model", "procedure", "code")],
)  # fmt: skip
def test_a_record_of_odd_types_is_refused_by_its_file(part: dict[str, Any]) -> None:
    content = {**Identity().as_dict(), **part}
    with pytest.raises(InputError, match="identity.json: not a readable record"):
        Identity.read(content, where="private/identity.json")
