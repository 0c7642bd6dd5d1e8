"""A model of a pool: when it counts as made, and who makes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripts.errors import InputError
from scripts.files import write_json
from scripts.identity import file_digest
from scripts.references.jobs import Job, digest, run_jobs


def job(folder: Path, *, key: str = "key") -> Job:
    return Job(kind="original", key=key, folder=folder, weights=folder / "model.pt", steps=())


def make(made: Job) -> None:
    made.folder.mkdir(parents=True, exist_ok=True)
    made.weights.write_bytes(b"weights of " + made.key.encode())
    write_json(made.record, {"key": made.key, "weights": file_digest(made.weights), "seconds": 2.5})


def test_a_model_without_its_record_is_not_there(tmp_path: Path) -> None:
    one = job(tmp_path)
    assert not one.done() and one.seconds() is None
    one.weights.write_bytes(b"half")
    assert not one.done()
    make(one)
    assert one.done() and one.seconds() == 2.5


def test_another_model_in_its_place_is_an_error(tmp_path: Path) -> None:
    make(job(tmp_path))
    with pytest.raises(InputError, match="is of another model"):
        job(tmp_path, key="other").done()
    (tmp_path / "model.pt").unlink()
    with pytest.raises(InputError, match="is not what was trained"):
        job(tmp_path).done()


@pytest.mark.parametrize(
    "content",
    [b"", b"garbage", b"[]", b"3", b"[" * 99999, b"\xff", b'{"key": "key"}', b'{"key": 3, "weights": 3, "seconds": 1}']
    + [b'{"key": "key", "weights": "w", "seconds": %s}' % odd for odd in (b'"x"', b"null", b"true", b"NaN", b"1e999")],
)
def test_a_damaged_record_is_refused_by_its_name(tmp_path: Path, content: bytes) -> None:
    one = job(tmp_path)
    make(one)
    one.record.write_bytes(content)
    for read in (one.done, one.seconds):
        with pytest.raises(InputError, match="done.json: .*to train it again"):
            read()


def test_what_is_there_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Job] = []
    monkeypatch.setattr(Job, "run", lambda one: ran.append(one))
    make(job(tmp_path / "there"))
    run_jobs([job(tmp_path / "there"), job(tmp_path / "missing")])
    assert ran == [job(tmp_path / "missing")]


def test_the_same_settings_in_another_order_are_the_same_key() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1}) != digest({"a": 1, "b": [2, 1]})
