"""A model can be asked whether it was trained on a patient, and its record names nobody."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from scripts.cohort.membership import Membership, salted
from scripts.errors import InputError


@pytest.fixture
def membership(make_patients):
    return Membership.of(make_patients(3), "salt")


def test_the_digest_is_the_documented_one() -> None:
    assert salted("s", "patient", "p1") == hmac.new(b"s", b"patient\0p1", hashlib.sha256).hexdigest()
    assert salted("s", "patient", "p1") != salted("s", "image", "p1") != salted("t", "image", "p1")


def test_it_says_who_was_seen(membership) -> None:
    assert membership.saw("p02") and not membership.saw("p03") and not membership.saw("i02-0")
    assert membership.saw_image("i02-1") and not membership.saw_image("i02-2")


def test_it_is_read_as_it_was_written_and_names_nobody(tmp_path, membership) -> None:
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"membership": membership.as_json()}))
    assert Membership.read(tmp_path / "model.pt") == membership
    assert "p02" not in path.read_text() and "i02" not in path.read_text()


def test_the_order_of_the_records_leaves_no_trace(make_patients) -> None:
    records = make_patients(5)
    assert Membership.of(records[::-1], "s").as_json() == Membership.of(records, "s").as_json()


def test_without_a_record_nothing_is_known(tmp_path) -> None:
    assert Membership.read(tmp_path / "model.pt") is None
    (tmp_path / "model.json").write_text('{"fold": -1}')
    assert Membership.read(tmp_path / "model.pt") is None


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {},
        {"salt": "s", "patients": []},
        {"salt": 1, "patients": [], "images": []},
        {"salt": "", "patients": [], "images": []},
        {"salt": "s", "patients": "p01", "images": []},
        {"salt": "s", "patients": [], "images": ["i01-0"]},
        {"salt": "s", "patients": [], "images": [7]},
        {"salt": "s", "patients": {}, "images": []},
    ],
)
def test_content_of_another_form_is_refused_by_file(tmp_path, content) -> None:
    (tmp_path / "model.json").write_text(json.dumps({"membership": content}))
    with pytest.raises(InputError, match=r"model\.json: .*membership"):
        Membership.read(tmp_path / "model.pt")


@pytest.mark.parametrize("content", [b"", b"[]", b"3", b"\xff\xfe", b"[" * 100_000, b"{"])
def test_a_damaged_record_is_refused_by_file(tmp_path, content: bytes) -> None:
    (tmp_path / "model.json").write_bytes(content)
    with pytest.raises(InputError, match=r"model\.json: is not a readable record"):
        Membership.read(tmp_path / "model.pt")


def test_a_folder_in_place_of_a_record(tmp_path) -> None:
    (tmp_path / "model.json").mkdir()
    with pytest.raises(InputError, match=r"model\.json: is not a file"):
        Membership.read(tmp_path / "model.pt")
